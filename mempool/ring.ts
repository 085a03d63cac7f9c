// RingConsumer and RingProducer: the JavaScript ends of an SPSC ring in the arena.
// In: the ring's place. Out: word indices of records, which the caller reads or writes as plain typed-array elements.
// Invariant: refresh() and publish() are the only atomic accesses, each at most once per ring and turn (7 ns a piece, a plain
// read costs 1). Counts run free as 32-bit integers: signed here, so that V8 keeps them as small integers.
import { RING_HEADER_HEAD_U32, RING_HEADER_TAIL_U32 } from '../stack/abi.js';

export interface RingPlace {
  headerAt: number;
  recordsAt: number;
  /** A power of two. */
  capacity: number;
  recordBytes: number;
}

abstract class RingEnd {
  readonly capacity: number;
  protected readonly words: Int32Array;
  protected readonly tailAt: number;
  protected readonly headAt: number;
  private readonly recordsAt: number;
  private readonly recordWords: number;

  constructor(words: Int32Array, place: RingPlace) {
    this.words = words;
    this.capacity = place.capacity;
    this.tailAt = (place.headerAt >>> 2) + RING_HEADER_TAIL_U32;
    this.headAt = (place.headerAt >>> 2) + RING_HEADER_HEAD_U32;
    this.recordsAt = place.recordsAt >>> 2;
    this.recordWords = place.recordBytes >>> 2;
  }

  /** Index into the arena's u32 words of the record with this running number. */
  protected record(count: number): number {
    return this.recordsAt + (count & (this.capacity - 1)) * this.recordWords;
  }
}

export class RingConsumer extends RingEnd {
  private head: number;
  private tail: number;
  private published: number;

  constructor(words: Int32Array, place: RingPlace) {
    super(words, place);
    this.head = Atomics.load(words, this.headAt);
    this.published = this.head;
    this.tail = this.head;
  }

  /** Sees what the producer has published. */
  refresh(): void {
    this.tail = Atomics.load(this.words, this.tailAt);
  }

  /** Records that can be taken; never more than the ring holds, whatever the shared words say. */
  get available(): number {
    const count = (this.tail - this.head) | 0;
    return count < 0 || count > this.capacity ? 0 : count;
  }

  /** Running number of the next record to be taken. */
  get headCount(): number {
    return this.head;
  }

  /** Running number behind the last record that is known. */
  get tailCount(): number {
    return this.tail;
  }

  /** Word index of the record `ahead` places behind the next one. */
  peek(ahead = 0): number {
    return this.record((this.head + ahead) | 0);
  }

  advance(): void {
    this.head = (this.head + 1) | 0;
  }

  /** Gives the places of taken records back to the producer. */
  publish(): void {
    if (this.head === this.published) return;
    this.published = this.head;
    Atomics.store(this.words, this.headAt, this.head);
  }
}

export class RingProducer extends RingEnd {
  private tail: number;
  private head: number;
  private published: number;

  constructor(words: Int32Array, place: RingPlace) {
    super(words, place);
    this.tail = Atomics.load(words, this.tailAt);
    this.published = this.tail;
    this.head = Atomics.load(words, this.headAt);
  }

  /** At least `n` records fit. */
  hasRoom(n: number): boolean {
    if (((this.tail + n - this.head) | 0) <= this.capacity) return true;
    this.head = Atomics.load(this.words, this.headAt);
    return ((this.tail + n - this.head) | 0) <= this.capacity;
  }

  /** Word index of the next record; it is written now and seen by the consumer after publish(). */
  push(): number {
    const at = this.record(this.tail);
    this.tail = (this.tail + 1) | 0;
    return at;
  }

  publish(): void {
    if (this.tail === this.published) return;
    this.published = this.tail;
    Atomics.store(this.words, this.tailAt, this.tail);
  }
}

/** A ring as a third party sees it: how full it is, and the records that its producer wrote last. It takes and writes nothing. */
export class RingWindow extends RingEnd {
  /** Running number behind the last record. */
  get tailCount(): number {
    return Atomics.load(this.words, this.tailAt);
  }

  /** Records that the consumer has not given back yet. */
  get depth(): number {
    const count = (this.tailCount - Atomics.load(this.words, this.headAt)) | 0;
    return count < 0 || count > this.capacity ? 0 : count;
  }

  /**
   * Word indices of the last records up to `tail`, at most `most`, the newest first. They stay as they are until the producer
   * has gone round once; half a ring is left to it meanwhile.
   */
  *latest(tail: number, most: number): Generator<number> {
    const count = Math.min(most, this.capacity / 2);
    for (let back = 1; back <= count; back++) yield this.record((tail - back) | 0);
  }
}
