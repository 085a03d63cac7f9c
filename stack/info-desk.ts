// InfoDesk: questions about the state and the options of connections, and their answers.
// In: InfoOp. Out: an info record that names a place in the arena; the info event completes the op with what stands there.
// Invariant: a place has one question at a time, until it is answered or its connection is gone; a question beyond
// INFOS_PER_APP waits here for a place.
import { type Op, PooledOp } from '../coroutine/op.js';
import type { Task } from '../coroutine/task.js';
import type { Arena } from '../mempool/arena.js';
import {
  CONNECTION_INFO_BYTES,
  EVENT_RECORD_COOKIE_U32,
  EVENT_RECORD_OFFSET_U32,
  INFOS_PER_APP,
  SEND_TYPE_INFO,
} from './abi.js';
import { type CloseReason, closeError } from './close-reason.js';
import { type ConnectionInfo, readConnectionInfo } from './connection-info.js';
import type { Senders } from './senders.js';
import { optionValue, type SocketOptionName, type SocketOptions } from './socket-options.js';

/** Takes the answer that begins at byte `at` of the arena. */
type ReadAnswer<T> = (arena: Arena, at: number) => T;

class InfoOp<T> extends PooledOp<T> {
  place = -1;
  readonly slot: number;
  readonly generation: number;
  readonly read: ReadAnswer<T>;
  private readonly desk: InfoDesk;

  constructor(desk: InfoDesk, slot: number, generation: number, read: ReadAnswer<T>) {
    super();
    this.desk = desk;
    this.slot = slot;
    this.generation = generation;
    this.read = read;
    this.task ??= desk.outside;
  }

  protected override start(): void {
    this.desk.ask(this as InfoOp<unknown>);
  }

  protected override abandon(): boolean {
    return this.desk.forget(this as InfoOp<unknown>);
  }
}

const readInfo: ReadAnswer<ConnectionInfo> = (arena, at) => readConnectionInfo(arena.u8, arena.u32, at);

export interface InfoHost {
  readonly outside: Task;
  isOpen(slot: number, generation: number): boolean;
  reasonOf(slot: number, generation: number): CloseReason;
  /** Something was written outside of a turn. */
  kick(): void;
}

export class InfoDesk {
  private readonly arena: Arena;
  private readonly senders: Senders;
  private readonly host: InfoHost;
  private readonly places = Array.from({ length: INFOS_PER_APP }, (_, place) => place);
  /** Asked, by cookie. */
  private readonly open = new Map<number, InfoOp<unknown>>();
  /** Not asked yet. */
  private readonly line: InfoOp<unknown>[] = [];
  private lastCookie = 0;

  constructor(arena: Arena, senders: Senders, host: InfoHost) {
    this.arena = arena;
    this.senders = senders;
    this.host = host;
  }

  get outside(): Task {
    return this.host.outside;
  }

  info(slot: number, generation: number): Op<ConnectionInfo> {
    return new InfoOp(this, slot, generation, readInfo);
  }

  option<K extends SocketOptionName>(slot: number, generation: number, name: K): Op<SocketOptions[K]> {
    const read = (arena: Arena, at: number) => {
      const words = (at + CONNECTION_INFO_BYTES) >>> 2;
      return optionValue(name, (number) => arena.u32[words + number] as number) as SocketOptions[K];
    };
    return new InfoOp(this, slot, generation, read);
  }

  ask(op: InfoOp<unknown>): void {
    if (!this.host.isOpen(op.slot, op.generation))
      throw closeError(this.host.reasonOf(op.slot, op.generation), 'info()');
    const place = this.places.pop();
    if (place === undefined) this.line.push(op);
    else this.send(op, place);
  }

  private send(op: InfoOp<unknown>, place: number): void {
    this.lastCookie = (this.lastCookie + 1) >>> 0;
    op.place = place;
    this.open.set(this.lastCookie, op);
    this.senders.of(op.slot).tell(SEND_TYPE_INFO, op.slot, op.generation, place, this.lastCookie);
    this.host.kick();
  }

  /** An info event. One whose connection has ended finds no question. */
  answered(words: Uint32Array, at: number): void {
    const cookie = words[at + EVENT_RECORD_COOKIE_U32] as number;
    const op = this.open.get(cookie);
    if (op === undefined) return;
    const answer = op.read(this.arena, words[at + EVENT_RECORD_OFFSET_U32] as number);
    this.finish(cookie, op);
    op.complete(answer);
  }

  /** The place is free. */
  private finish(cookie: number, op: InfoOp<unknown>): void {
    this.open.delete(cookie);
    const next = this.line.shift();
    if (next === undefined) this.places.push(op.place);
    else this.send(next, op.place);
  }

  /** The op was cancelled. True: nothing will come for it any more; otherwise its answer still does, and frees its place. */
  forget(op: InfoOp<unknown>): boolean {
    const at = this.line.indexOf(op);
    if (at >= 0) this.line.splice(at, 1);
    return at >= 0;
  }

  closed(slot: number, generation: number, reason: CloseReason): void {
    if (this.open.size === 0) return;
    const concerns = (op: InfoOp<unknown>) => op.slot === slot && op.generation === generation;
    const waiting = this.line.filter(concerns);
    for (const op of waiting) this.line.splice(this.line.indexOf(op), 1);
    for (const [cookie, op] of [...this.open]) {
      if (!concerns(op)) continue;
      waiting.push(op);
      this.finish(cookie, op);
    }
    for (const op of waiting) op.fail(closeError(reason, 'info()'));
  }
}
