// EventRings: the event rings of one stack, as an app thread takes them.
// In: event records. Out: calls on an EventSink, in groups. Invariant: tails are loaded from the lowest level to the highest and
// rings drained from the highest to the lowest, so whatever was published before a record that is taken has been taken; where
// a lower level goes first, `ended` and `closed` are set aside until that holds (aside.ts). A connection has one stack, so
// this is all that its order needs. Which level and which stack go next is the poller's business.
import { QUANTUM } from '../coroutine/policy.js';
import type { Arena } from '../mempool/arena.js';
import type { RingConsumer } from '../mempool/ring.js';
import {
  EVENT_RECORD_GENERATION_U32,
  EVENT_RECORD_OFFSET_U32,
  EVENT_RECORD_RING_STAMP_U32,
  EVENT_RECORD_RX_STAMP_U32,
  EVENT_RECORD_SLOT_U32,
  EVENT_TYPE_CLOSED,
  EVENT_TYPE_DRAINED,
  EVENT_TYPE_ENDED,
  EVENT_TYPE_INFO,
  EVENT_TYPE_MESSAGE,
  EVENT_TYPE_OPENED,
  EVENT_TYPE_URGENT,
  NO_LISTENER,
  RING_EVENT,
} from './abi.js';
import { Aside } from './aside.js';

/** All get the word index of an event record in `words`. */
export interface EventSink {
  opened(words: Uint32Array, at: number): void;
  message(words: Uint32Array, at: number): void;
  ended(words: Uint32Array, at: number): void;
  closed(words: Uint32Array, at: number): void;
  drained(words: Uint32Array, at: number): void;
  urgent(words: Uint32Array, at: number): void;
  info(words: Uint32Array, at: number): void;
  isKnown(slot: number, generation: number): boolean;
  /** An event of this slot comes soon. What is returned means nothing, and is not to be thrown away. */
  foresee(slot: number): number;
}

export class EventRings {
  /** Bit L: events of level L are taken. It is narrowed while packets of this stack are short. */
  levelsTaken = 0xff;
  /** Of what was foreseen. */
  foreseen = 0;
  private readonly words: Uint32Array;
  private readonly rings: RingConsumer[] = [];
  private readonly aside: Aside;
  private readonly sink: EventSink;

  constructor(arena: Arena, stack: number, app: number, sink: EventSink) {
    this.words = arena.u32;
    this.sink = sink;
    for (let level = 0; level < arena.levels; level++) this.rings.push(arena.consumer(stack, app, RING_EVENT + level));
    this.aside = new Aside(this.rings);
  }

  private get lowest(): number {
    return this.rings.length - 1;
  }

  /** At the start of a turn. */
  refresh(): void {
    this.refreshAbove(this.rings.length);
  }

  refreshAbove(level: number): void {
    for (let above = level - 1; above >= 0; above--) (this.rings[above] as RingConsumer).refresh();
  }

  publish(): void {
    for (const ring of this.rings) ring.publish();
  }

  /** Bit L: level L has events that may be taken. */
  readyMask(): number {
    let mask = 0;
    for (let level = 0; level < this.rings.length; level++) {
      if ((this.rings[level] as RingConsumer).available > 0) mask |= 1 << level;
    }
    return mask & this.levelsTaken;
  }

  isReady(level: number): boolean {
    return (this.levelsTaken & (1 << level)) !== 0 && (this.rings[level] as RingConsumer).available > 0;
  }

  /** When the next event of a level that has one came to the stack: the poll of a message's frame, else the record's own time. */
  since(level: number): number {
    const { words } = this;
    const at = (this.rings[level] as RingConsumer).peek();
    const isMessage = ((words[at] as number) & 0xff) === EVENT_TYPE_MESSAGE;
    return words[at + (isMessage ? EVENT_RECORD_RX_STAMP_U32 : EVENT_RECORD_RING_STAMP_U32)] as number;
  }

  /** Takes up to QUANTUM events of a level. Returns how many. */
  takeGroup(level: number): number {
    const ring = this.rings[level] as RingConsumer;
    const count = Math.min(QUANTUM, ring.available);
    const inOrder = this.higherAreEmpty(level);
    if (inOrder) this.takeAside();
    this.foresee(ring, count);
    const asItComes = level === 0 || (inOrder && this.aside.isEmpty);
    for (let i = 0; i < count; i++) {
      const at = ring.peek();
      if (asItComes) this.handle(this.words, at);
      else this.handleOrSetAside(at, level);
      ring.advance();
    }
    this.takeAside();
    return count;
  }

  /** Where there are many connections nothing of theirs is in a cache, nor are messages that have waited: the misses of a group overlap here. */
  private foresee(ring: RingConsumer, count: number): void {
    const { words, sink } = this;
    let sum = 0;
    for (let i = 0; i < count; i++) {
      const at = ring.peek(i);
      sum ^= sink.foresee(words[at + EVENT_RECORD_SLOT_U32] as number);
      sum ^= words[(words[at + EVENT_RECORD_OFFSET_U32] as number) >>> 2] as number;
    }
    this.foreseen = sum;
  }

  private higherAreEmpty(level: number): boolean {
    for (let above = 0; above < level; above++) if ((this.rings[above] as RingConsumer).available > 0) return false;
    return true;
  }

  /** Higher rings hold records that may be older than this one: what only makes sense behind them waits. */
  private handleOrSetAside(at: number, level: number): void {
    const { words } = this;
    const first = words[at] as number;
    const type = first & 0xff;
    const unknownActive =
      first >>> 16 === NO_LISTENER &&
      !this.sink.isKnown(
        words[at + EVENT_RECORD_SLOT_U32] as number,
        words[at + EVENT_RECORD_GENERATION_U32] as number,
      );
    if (type === EVENT_TYPE_MESSAGE && !unknownActive) this.sink.message(words, at);
    else if (type !== 0) this.aside.push(words, at, level);
  }

  private takeAside(): void {
    while (!this.aside.isEmpty && this.aside.isDue()) this.handle(this.aside.words, this.aside.shift());
  }

  private handle(words: Uint32Array, at: number): void {
    const type = (words[at] as number) & 0xff;
    if (type === EVENT_TYPE_MESSAGE) this.sink.message(words, at);
    else if (type === EVENT_TYPE_OPENED) this.sink.opened(words, at);
    else if (type === EVENT_TYPE_ENDED) this.sink.ended(words, at);
    else if (type === EVENT_TYPE_CLOSED) this.sink.closed(words, at);
    else if (type === EVENT_TYPE_DRAINED) this.sink.drained(words, at);
    else if (type === EVENT_TYPE_INFO) this.sink.info(words, at);
    else if (type === EVENT_TYPE_URGENT) this.sink.urgent(words, at);
    // 0: taken before its turn.
  }

  /**
   * A slot was given to a new connection, and the end of the old one is not taken yet: it stands in the lowest ring (or was set
   * aside), for it was published before anything of the new one. Takes it now.
   */
  takeClosed(slot: number, generation: number): void {
    const place = this.aside.find(slot, generation, EVENT_TYPE_CLOSED);
    if (place >= 0) {
      this.takeEarly(this.aside.words, place);
      return;
    }
    const ring = this.rings[this.lowest] as RingConsumer;
    ring.refresh();
    const count = ring.available;
    for (let i = 0; i < count; i++) {
      const at = ring.peek(i);
      if (!this.isClosed(at, slot, generation)) continue;
      this.takeEarly(this.words, at);
      return;
    }
  }

  private isClosed(at: number, slot: number, generation: number): boolean {
    const { words } = this;
    return (
      ((words[at] as number) & 0xff) === EVENT_TYPE_CLOSED &&
      words[at + EVENT_RECORD_SLOT_U32] === slot &&
      words[at + EVENT_RECORD_GENERATION_U32] === generation
    );
  }

  private takeEarly(words: Uint32Array, at: number): void {
    this.sink.closed(words, at);
    words[at] = 0;
  }
}
