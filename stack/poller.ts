// Poller: the event framework of an app thread: one turn takes events, level by level as the policy says, and runs what they
// make ready.
// In: event rings. Out: calls on an EventSink and on the scheduler, in groups. Invariant: tails are loaded from the lowest
// level to the highest and rings drained from the highest to the lowest, so whatever was published before a record that is
// taken has been taken; where the policy lets a lower level go first, `ended` and `closed` are set aside until that holds (aside.ts).
// Read docs/ARCHITECTURE.md 4 first.
import { makePolicy } from '../coroutine/make-policy.js';
import { type Heads, type PolicyOptions, QUANTUM, type SchedulingPolicy } from '../coroutine/policy.js';
import { RUN_QUANTUM_US, type Scheduler } from '../coroutine/scheduler.js';
import type { Arena } from '../mempool/arena.js';
import type { RingConsumer } from '../mempool/ring.js';
import {
  EVENT_RECORD_GENERATION_U32,
  EVENT_RECORD_RING_STAMP_U32,
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

/**
 * Events that JavaScript takes per turn. Between two turns Redis' replies are read and, where this thread drives the stack, frames:
 * what is urgent waits for a turn three times on its way. So only events of the highest level make a turn long.
 */
const EVENTS_PER_TURN = 256;
const LOWER_EVENTS_PER_TURN = 32;
/** Coroutines resumed between two looks at the rings. */
const RESUMES_PER_GROUP = 32;
/** What taking an event costs, for policies that measure work. */
const EVENT_US = 0.2;

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

export class Poller implements Heads {
  /** Bit L: events of level L are taken. The sender narrows it while packets are short. */
  levelsTaken = 0xff;
  events = 0;
  /** Of what was foreseen. */
  foreseen = 0;
  private readonly words: Uint32Array;
  private readonly rings: RingConsumer[] = [];
  private policy: SchedulingPolicy;
  /** The scheduler's measure of work that the policy has been told of. */
  private readonly chargedUs: Float64Array;
  private readonly aside: Aside;
  private readonly scheduler: Scheduler;
  private readonly sink: EventSink;

  constructor(arena: Arena, app: number, scheduler: Scheduler, sink: EventSink, policy: PolicyOptions) {
    this.words = arena.u32;
    this.scheduler = scheduler;
    this.sink = sink;
    this.policy = makePolicy(policy, this, RUN_QUANTUM_US);
    this.chargedUs = new Float64Array(arena.levels);
    for (let level = 0; level < arena.levels; level++) this.rings.push(arena.consumer(0, app, RING_EVENT + level));
    this.aside = new Aside(this.rings);
  }

  /** By another policy from the next turn on; events stay where they are. */
  schedule(policy: PolicyOptions): void {
    this.policy = makePolicy(policy, this, RUN_QUANTUM_US);
    this.chargedUs.set(this.scheduler.workUs);
  }

  private get lowest(): number {
    return this.rings.length - 1;
  }

  /** One turn at the scheduler's present stamp. Returns whether something is left to do. */
  turn(): boolean {
    for (let level = this.lowest; level >= 0; level--) (this.rings[level] as RingConsumer).refresh();
    const mask = this.readyMask();
    if ((mask & (mask - 1)) !== 0) this.policy.begin(mask, this.scheduler.stamp);
    let taken = 0;
    this.scheduler.runTurn(RESUMES_PER_GROUP);
    while (taken < EVENTS_PER_TURN && !this.scheduler.isPaused) {
      const ready = this.readyMask();
      if (ready === 0) break;
      const level = this.policy.next(ready);
      if (taken >= LOWER_EVENTS_PER_TURN && (level > 0 || this.lowest === 0)) break;
      const count = this.takeGroup(level);
      taken += count;
      this.takeAside();
      this.scheduler.runTurn(RESUMES_PER_GROUP);
      if (this.policy.measures) this.charge(level, count);
      for (let above = level - 1; above >= 0; above--) (this.rings[above] as RingConsumer).refresh();
    }
    this.scheduler.runTurn(LOWER_EVENTS_PER_TURN);
    for (const ring of this.rings) ring.publish();
    this.events += taken;
    return this.readyMask() !== 0 || this.scheduler.hasReady;
  }

  /** Bit L: level L has events that may be taken. */
  private readyMask(): number {
    let mask = 0;
    for (let level = 0; level < this.rings.length; level++) {
      if ((this.rings[level] as RingConsumer).available > 0) mask |= 1 << level;
    }
    return mask & this.levelsTaken;
  }

  since(level: number): number {
    const at = (this.rings[level] as RingConsumer).peek();
    return this.words[at + EVENT_RECORD_RING_STAMP_U32] as number;
  }

  /** The work of a level is what its handlers did, now and later. */
  private charge(taken: number, count: number): void {
    const { workUs } = this.scheduler;
    this.policy.charge(taken, count * EVENT_US);
    for (let level = 0; level < this.rings.length; level++) {
      const work = (workUs[level] as number) - (this.chargedUs[level] as number);
      if (work > 0) this.policy.charge(level, work);
      this.chargedUs[level] = workUs[level] as number;
    }
  }

  private takeGroup(level: number): number {
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
    return count;
  }

  /** Where there are many connections nothing of theirs is in a cache: here the misses of a group overlap. */
  private foresee(ring: RingConsumer, count: number): void {
    const { words, sink } = this;
    let sum = 0;
    for (let i = 0; i < count; i++) sum ^= sink.foresee(words[ring.peek(i) + EVENT_RECORD_SLOT_U32] as number);
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
