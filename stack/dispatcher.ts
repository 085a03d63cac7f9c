// Dispatcher: from a message's record to a handler, in the order that its listener asks for.
// In: event records, ends of tasks. Out: tasks in the run queues, release records. Invariant: per list (a connection, or a
// connection and a level) at most one handler runs, and the rest wait in order; each message is released exactly once.
// A message that is older than its level's max_age before any handler has seen it is shed.
import { stampsOfMs } from '../coroutine/policy.js';
import type { Scheduler } from '../coroutine/scheduler.js';
import type { Task, TaskOwner } from '../coroutine/task.js';
import type { Arena } from '../mempool/arena.js';
import {
  EVENT_RECORD_GENERATION_U32,
  EVENT_RECORD_LENGTH_U32,
  EVENT_RECORD_PACKET_U32,
  EVENT_RECORD_RING_STAMP_U32,
  EVENT_RECORD_RX_STAMP_U32,
  EVENT_RECORD_SLOT_U32,
} from './abi.js';
import { type ConnectionTable, STREAM } from './connection-table.js';
import { diagnostics } from './diagnostics.js';
import { type ListenerState, ORDER_CONNECTION, ORDER_LEVEL } from './listener-state.js';
import { Message, type MessageHost } from './message.js';
import { PendingLists, tailsOf } from './pending.js';
import { PooledCoroutine, type PooledOwner } from './pooled-coroutine.js';
import { levelAt } from './release.js';
import type { Releasers } from './releasers.js';
import { type AppSojourn, HANDLER, QUEUE, RING } from './sojourn.js';

/** Handlers of one connection at once, also without any order. */
const IN_FLIGHT_MAX = 65_000;
/** An age beyond half the stamps' circle is none: the frame was polled after the turn began. */
const STAMP_MAX = 2 ** 31 - 1;
/** Messages of ended connections that are given back in one turn. */
const DROPS_PER_TURN = 256;
/** Stage stamp of a message that was shed. */
const NOWHERE = -1;

export interface DispatcherHost<L extends string> extends MessageHost<L> {
  /** The listener of an open connection. */
  listenerOf(slot: number): ListenerState<L> | undefined;
  /** Nothing of this connection is being handled, and nothing waits. */
  connectionIdle(slot: number): void;
  handlerFailed(error: unknown, message: Message<L>): void;
}

export class Dispatcher<L extends string> implements TaskOwner, PooledOwner<L> {
  readonly pending: PendingLists;
  private byLevel: PendingLists | null = null;
  /** Messages given up by level, because they were too old. */
  readonly shedByLevel: number[];
  private readonly arena: Arena;
  private readonly table: ConnectionTable;
  private readonly scheduler: Scheduler;
  private readonly releasers: Releasers;
  private readonly host: DispatcherHost<L>;
  private readonly sojourn: AppSojourn;
  /** In stamps, by level; null: messages live for ever. */
  private maxAges: Float64Array | null = null;
  /** New coroutines, until they ask for their first message. */
  private readonly starting = new Map<PooledCoroutine<L>, Task>();

  constructor(
    arena: Arena,
    table: ConnectionTable,
    scheduler: Scheduler,
    releasers: Releasers,
    host: DispatcherHost<L>,
    sojourn: AppSojourn,
    maxAgesMs: readonly number[] | null,
  ) {
    this.arena = arena;
    this.table = table;
    this.scheduler = scheduler;
    this.releasers = releasers;
    this.host = host;
    this.sojourn = sojourn;
    this.limitAges(maxAgesMs);
    this.shedByLevel = new Array<number>(arena.levels).fill(0);
    this.pending = new PendingLists(table.tails);
  }

  /** Milliseconds by level, Infinity for none; what no handler has seen yet is judged by these from now on. */
  limitAges(maxAgesMs: readonly number[] | null): void {
    this.maxAges = maxAgesMs === null ? null : Float64Array.from(maxAgesMs, stampsOfMs);
  }

  /** A listener of order `level` exists: 4 more bytes per connection and level. */
  prepareLevels(): void {
    this.byLevel ??= new PendingLists(tailsOf(this.table.size * this.arena.levels, this.table.prepare));
  }

  /** Messages that wait for their turn. */
  get waiting(): number {
    return this.pending.size + (this.byLevel?.size ?? 0);
  }

  /** A message of an open connection. */
  message(listener: ListenerState<L>, words: Uint32Array, at: number): void {
    const slot = words[at + EVENT_RECORD_SLOT_U32] as number;
    const level = levelAt(words, at);
    const now = this.leavesRing(words, at, level);
    if (this.maxAges !== null && this.isTooOld(slot, level, words[at + EVENT_RECORD_RX_STAMP_U32] as number)) {
      this.discard(words, at);
      return;
    }
    if (!this.mayStart(listener, slot, level)) {
      const lists = listener.order === ORDER_LEVEL ? (this.byLevel as PendingLists) : this.pending;
      lists.push(this.listOf(listener, slot, level), words, at, now);
      if (listener.order === ORDER_LEVEL) this.setWaiting(slot, level, true);
      return;
    }
    if (this.table.has(slot, STREAM) && this.table.sendLevel(slot) === 0) this.table.setSendLevel(slot, level + 1);
    this.start(listener, words, at, slot, level, now);
  }

  /** A message that a reader will ask for. */
  keep(words: Uint32Array, at: number): void {
    const now = this.leavesRing(words, at, levelAt(words, at));
    this.pending.push(words[at + EVENT_RECORD_SLOT_U32] as number, words, at, now);
  }

  private leavesRing(words: Uint32Array, at: number, level: number): number {
    const now = this.scheduler.stamp;
    this.sojourn.record(RING, level, words[at + EVENT_RECORD_RING_STAMP_U32] as number, now);
    return now;
  }

  /** Counts it as well. Bytes of a stream are never left out. */
  private isTooOld(slot: number, level: number, rxStamp: number): boolean {
    const age = (this.scheduler.stamp - rxStamp) >>> 0;
    const maxAge = (this.maxAges as Float64Array)[level] as number;
    if (age <= maxAge || age > STAMP_MAX || this.table.has(slot, STREAM)) return false;
    this.shedByLevel[level] = (this.shedByLevel[level] as number) + 1;
    if (diagnostics.drop.hasSubscribers) {
      diagnostics.drop.publish({ reason: 'max_age', count: 1, level: this.host.levelNames[level] as string });
    }
    return true;
  }

  /** Its turn in the run queue has come, and no handler has seen the message yet. */
  begins(task: Task): boolean {
    return this.messageBegins(task.message as Message<L>);
  }

  messageBegins(message: Message<L>): boolean {
    const { slot, levelIndex, rxStamp } = message;
    if (this.maxAges !== null && this.isTooOld(slot, levelIndex, rxStamp)) {
      message.stageStamp = NOWHERE;
      return false;
    }
    this.next(QUEUE, message);
    return true;
  }

  /** The message leaves this stage for the next one. */
  private next(stage: number, message: Message<L>): void {
    if (message.stageStamp === NOWHERE) return;
    const now = this.scheduler.stamp;
    this.sojourn.record(stage, message.levelIndex, message.stageStamp, now);
    message.stageStamp = now;
  }

  private listOf(listener: ListenerState<L>, slot: number, level: number): number {
    return listener.order === ORDER_LEVEL ? slot * this.arena.levels + level : slot;
  }

  private mayStart(listener: ListenerState<L>, slot: number, level: number): boolean {
    const inFlight = this.table.inFlight(slot);
    if (listener.order === ORDER_CONNECTION) return inFlight === 0;
    if (listener.order !== ORDER_LEVEL) return inFlight < IN_FLIGHT_MAX;
    return (this.table.busyLevels(slot) & (1 << level)) === 0;
  }

  private start(
    listener: ListenerState<L>,
    words: Uint32Array,
    at: number,
    slot: number,
    level: number,
    taken: number,
  ): void {
    this.table.addInFlight(slot, 1);
    if (listener.order === ORDER_LEVEL) this.setBusy(slot, level, true);
    if (listener.isPooled) this.startPooled(listener, words, at, level, taken);
    else this.startTask(listener, words, at, level, taken);
  }

  private setBusy(slot: number, level: number, busy: boolean): void {
    const before = this.table.busyLevels(slot);
    this.table.setBusyLevels(slot, busy ? before | (1 << level) : before & ~(1 << level));
  }

  /** So that nobody has to look at a list that is empty. */
  private setWaiting(slot: number, level: number, waits: boolean): void {
    const before = this.table.waitingLevels(slot);
    this.table.setWaitingLevels(slot, waits ? before | (1 << level) : before & ~(1 << level));
  }

  private startTask(listener: ListenerState<L>, words: Uint32Array, at: number, level: number, taken: number): void {
    const message = new Message<L>(this.arena, this.host);
    message.fill(words, at, taken);
    const task = this.scheduler.task(level, this);
    task.message = message;
    task.slot = message.slot;
    task.generation = message.generation;
    task.arrival = message.rxStamp;
    task.isFresh = true;
    task.label = listener.label;
    task.begin(listener.handler as NonNullable<typeof listener.handler>, message);
  }

  private startPooled(listener: ListenerState<L>, words: Uint32Array, at: number, level: number, taken: number): void {
    const idle = listener.idle.pop();
    const coroutine = idle ?? new PooledCoroutine<L>(this, listener, new Message<L>(this.arena, this.host));
    coroutine.message.fill(words, at, taken);
    if (idle !== undefined) {
      idle.deliver(true);
      return;
    }
    const task = this.scheduler.task(level, coroutine);
    task.message = coroutine.message;
    task.arrival = coroutine.message.rxStamp;
    task.label = listener.label;
    this.starting.set(coroutine, task);
    task.begin(listener.handler as NonNullable<typeof listener.handler>, coroutine.inbox);
  }

  coroutineIdle(coroutine: PooledCoroutine<L>, done: Message<L> | null): void {
    if (this.starting.delete(coroutine)) {
      this.next(QUEUE, coroutine.message);
      coroutine.deliver(false);
      return;
    }
    (coroutine.listener as ListenerState<L>).idle.push(coroutine);
    if (done !== null) this.finish(done);
  }

  coroutineLeft(coroutine: PooledCoroutine<L>): void {
    const { idle } = coroutine.listener as ListenerState<L>;
    const at = idle.indexOf(coroutine);
    if (at >= 0) idle.splice(at, 1);
  }

  taskDone(task: Task, failed: boolean, error: unknown): void {
    const message = task.message as Message<L> | null;
    if (message === null) return;
    if (this.starting.size > 0) this.forgetStarting(task);
    if (failed) this.host.handlerFailed(error, message);
    if (message.isValid) this.finish(message);
  }

  private forgetStarting(task: Task): void {
    for (const [coroutine, starting] of this.starting) if (starting === task) this.starting.delete(coroutine);
  }

  /** The message is handled: its packet goes back, and the next of its list starts. */
  private finish(message: Message<L>): void {
    const { slot, generation, levelIndex } = message;
    this.next(HANDLER, message);
    this.releasers.of(slot).release(message.packet, slot, generation, message.releaseLength, levelIndex);
    message.expire();
    const { table } = this;
    if (!table.isOpen(slot, generation)) return;
    table.addInFlight(slot, -1);
    const listener = this.host.listenerOf(slot);
    if (listener === undefined) return;
    if (listener.order === ORDER_LEVEL) this.setBusy(slot, levelIndex, false);
    if (!this.startNext(listener, slot, levelIndex) && table.inFlight(slot) === 0) this.host.connectionIdle(slot);
  }

  private startNext(listener: ListenerState<L>, slot: number, level: number): boolean {
    const byLevel = listener.order === ORDER_LEVEL;
    if (byLevel && (this.table.waitingLevels(slot) & (1 << level)) === 0) return false;
    const lists = byLevel ? (this.byLevel as PendingLists) : this.pending;
    const list = this.listOf(listener, slot, level);
    while (!lists.isEmpty(list)) {
      const at = lists.shift(list);
      const { words } = lists;
      const own = levelAt(words, at);
      if (this.maxAges === null || !this.isTooOld(slot, own, words[at + EVENT_RECORD_RX_STAMP_U32] as number)) {
        this.start(listener, words, at, slot, own, words[at + EVENT_RECORD_RING_STAMP_U32] as number);
        return true;
      }
      this.discard(words, at);
    }
    if (byLevel) this.setWaiting(slot, level, false);
    return false;
  }

  /** Gives a message back that no handler will see. */
  discard(words: Uint32Array, at: number): void {
    const slot = words[at + EVENT_RECORD_SLOT_U32] as number;
    const releaser = this.releasers.of(slot);
    releaser.release(
      words[at + EVENT_RECORD_PACKET_U32] as number,
      slot,
      words[at + EVENT_RECORD_GENERATION_U32] as number,
      words[at + EVENT_RECORD_LENGTH_U32] as number,
      levelAt(words, at),
    );
  }

  /** The connection is gone: what waits is given back by dropSome(). */
  drop(slot: number): void {
    this.pending.drop(slot);
    if (this.byLevel === null || this.table.waitingLevels(slot) === 0) return;
    for (let level = 0; level < this.arena.levels; level++) this.byLevel.drop(slot * this.arena.levels + level);
  }

  /** Once per turn: thousands may have waited, and others do not wait for all of them. True: there are more. */
  dropSome(): boolean {
    const more = this.dropFrom(this.pending);
    return this.byLevel === null ? more : this.dropFrom(this.byLevel) || more;
  }

  private dropFrom(lists: PendingLists): boolean {
    for (let i = 0; i < DROPS_PER_TURN && lists.hasDropped; i++) {
      const at = lists.shiftDropped();
      this.discard(lists.words, at);
    }
    return lists.hasDropped;
  }
}
