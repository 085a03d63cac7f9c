// Connector: active opens that wait for their answer.
// In: ConnectOp. Out: a connect record with a cookie, to each stack in turn or to the thread's own; opened or closed with that cookie ends it. A stack
// chooses local ports whose answers come to itself; where the op names one, another stack may have to open it (`elsewhere`).
// Invariant: a cookie names one waiting op; an answer whose op was cancelled finds none, and the connection is reset by the
// caller.
import { PooledOp } from '../coroutine/op.js';
import type { Task } from '../coroutine/task.js';
import { type CloseReason, closeError } from './close-reason.js';
import { formatEndpoint, type IpAddress } from './config/address.js';
import type { Connection } from './connection.js';
import { QstackError } from './errors.js';
import type { ListenerState } from './listener-state.js';
import type { Sender } from './sender.js';

export interface Target {
  address: IpAddress;
  port: number;
  localPort: number;
  /** Number of the listener whose framing applies. */
  framing: number;
}

export class ConnectOp<L extends string> extends PooledOp<Connection<L>> {
  readonly listener: ListenerState<L>;
  readonly target: Target;
  cookie = 0;
  /** The stack that was asked. */
  stack = 0;
  /** Another one was asked before, and named this one. */
  isMoved = false;
  private readonly connector: Connector<L>;

  constructor(connector: Connector<L>, target: Target, listener: ListenerState<L>) {
    super();
    this.connector = connector;
    this.target = target;
    this.listener = listener;
    this.task ??= connector.outside;
  }

  protected override start(): void {
    this.connector.begin(this);
  }

  protected override abandon(): boolean {
    this.connector.forget(this);
    return true;
  }

  /** It is open, and nobody will have it. */
  protected override discard(connection: Connection<L>): void {
    connection.abort();
  }
}

export class Connector<L extends string> {
  /** Whose ops they are when no handler runs. */
  readonly outside: Task;
  /** By stack. */
  private readonly senders: readonly Sender[];
  private readonly kick: () => void;
  private readonly waiting = new Map<number, ConnectOp<L>>();
  private lastCookie = 0;
  private nextStack: number;
  private readonly staysAtHome: boolean;

  /** `home`: the stack of this thread, which opens all; undefined: each in turn. */
  constructor(senders: readonly Sender[], outside: Task, kick: () => void, home?: number) {
    this.nextStack = home ?? 0;
    this.staysAtHome = home !== undefined;
    this.senders = senders;
    this.outside = outside;
    this.kick = kick;
  }

  begin(op: ConnectOp<L>): void {
    this.lastCookie = (this.lastCookie + 1) & 0x3fffffff || 1;
    op.cookie = this.lastCookie;
    op.isMoved = false;
    const stack = this.nextStack;
    if (!this.staysAtHome) this.nextStack = (stack + 1) % this.senders.length;
    if (!this.ask(op, stack)) throw tooMany(op.target);
    this.waiting.set(op.cookie, op);
    this.kick();
  }

  /** False: the ring is full. */
  private ask(op: ConnectOp<L>, stack: number): boolean {
    const { address, port, localPort, framing } = op.target;
    const ports = (port | (localPort << 16)) >>> 0;
    op.stack = stack;
    return (this.senders[stack] as Sender).connect(address, ports, framing, op.cookie);
  }

  /** Answers to the local port that this op names come to another stack, which is asked in its turn; it cannot name a third. */
  elsewhere(cookie: number, stack: number): void {
    const op = this.waiting.get(cookie);
    if (op === undefined) return;
    if (op.isMoved || stack === op.stack || stack >= this.senders.length) {
      this.failed(cookie, 'unreachable');
    } else if (this.ask(op, stack)) op.isMoved = true;
    else this.take(cookie)?.fail(tooMany(op.target));
  }

  forget(op: ConnectOp<L>): void {
    this.waiting.delete(op.cookie);
  }

  /** The op that this answer is for; it waits no more. */
  take(cookie: number): ConnectOp<L> | undefined {
    const op = this.waiting.get(cookie);
    this.waiting.delete(cookie);
    return op;
  }

  failed(cookie: number, reason: CloseReason): void {
    const op = this.take(cookie);
    op?.fail(closeError(reason, `connect to ${formatEndpoint(op.target.address, op.target.port)}`));
  }
}

function tooMany({ address, port }: Target): QstackError {
  return new QstackError('ENOBUFS', `connect to ${formatEndpoint(address, port)}: too many at once`);
}
