// PendingLists: messages that wait because an earlier one of their connection (and level) is still being handled.
// In: event records, copied word by word. Out: of the highest level in a list the oldest. Invariant: records live in one typed
// array, lists are linked by index into circles, so that 4 bytes name one; no object per message. The array doubles when it is
// full: received packets bound it.
import { type Prepare, touched } from '../mempool/touch.js';
import { EVENT_RECORD_BYTES, EVENT_RECORD_RING_STAMP_U32 } from './abi.js';

export const RECORD_WORDS = EVENT_RECORD_BYTES >>> 2;

/** Where the lists' last places stand: of list L in array[(L << shift) + at]. 0: the list is empty. */
export interface ListTails {
  readonly array: Int32Array;
  readonly shift: number;
  readonly at: number;
}

/** An array of their own. */
export function tailsOf(lists: number, prepare?: Prepare): ListTails {
  return { array: touched(new Int32Array(lists), prepare), shift: 0, at: 0 };
}

export class PendingLists {
  /** Records, linked in the order in which shift() gives them. */
  words: Uint32Array;
  private next: Int32Array;
  private free = 0;
  private waiting = 0;
  /** The last record of each list, whose next one is the first. */
  private readonly tails: Int32Array;
  private readonly shiftBy: number;
  private readonly tailAt: number;
  /** The same of all lists that were dropped, as one. */
  private dropped = 0;

  /** `tails`: a list for each connection, or for each connection and level. */
  constructor(tails: ListTails, capacity = 256) {
    this.words = new Uint32Array(capacity * RECORD_WORDS);
    this.next = new Int32Array(capacity);
    this.tails = tails.array;
    this.shiftBy = tails.shift;
    this.tailAt = tails.at;
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

  private tailOf(list: number): number {
    return (list << this.shiftBy) + this.tailAt;
  }

  isEmpty(list: number): boolean {
    return this.tails[this.tailOf(list)] === 0;
  }

  /** `taken`, when the record was taken from its ring, takes the place of the stamp of when it was written. */
  push(list: number, from: Uint32Array, at: number, taken: number): void {
    if (this.free === 0) this.grow();
    const place = this.free;
    this.free = this.next[place] as number;
    const to = place * RECORD_WORDS;
    for (let i = 0; i < RECORD_WORDS; i++) this.words[to + i] = from[at + i] as number;
    this.words[to + EVENT_RECORD_RING_STAMP_U32] = taken;
    this.insert(list, place);
    this.waiting++;
  }

  private levelOf(place: number): number {
    return ((this.words[place * RECORD_WORDS] as number) >>> 8) & 0xff;
  }

  /** Behind all of its level and of higher ones. Most are of the level that came last, or of a low one: they go to the end. */
  private insert(list: number, place: number): void {
    const { next, tails } = this;
    const level = this.levelOf(place);
    const tailAt = this.tailOf(list);
    const tail = tails[tailAt] as number;
    if (tail === 0) {
      next[place] = place;
      tails[tailAt] = place;
      return;
    }
    let before = tail;
    if (this.levelOf(tail) <= level) tails[tailAt] = place;
    else while (this.levelOf(next[before] as number) <= level) before = next[before] as number;
    next[place] = next[before] as number;
    next[before] = place;
  }

  /** Index into `words` of the next record; valid until the next push. The list must not be empty. */
  shift(list: number): number {
    const tailAt = this.tailOf(list);
    const tail = this.tails[tailAt] as number;
    const place = this.next[tail] as number;
    if (place === tail) this.tails[tailAt] = 0;
    else this.next[tail] = this.next[place] as number;
    return this.takePlace(place);
  }

  private takePlace(place: number): number {
    this.next[place] = this.free;
    this.free = place;
    this.waiting--;
    return place * RECORD_WORDS;
  }

  /** Nobody will ask for this list any more: its records are those of shiftDropped(). */
  drop(list: number): void {
    const tailAt = this.tailOf(list);
    const tail = this.tails[tailAt] as number;
    if (tail === 0) return;
    this.tails[tailAt] = 0;
    const { next, dropped } = this;
    this.dropped = tail;
    if (dropped === 0) return;
    const first = next[tail] as number;
    next[tail] = next[dropped] as number;
    next[dropped] = first;
  }

  get hasDropped(): boolean {
    return this.dropped !== 0;
  }

  /** As shift(), of the lists that were dropped; there is one. */
  shiftDropped(): number {
    const { next, dropped } = this;
    const place = next[dropped] as number;
    if (place === dropped) this.dropped = 0;
    else next[dropped] = next[place] as number;
    return this.takePlace(place);
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
