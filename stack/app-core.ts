// AppCore: one app thread's half of a stack, put together: events in, handlers in between, sends and releases out.
// In: turn() by the native poller, once per non-empty turn of libuv. Out: records, published at the end of each turn.
// Invariant: one thread; a connection's events are judged by slot and generation, and a stale one only gives its packet back.
// Read poller.ts (events), dispatcher.ts (handlers) and sender.ts (replies) first; app.ts is what a user sees of it. Where a
// connection's slot names its stack (senders.ts, releasers.ts), nothing else here knows that there may be several.
import type { Op } from '../coroutine/op.js';
import type { PolicyOptions } from '../coroutine/policy.js';
import type { RunWatchOptions } from '../coroutine/run-watch.js';
import { Scheduler } from '../coroutine/scheduler.js';
import type { AnyHandler, Task } from '../coroutine/task.js';
import type { Arena } from '../mempool/arena.js';
import type { Prepare } from '../mempool/touch.js';
import type { Payload } from '../mempool/view.js';
import {
  APP_LINE_DEADLINE_SET_U32,
  APP_LINE_DEADLINE_U32,
  APP_LINE_QUIET_LEVELS_U32,
  APP_LINE_STAMP_U32,
  APP_LINE_WANT_BUFFERS_U32,
  CLOSE_CODE_ELSEWHERE,
  EVENT_RECORD_COOKIE_U32,
  EVENT_RECORD_GENERATION_U32,
  EVENT_RECORD_LENGTH_U32,
  EVENT_RECORD_LOCAL_ADDRESS_U32,
  EVENT_RECORD_LOCAL_PORT_U16,
  EVENT_RECORD_REASON_U32,
  EVENT_RECORD_REMOTE_ADDRESS_U32,
  EVENT_RECORD_SLOT_U32,
  EVENT_RECORD_TOKEN_LOW_U32,
  NO_INDEX,
  NO_LISTENER,
  SEND_TYPE_ABORT,
  SEND_TYPE_CLOSE,
  SEND_TYPE_DRAIN,
  SEND_TYPE_OPTION,
  SEND_TYPE_SHUTDOWN,
  SOCKET_OPTION_SEND_BUFFER,
  STACK_LINE_BEHIND_U32,
} from './abi.js';
import { type CloseReason, closeCode, closeError, closeReason, endOf } from './close-reason.js';
import { formatIpv4 } from './config/address.js';
import { formatIpv6 } from './config/ipv6.js';
import { Connection, type ConnectionHost, type DrainOp } from './connection.js';
import {
  ACTIVE,
  CLOSING,
  type ConnectionId,
  ConnectionTable,
  connectionId,
  ENDED,
  OPEN,
  READ,
  SHUT,
  STREAM,
} from './connection-table.js';
import { type ConnectOp, Connector } from './connector.js';
import { diagnostics } from './diagnostics.js';
import { Dispatcher, type DispatcherHost } from './dispatcher.js';
import { QstackError } from './errors.js';
import type { EventRings, EventSink } from './event-rings.js';
import { InfoDesk } from './info-desk.js';
import { type ListenerState, ORDER_LEVEL } from './listener-state.js';
import { type Address, Message } from './message.js';
import type { ResolvedPolicy } from './policy.js';
import { Poller } from './poller.js';
import { Reader, type ReaderHost, ReceiveOp } from './reader.js';
import { Releasers } from './releasers.js';
import { type Sender, WINDOW } from './sender.js';
import { Senders } from './senders.js';
import type { OptionWords } from './socket-options.js';
import { AppSojourn } from './sojourn.js';
import { Watchers } from './watchers.js';

/** Something that is polled once per turn beside the rings: the Redis client. */
export interface TurnSource {
  /** Completions come in: before events are taken. */
  beginTurn(): void;
  /** Commands go out: after handlers have run. */
  endTurn(): void;
  /** So much waits already that more of it would only wait as well. */
  readonly isCrowded: boolean;
  /** By another policy from this turn on; what waits stays. */
  schedule(policy: PolicyOptions): void;
}

export interface AppCoreOptions<L extends string> {
  arena: Arena;
  /** Number of the app thread. */
  app: number;
  /** Highest first. */
  levels: readonly L[];
  /** Level of what has no other. */
  otherwise: L;
  policy: ResolvedPolicy;
  /** Bytes of one connection that may be on their way (`sndbuf`). */
  sendBufferBytes?: number;
  /** Messages by level that may stay in their packets while they wait; the bytes of more move to slabs. Absent: all. */
  watermarks?: readonly number[];
  /** The stack whose turns this thread takes, among several. */
  home?: number | undefined;
  /** Is told of what is kept by connection, before it is touched. */
  prepare?: Prepare | undefined;
  /** The time in stamps. */
  clock?: (() => number) | undefined;
  /** The poller is to come back soon. */
  kick: () => void;
  /** Reports handlers that run too long. */
  watch?: RunWatchOptions | undefined;
  /** A handler threw. True: it was dealt with; otherwise the connection is aborted. */
  onError: (error: unknown, message: Message<L> | null) => boolean;
}

export interface AppCounts {
  connections: number;
  messages: number;
  sent: number;
  sendsRefused: number;
  sendOverflows: number;
  /** Messages given up by level, because they were older than `max_age`. */
  shed: number[];
  /** Messages by level whose bytes moved to slabs, because too many waited. */
  moved: number[];
  /** Messages that hold packets, and that hold slabs. */
  inPackets: number;
  inSlabs: number;
  /** AppSojourn's cells. */
  sojourn: Float64Array;
  handlersFailed: number;
  stale: number;
  waiting: number;
}

/** Connections that a shutdown looks at in one turn. */
const CLOSES_PER_TURN = 4096;
/** Closed connections whose last messages wait for their reader; those of more are given back. */
const RETIRED_MAX = 64;

/** Words of messages that wait for a reader. */
const NOTHING = new Uint32Array(0);

export class AppCore<L extends string = string>
  implements EventSink, DispatcherHost<L>, ConnectionHost<L>, ReaderHost<L>
{
  readonly arena: Arena;
  readonly app: number;
  readonly levelNames: readonly L[];
  readonly otherwise: number;
  readonly scheduler: Scheduler;
  readonly table: ConnectionTable;
  readonly listeners: ListenerState<L>[] = [];
  readonly connector: Connector<L>;
  readonly sources: TurnSource[] = [];
  readonly desk: InfoDesk;
  readonly sojourn: AppSojourn;
  private readonly line: number;
  /** While TX packets are short only the highest level of several is taken on, and by other policies nothing. */
  private levelsWhileStalled: number;
  /** Takes over when the next turn begins. */
  private nextPolicy: ResolvedPolicy | null = null;
  private readonly poller: Poller;
  private readonly senders: Senders;
  private readonly releasers: Releasers;
  private readonly dispatcher: Dispatcher<L>;
  private readonly watchers = new Watchers();
  /** Listeners of active opens, by slot. */
  private readonly clients = new Map<number, ListenerState<L>>();
  private readonly readers = new Map<number, Reader<L>>();
  /** Connections that both sides have ended in order, while their last messages are handled: those come before `closed`. */
  private readonly leaving = new Map<number, CloseReason>();
  /** Readers of closed connections that still have something. */
  private readonly retired = new Map<ConnectionId, Reader<L>>();
  private readonly onError: AppCoreOptions<L>['onError'];
  private handlersFailed = 0;
  private stale = 0;
  private messages = 0;
  /** The next slot that a shutdown looks at; -1: no shutdown. */
  private closingAt = -1;
  private inTurn = false;

  constructor(options: AppCoreOptions<L>) {
    const { arena, app, levels } = options;
    this.arena = arena;
    this.app = app;
    this.levelNames = levels;
    this.otherwise = levels.indexOf(options.otherwise);
    this.onError = options.onError;
    this.line = arena.appLine(app);
    this.scheduler = new Scheduler({
      levels: levels.length,
      policy: options.policy.options,
      clock: options.clock,
      kick: options.kick,
      watch: options.watch,
      onLost: (error, message) => this.report(error, message as Message<L> | null),
    });
    this.table = new ConnectionTable(arena.connections, options.prepare);
    this.senders = new Senders(arena, app, this.table, {
      policy: options.policy.options,
      windowBytes: options.sendBufferBytes ?? WINDOW,
    });
    this.senders.onOverflow = (slot, generation) => this.abort(slot, generation);
    const unlimited = levels.map(() => Number.POSITIVE_INFINITY);
    this.releasers = new Releasers(arena, app, options.watermarks ?? unlimited);
    this.sojourn = new AppSojourn(levels.length);
    this.dispatcher = new Dispatcher(
      arena,
      this.table,
      this.scheduler,
      this.releasers,
      this,
      this.sojourn,
      options.policy.maxAgesMs,
    );
    this.connector = new Connector(this.senders.all, this.outside, () => this.kick(), options.home);
    this.desk = new InfoDesk(arena, this.senders, this);
    this.poller = new Poller(arena, app, this.scheduler, this, options.policy.options);
    this.levelsWhileStalled = this.levelsPassing(options.policy.options);
  }

  private levelsPassing({ kind }: PolicyOptions): number {
    return this.levelNames.length > 1 && kind === 'strict' ? 1 : 0;
  }

  /** Every place of this thread where levels wait goes by another policy from the next turn on; what waits is kept. */
  schedule(policy: ResolvedPolicy): void {
    this.nextPolicy = policy;
    this.scheduler.kick();
  }

  private takeOver({ options, maxAgesMs }: ResolvedPolicy): void {
    this.nextPolicy = null;
    this.levelsWhileStalled = this.levelsPassing(options);
    this.scheduler.schedule(options);
    this.poller.schedule(options);
    this.senders.schedule(options);
    this.dispatcher.limitAges(maxAgesMs);
    for (const source of this.sources) source.schedule(options);
  }

  /** One turn; true when there is more to do at once. */
  turn(): boolean {
    this.inTurn = true;
    if (this.nextPolicy !== null && !this.scheduler.isPaused) this.takeOver(this.nextPolicy);
    this.scheduler.advance(this.arena.u32[this.line + APP_LINE_STAMP_U32] as number);
    this.senders.begin();
    for (const source of this.sources) source.beginTurn();
    this.narrowLevels();
    const more = this.poller.turn();
    if (this.closingAt >= 0) this.closeSome();
    const dropping = this.dispatcher.dropSome();
    this.inTurn = false;
    return this.endTurn() || more || dropping;
  }

  /** By stack: a connection's sends wait for packets of its own. */
  private narrowLevels(): void {
    const { rings } = this.poller;
    const crowded = this.isCrowded();
    for (let stack = 0; stack < rings.length; stack++) {
      const narrow = crowded || (this.senders.all[stack] as Sender).isStalled || this.mayBeOvertaken(stack);
      (rings[stack] as EventRings).levelsTaken = narrow ? this.levelsWhileStalled : 0xff;
    }
  }

  /** Frames wait at the driver that nobody has judged yet; where levels are strict, what is high among them goes first. */
  private mayBeOvertaken(stack: number): boolean {
    return this.levelsWhileStalled !== 0 && this.arena.u32[this.arena.stackLine(stack) + STACK_LINE_BEHIND_U32] !== 0;
  }

  private isCrowded(): boolean {
    for (const source of this.sources) if (source.isCrowded) return true;
    return false;
  }

  /** Shows what was written since the turn began; also called after code that ran outside of a turn. */
  endTurn(): boolean {
    this.senders.flush();
    for (const source of this.sources) source.endTurn();
    this.senders.publish();
    this.releasers.publish();
    this.writeLine();
    return this.releasers.isLate || (this.closingAt >= 0 && this.closingAt < this.table.size);
  }

  private writeLine(): void {
    const { u32 } = this.arena;
    const { stalled, all } = this.senders;
    u32[this.line + APP_LINE_WANT_BUFFERS_U32] = stalled > 0 ? 1 : 0;
    // Of one stack among several they may be taken, and the poller has to come for them.
    u32[this.line + APP_LINE_QUIET_LEVELS_U32] = stalled === all.length ? ~this.levelsWhileStalled & 0xff : 0;
    const deadline = this.scheduler.timers.nextDeadline();
    if (deadline >= 0) u32[this.line + APP_LINE_DEADLINE_U32] = deadline;
    u32[this.line + APP_LINE_DEADLINE_SET_U32] = deadline >= 0 ? 1 : 0;
  }

  counts(): AppCounts {
    return {
      connections: this.table.openCount,
      messages: this.messages,
      sent: this.senders.messages,
      sendsRefused: this.senders.refused,
      sendOverflows: this.senders.overflowed,
      shed: [...this.dispatcher.shedByLevel],
      moved: this.releasers.movedByLevel,
      inPackets: this.releasers.inPackets,
      inSlabs: this.releasers.inSlabs,
      sojourn: this.sojourn.cells,
      handlersFailed: this.handlersFailed,
      stale: this.stale,
      waiting: this.dispatcher.waiting,
    };
  }

  addListener(number: number, listener: ListenerState<L>): void {
    this.listeners[number] = listener;
    this.prepare(listener);
  }

  /** Memory that the order of this listener needs, and a number for its handler's name. */
  prepare(listener: ListenerState<L>): void {
    listener.label = this.scheduler.labels.of(listener.handlerName);
    if (listener.order === ORDER_LEVEL) this.dispatcher.prepareLevels();
  }

  // ---- events

  foresee(slot: number): number {
    return this.table.foresee(slot);
  }

  isKnown(slot: number, generation: number): boolean {
    return this.table.isOpen(slot, generation);
  }

  opened(words: Uint32Array, at: number): void {
    const slot = words[at + EVENT_RECORD_SLOT_U32] as number;
    const generation = words[at + EVENT_RECORD_GENERATION_U32] as number;
    if (!this.table.isOpen(slot, generation)) this.open(words, at);
  }

  private open(words: Uint32Array, at: number): void {
    const { table } = this;
    const slot = words[at + EVENT_RECORD_SLOT_U32] as number;
    const generation = words[at + EVENT_RECORD_GENERATION_U32] as number;
    if (table.has(slot, OPEN)) this.replace(slot, table.generation(slot));
    const number = (words[at] as number) >>> 16;
    const connecting =
      number === NO_LISTENER ? this.connector.take(words[at + EVENT_RECORD_TOKEN_LOW_U32] as number) : null;
    const listener = connecting?.listener ?? this.listeners[number];
    const stream = listener?.framing.kind === 'stream' ? STREAM : 0;
    const read = listener?.handler === null ? READ : 0;
    table.open(slot, generation, stream | read | (number === NO_LISTENER ? ACTIVE : 0), number);
    table.setEnds(
      slot,
      words[at + EVENT_RECORD_REMOTE_ADDRESS_U32] as number,
      words[at + EVENT_RECORD_LOCAL_ADDRESS_U32] as number,
      words[at + (EVENT_RECORD_LOCAL_PORT_U16 >>> 1)] as number,
    );
    if (listener?.sendBuffer !== undefined) this.senders.of(slot).setWindow(slot, generation, listener.sendBuffer);
    if (diagnostics.opened.hasSubscribers) diagnostics.opened.publish(this.factsOf(slot, generation));
    if (connecting !== null) this.connected(slot, generation, connecting);
    else if (listener === undefined) this.abort(slot, generation);
    else if (listener.onConnect !== null)
      this.call(listener.onConnect, new Connection<L>(this, slot, generation), 'onConnect');
  }

  /** For whoever subscribes. */
  private factsOf(slot: number, generation: number) {
    const remote = this.addressOf(slot, generation, true);
    return { slot, generation, remote, local: this.addressOf(slot, generation, false) };
  }

  private publishMessage(slot: number, generation: number, word: number, length: number): void {
    const level = this.levelNames[(word >>> 8) & 0xff] as L;
    diagnostics.message.publish({ slot, generation, level, length });
  }

  /** The slot has a new owner: the end of the old connection comes first. */
  private replace(slot: number, old: number): void {
    this.poller.takeClosed(slot, old);
    // Its last messages are given up: one slot cannot keep two connections apart.
    if (!this.leave(slot, old) && this.table.isOpen(slot, old)) this.forget(slot, old, 'aborted');
  }

  private connected(slot: number, generation: number, connecting: ConnectOp<L> | undefined): void {
    if (connecting === undefined) {
      this.abort(slot, generation);
      return;
    }
    this.clients.set(slot, connecting.listener);
    connecting.complete(new Connection<L>(this, slot, generation));
  }

  /** Runs user code that belongs to no message. */
  call(handler: AnyHandler, argument: unknown, name: string): void {
    const owner = {
      taskDone: (_task: unknown, failed: boolean, error: unknown) => {
        if (failed) this.report(error, null);
      },
    };
    const task = this.scheduler.task(0, owner);
    task.label = this.scheduler.labels.of(name);
    task.begin(handler, argument);
  }

  message(words: Uint32Array, at: number): void {
    const slot = words[at + EVENT_RECORD_SLOT_U32] as number;
    const generation = words[at + EVENT_RECORD_GENERATION_U32] as number;
    const { table } = this;
    if (!table.isOpen(slot, generation)) this.openByMessage(words, at, slot, generation);
    this.messages++;
    if (diagnostics.message.hasSubscribers) {
      this.publishMessage(slot, generation, words[at] as number, words[at + EVENT_RECORD_LENGTH_U32] as number);
    }
    this.releasers.of(slot).take(words, at, table.has(slot, STREAM));
    const listener = this.listenerOf(slot);
    if (!table.isOpen(slot, generation) || table.has(slot, CLOSING) || listener === undefined) {
      this.stale++;
      this.dispatcher.discard(words, at);
    } else if (table.has(slot, READ)) {
      this.dispatcher.keep(words, at);
      this.readers.get(slot)?.arrive();
    } else this.dispatcher.message(listener, words, at);
  }

  /** A starved level went first: the record carries what an `opened` says. An older generation is stale. */
  private openByMessage(words: Uint32Array, at: number, slot: number, generation: number): void {
    const newer = ((generation - this.table.generation(slot)) | 0) > 0;
    if (newer && (words[at] as number) >>> 16 !== NO_LISTENER) this.open(words, at);
  }

  ended(words: Uint32Array, at: number): void {
    const slot = words[at + EVENT_RECORD_SLOT_U32] as number;
    const generation = words[at + EVENT_RECORD_GENERATION_U32] as number;
    const { table } = this;
    if (!table.isOpen(slot, generation) || table.has(slot, ENDED)) return;
    table.set(slot, ENDED);
    this.readers.get(slot)?.end();
    if (table.inFlight(slot) === 0) this.connectionIdle(slot);
  }

  closed(words: Uint32Array, at: number): void {
    const slot = words[at + EVENT_RECORD_SLOT_U32] as number;
    const generation = words[at + EVENT_RECORD_GENERATION_U32] as number;
    const code = words[at + EVENT_RECORD_REASON_U32] as number;
    const reason = closeReason(code);
    if (slot === NO_INDEX || !this.table.isOpen(slot, generation)) {
      const cookie = words[at + EVENT_RECORD_TOKEN_LOW_U32] as number;
      if (code !== CLOSE_CODE_ELSEWHERE) this.connector.failed(cookie, reason);
      else this.connector.elsewhere(cookie, words[at + EVENT_RECORD_LENGTH_U32] as number);
      return;
    }
    if (reason === 'finished' && this.table.inFlight(slot) !== 0) this.leaveLater(slot, generation, reason);
    else this.leaveNow(slot, generation, reason);
  }

  /** Who waits for anything but its last messages learns now that it is gone. */
  private leaveLater(slot: number, generation: number, reason: CloseReason): void {
    this.leaving.set(slot, reason);
    this.table.set(slot, CLOSING);
    this.watchers.interrupt(slot, generation, reason);
    this.desk.closed(slot, generation, reason);
  }

  private leaveNow(slot: number, generation: number, reason: CloseReason): void {
    const listener = this.listenerOf(slot);
    const connection = new Connection<L>(this, slot, generation);
    this.forget(slot, generation, reason);
    const onClose = listener?.onClose;
    if (onClose) this.call(() => onClose(connection, reason), undefined, 'onClose');
  }

  /** False: it is not one that leaves. What still waits for a handler is given back. */
  private leave(slot: number, generation: number): boolean {
    if (this.leaving.size === 0 || !this.table.isOpen(slot, generation)) return false;
    const reason = this.leaving.get(slot);
    if (reason === undefined) return false;
    this.leaving.delete(slot);
    this.leaveNow(slot, generation, reason);
    return this.kick();
  }

  private forget(slot: number, generation: number, reason: CloseReason): void {
    if (diagnostics.closed.hasSubscribers) diagnostics.closed.publish({ ...this.factsOf(slot, generation), reason });
    const readable = reason === 'finished' && !this.table.has(slot, CLOSING);
    if (readable && !this.dispatcher.pending.isEmpty(slot) && this.table.has(slot, READ))
      this.readerOf(slot, generation);
    const reader = this.readers.get(slot);
    if (this.table.has(slot, CLOSING)) reader?.drop();
    const unread = readable && reader !== undefined ? this.dispatcher.pending.takeAll(slot) : NOTHING;
    this.readers.delete(slot);
    this.clients.delete(slot);
    this.dispatcher.drop(slot);
    this.senders.of(slot).close(slot);
    this.table.close(slot, closeCode(reason));
    this.watchers.closed(slot, generation, reason);
    this.desk.closed(slot, generation, reason);
    if (reader !== undefined) this.retire(reader, reason, unread);
  }

  /** The connection is gone, but what it brought may still be read. */
  private retire(reader: Reader<L>, reason: CloseReason, unread: Uint32Array<ArrayBuffer>): void {
    reader.close(endOf(reason), unread);
    if (!reader.isBusy) return;
    this.retired.set(connectionId(reader.slot, reader.generation), reader);
    if (this.retired.size <= RETIRED_MAX) return;
    const [oldest] = this.retired.values();
    (oldest as Reader<L>).drop();
    this.readerDone(oldest as Reader<L>);
  }

  readerDone(reader: Reader<L>): void {
    this.retired.delete(connectionId(reader.slot, reader.generation));
  }

  drained(words: Uint32Array, at: number): void {
    const slot = words[at + EVENT_RECORD_SLOT_U32] as number;
    const cookie = words[at + EVENT_RECORD_COOKIE_U32] as number;
    if (!this.table.isOpen(slot, words[at + EVENT_RECORD_GENERATION_U32] as number)) return;
    if (!this.senders.of(slot).drained(slot, cookie)) this.watchers.drained(cookie);
  }

  urgent(words: Uint32Array, at: number): void {
    const slot = words[at + EVENT_RECORD_SLOT_U32] as number;
    const generation = words[at + EVENT_RECORD_GENERATION_U32] as number;
    if (!this.table.isOpen(slot, generation) || this.table.has(slot, CLOSING)) return;
    const onUrgent = this.listenerOf(slot)?.onUrgent;
    if (onUrgent) this.call(() => onUrgent(new Connection<L>(this, slot, generation)), undefined, 'onUrgent');
  }

  info(words: Uint32Array, at: number): void {
    this.desk.answered(words, at);
  }

  // ---- what the dispatcher asks

  listenerOf(slot: number): ListenerState<L> | undefined {
    const number = this.table.listener(slot);
    return number === NO_LISTENER ? this.clients.get(slot) : this.listeners[number];
  }

  /** All that came is handled: answers the peer's end with ours, unless the app keeps it half open. */
  connectionIdle(slot: number): void {
    const { table } = this;
    if (this.leave(slot, table.generation(slot))) return;
    const ended = table.has(slot, ENDED) && !this.listenerOf(slot)?.halfOpen && !table.has(slot, READ);
    if (ended || this.closingAt >= 0) this.close(slot, table.generation(slot));
  }

  handlerFailed(error: unknown, message: Message<L>): void {
    this.report(error, message);
  }

  private report(error: unknown, message: Message<L> | null): void {
    this.handlersFailed++;
    if (this.onError(error, message) || message === null) return;
    this.abort(message.slot, message.generation);
  }

  levelOf(name: L): number {
    const level = this.levelNames.indexOf(name);
    if (level >= 0) return level;
    throw new QstackError('QST_ERR_INVALID_ARGUMENT', `level "${name}" is none of ${this.levelNames.join(', ')}`);
  }

  transmit(slot: number, generation: number, level: number, payload: Payload, rxStamp: number): boolean {
    const { table } = this;
    const kept = this.kick();
    const sender = this.senders.of(slot);
    if (!table.isOpen(slot, generation) || !table.has(slot, STREAM)) {
      return sender.send(slot, generation, level, payload, rxStamp) && kept;
    }
    if (table.sendLevel(slot) === 0) table.setSendLevel(slot, level + 1);
    return sender.send(slot, generation, table.sendLevel(slot) - 1, payload, rxStamp) && kept;
  }

  /** Code outside of a turn wrote something: the poller has to come and publish it. */
  kick(): true {
    if (!this.inTurn) this.scheduler.kick();
    return true;
  }

  connectionOf(slot: number, generation: number): Connection<L> {
    return new Connection<L>(this, slot, generation);
  }

  signalOf(message: Message<L>): AbortSignal {
    const { slot, generation } = message;
    if (this.isOpen(slot, generation)) return this.watchers.signal(slot, generation);
    return AbortSignal.abort(closeError(this.reasonOf(slot, generation), 'signal'));
  }

  // ---- what a connection asks

  get outside(): Task {
    return this.scheduler.outside;
  }

  isOpen(slot: number, generation: number): boolean {
    return this.table.isOpen(slot, generation) && !this.table.has(slot, CLOSING);
  }

  addressOf(slot: number, generation: number, remote: boolean): Address {
    const { table } = this;
    if (table.generation(slot) !== generation) return { address: '0.0.0.0', port: 0 };
    const [address, port] = remote
      ? [table.remoteAddress(slot), table.remotePort(slot)]
      : [table.localAddress(slot), table.localPort(slot)];
    return { address: this.addressText(slot, generation, remote, address as number), port: port as number };
  }

  /** `::` when the connection has ended and its slot is in use again. */
  addressText(slot: number, generation: number, remote: boolean, ipv4: number): string {
    if (ipv4 !== 0) return formatIpv4(ipv4);
    const bytes = this.arena.addressOf(slot, generation, remote);
    return bytes === undefined ? '::' : formatIpv6(bytes);
  }

  endSending(slot: number, generation: number): void {
    if (!this.table.canSend(slot, generation)) return;
    this.table.set(slot, SHUT);
    this.senders.of(slot).command(SEND_TYPE_SHUTDOWN, slot, generation);
    this.kick();
  }

  close(slot: number, generation: number): void {
    if (this.leave(slot, generation) || !this.isOpen(slot, generation)) return;
    this.table.set(slot, CLOSING);
    this.senders.of(slot).command(SEND_TYPE_CLOSE, slot, generation);
    this.kick();
  }

  abort(slot: number, generation: number): void {
    if (this.leave(slot, generation) || !this.table.isOpen(slot, generation)) return;
    const sender = this.senders.of(slot);
    sender.drop(slot);
    this.table.set(slot, CLOSING);
    sender.command(SEND_TYPE_ABORT, slot, generation);
    this.kick();
  }

  setOption(slot: number, generation: number, words: OptionWords): boolean {
    if (!this.isOpen(slot, generation)) return false;
    const sender = this.senders.of(slot);
    for (let i = 0; i < words.length; i += 2) {
      const [number, value] = [words[i] as number, words[i + 1] as number];
      if (number === SOCKET_OPTION_SEND_BUFFER) sender.setWindow(slot, generation, value);
      sender.tell(SEND_TYPE_OPTION, slot, generation, number, value);
    }
    return this.kick();
  }

  requestDrain(op: DrainOp, slot: number, generation: number, lowWater: number): void {
    if (!this.isOpen(slot, generation)) throw closeError(this.reasonOf(slot, generation), 'drain()');
    this.senders.of(slot).command(SEND_TYPE_DRAIN, slot, generation, lowWater, this.watchers.watchDrain(op));
    this.kick();
  }

  cancelDrain(op: DrainOp): void {
    this.watchers.forgetDrain(op);
  }

  closing(slot: number, generation: number): Promise<CloseReason> {
    if (this.table.isOpen(slot, generation)) return this.watchers.closing(slot, generation);
    return Promise.resolve(this.reasonOf(slot, generation));
  }

  /** Of a connection that is closed, or that we have closed. It is known until the slot serves another connection. */
  reasonOf(slot: number, generation: number): CloseReason {
    return closeReason(this.table.closeCode(slot, generation) ?? 0);
  }

  receive(slot: number, generation: number): Op<Message<L> | null> {
    const retired = this.retired.get(connectionId(slot, generation));
    return new ReceiveOp<L>(retired ?? this.readerOf(slot, generation), this.outside);
  }

  private readerOf(slot: number, generation: number): Reader<L> {
    const known = this.readers.get(slot);
    if (known?.generation === generation) return known;
    const reader = new Reader<L>(this, new Message<L>(this.arena, this), slot, generation);
    if (this.table.isOpen(slot, generation)) this.addReader(reader, slot);
    else reader.close(endOf(this.reasonOf(slot, generation)), NOTHING);
    return reader;
  }

  private addReader(reader: Reader<L>, slot: number): void {
    if (!this.table.has(slot, READ)) {
      throw new QstackError('QST_ERR_INVALID_ARGUMENT', 'this connection has a handler: its messages go there');
    }
    this.readers.set(slot, reader);
    if (this.table.has(slot, ENDED)) reader.end();
  }

  takePending(slot: number, message: Message<L>): boolean {
    const { pending } = this.dispatcher;
    if (pending.isEmpty(slot)) return false;
    const at = pending.shift(slot);
    message.fill(pending.words, at, this.scheduler.stamp);
    return true;
  }

  giveBack(message: Message<L>): void {
    const { packet, slot, generation, releaseLength, levelIndex } = message;
    this.releasers.of(slot).release(packet, slot, generation, releaseLength, levelIndex);
    message.expire();
    this.kick();
  }

  // ---- the end

  /** Closes every connection as soon as nothing of it is being handled. */
  beginShutdown(): void {
    this.closingAt = 0;
    this.scheduler.kick();
  }

  /** A shutdown has begun and every connection is gone. */
  get isShutDown(): boolean {
    return this.closingAt >= 0 && this.table.openCount === 0 && this.dispatcher.waiting === 0;
  }

  private closeSome(): void {
    const { table } = this;
    const end = Math.min(table.size, this.closingAt + CLOSES_PER_TURN);
    for (let slot = this.closingAt; slot < end; slot++) {
      if (table.has(slot, OPEN) && table.inFlight(slot) === 0) this.connectionIdle(slot);
    }
    this.closingAt = end;
  }
}
