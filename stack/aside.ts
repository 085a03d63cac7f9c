// Aside: events that were read before the higher rings had been drained, and wait until that has happened.
// In: a record and the tails that are known. Out: the oldest record, once every higher ring's head has passed its tail.
// Invariant: first in, first out; copies, for the ring's place is given back at the end of the turn.
import type { RingConsumer } from '../mempool/ring.js';
import { EVENT_RECORD_GENERATION_U32, EVENT_RECORD_SLOT_U32 } from './abi.js';
import { RECORD_WORDS } from './pending.js';

export class Aside {
  /** `capacity` records behind one another; the oldest at `head`. */
  words: Uint32Array;
  private tails: Int32Array;
  private levels: Uint8Array;
  private readonly rings: readonly RingConsumer[];
  private head = 0;
  private count = 0;

  constructor(rings: readonly RingConsumer[], capacity = 16) {
    this.rings = rings;
    this.words = new Uint32Array(capacity * RECORD_WORDS);
    this.tails = new Int32Array(capacity * rings.length);
    this.levels = new Uint8Array(capacity);
  }

  private get capacity(): number {
    return this.levels.length;
  }

  get isEmpty(): boolean {
    return this.count === 0;
  }

  push(from: Uint32Array, at: number, level: number): void {
    if (this.count === this.capacity) this.grow();
    const place = (this.head + this.count) & (this.capacity - 1);
    for (let i = 0; i < RECORD_WORDS; i++) this.words[place * RECORD_WORDS + i] = from[at + i] as number;
    for (let i = 0; i < level; i++)
      this.tails[place * this.rings.length + i] = (this.rings[i] as RingConsumer).tailCount;
    this.levels[place] = level;
    this.count++;
  }

  /** All that was published before the oldest record has been taken. */
  isDue(): boolean {
    const level = this.levels[this.head] as number;
    for (let i = 0; i < level; i++) {
      const tail = this.tails[this.head * this.rings.length + i] as number;
      if ((((this.rings[i] as RingConsumer).headCount - tail) | 0) < 0) return false;
    }
    return true;
  }

  /** Index into `words`, valid until the next push. */
  shift(): number {
    const place = this.head;
    this.head = (place + 1) & (this.capacity - 1);
    this.count--;
    return place * RECORD_WORDS;
  }

  /** Index into `words` of the record of this type and connection, or -1. */
  find(slot: number, generation: number, type: number): number {
    for (let i = 0; i < this.count; i++) {
      const at = ((this.head + i) & (this.capacity - 1)) * RECORD_WORDS;
      const { words } = this;
      if (((words[at] as number) & 0xff) !== type || words[at + EVENT_RECORD_SLOT_U32] !== slot) continue;
      if (words[at + EVENT_RECORD_GENERATION_U32] === generation) return at;
    }
    return -1;
  }

  private grow(): void {
    const { words, tails, levels, capacity, count } = this;
    const rings = this.rings.length;
    this.words = new Uint32Array(words.length * 2);
    this.tails = new Int32Array(tails.length * 2);
    this.levels = new Uint8Array(capacity * 2);
    for (let i = 0; i < count; i++) {
      const place = (this.head + i) & (capacity - 1);
      this.words.set(words.subarray(place * RECORD_WORDS, (place + 1) * RECORD_WORDS), i * RECORD_WORDS);
      this.tails.set(tails.subarray(place * rings, (place + 1) * rings), i * rings);
      this.levels[i] = levels[place] as number;
    }
    this.head = 0;
  }
}
