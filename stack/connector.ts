// Connector: active opens that wait for their answer.
// In: ConnectOp. Out: a connect record with a cookie; opened or closed with that cookie ends it. Invariant: a cookie names one
// waiting op; an answer whose op was cancelled finds none, and the connection is reset by the caller.
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
  private readonly sender: Sender;
  private readonly kick: () => void;
  private readonly waiting = new Map<number, ConnectOp<L>>();
  private lastCookie = 0;

  constructor(sender: Sender, outside: Task, kick: () => void) {
    this.sender = sender;
    this.outside = outside;
    this.kick = kick;
  }

  begin(op: ConnectOp<L>): void {
    const { address, port, localPort, framing } = op.target;
    this.lastCookie = (this.lastCookie + 1) & 0x3fffffff || 1;
    op.cookie = this.lastCookie;
    const ports = (port | (localPort << 16)) >>> 0;
    if (!this.sender.connect(address, ports, framing, op.cookie)) {
      throw new QstackError('ENOBUFS', `connect to ${formatEndpoint(address, port)}: too many at once`);
    }
    this.waiting.set(op.cookie, op);
    this.kick();
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
