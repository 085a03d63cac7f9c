// PendingLists: messages that wait because an earlier one of their connection (and level) is still being handled.
// In: event records, copied word by word. Out: the oldest of a list. Invariant: records live in one typed array, lists are
// linked by index; no object per message. The array doubles when it is full: received packets bound it.
import { EVENT_RECORD_BYTES } from './abi.js';

export const RECORD_WORDS = EVENT_RECORD_BYTES >>> 2;

export class PendingLists {
  /** Records; the oldest of a list is read at `word(index)`. */
  words: Uint32Array;
  private next: Int32Array;
  private free = 0;
  private waiting = 0;
  private readonly heads: Int32Array;
  private readonly tails: Int32Array;

  /** `lists`: one for each connection, or for each connection and level. */
  constructor(lists: number, capacity = 256) {
    this.words = new Uint32Array(capacity * RECORD_WORDS);
    this.next = new Int32Array(capacity);
    this.heads = new Int32Array(lists);
    this.tails = new Int32Array(lists);
    this.link(1);
  }

  get size(): number {
    return this.waiting;
  }

  /** Chains the places from `from` on into the free list. Place 0 is never used: 0 means none. */
  private link(from: number): void {
    const { next } = this;
    for (let i = from; i < next.length - 1; i++) next[i] = i + 1;
    next[next.length - 1] = this.free;
    this.free = from;
  }

  private grow(): void {
    const { words, next } = this;
    this.words = new Uint32Array(words.length * 2);
    this.words.set(words);
    this.next = new Int32Array(next.length * 2);
    this.next.set(next);
    this.link(next.length);
  }

  isEmpty(list: number): boolean {
    return this.heads[list] === 0;
  }

  push(list: number, from: Uint32Array, at: number): void {
    if (this.free === 0) this.grow();
    const place = this.free;
    this.free = this.next[place] as number;
    this.next[place] = 0;
    const to = place * RECORD_WORDS;
    for (let i = 0; i < RECORD_WORDS; i++) this.words[to + i] = from[at + i] as number;
    if (this.heads[list] === 0) this.heads[list] = place;
    else this.next[this.tails[list] as number] = place;
    this.tails[list] = place;
    this.waiting++;
  }

  /** Index into `words` of the oldest record; valid until the next push. The list must not be empty. */
  shift(list: number): number {
    const place = this.heads[list] as number;
    this.heads[list] = this.next[place] as number;
    this.next[place] = this.free;
    this.free = place;
    this.waiting--;
    return place * RECORD_WORDS;
  }

  /** Copies of all records of a list, which is empty afterwards. */
  takeAll(list: number): Uint32Array<ArrayBuffer> {
    const records: number[] = [];
    while (!this.isEmpty(list)) {
      const at = this.shift(list);
      for (let i = 0; i < RECORD_WORDS; i++) records.push(this.words[at + i] as number);
    }
    return Uint32Array.from(records);
  }
}
