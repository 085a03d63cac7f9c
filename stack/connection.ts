// Connection: the object that stands for a connection where somebody asked for one.
// In: a slot and a generation. Out: send, drain, end, close, abort, and an async iterator over what arrives. Invariant: it
// holds no state of its own: any number of these objects may name the same connection, and all of them notice when it is gone.
import { type Op, PooledOp } from '../coroutine/op.js';
import { type WaitOptions, withSignal } from '../coroutine/signal.js';
import type { Task } from '../coroutine/task.js';
import type { Payload } from '../mempool/view.js';
import type { CloseReason } from './close-reason.js';
import type { ConnectionInfo } from './connection-info.js';
import { type ConnectionId, connectionId } from './connection-table.js';
import type { InfoDesk } from './info-desk.js';
import type { Address, Message, SendOptions } from './message.js';
import {
  checkOptionName,
  type OptionWords,
  optionWords,
  type SocketOptionName,
  type SocketOptions,
} from './socket-options.js';

export interface DrainOptions extends WaitOptions {
  /** Bytes that may still be unacknowledged; default 64 KiB. */
  lowWater?: number;
}

/** What a connection asks of its app. */
export interface ConnectionHost<L extends string> {
  levelOf(name: L): number;
  transmit(slot: number, generation: number, level: number, payload: Payload, rxStamp: number): boolean;
  /** Whose ops they are when no handler runs. */
  readonly outside: Task;
  /** Level of what is sent without any other. */
  readonly otherwise: number;
  isOpen(slot: number, generation: number): boolean;
  addressOf(slot: number, generation: number, remote: boolean): Address;
  endSending(slot: number, generation: number): void;
  close(slot: number, generation: number): void;
  abort(slot: number, generation: number): void;
  requestDrain(op: DrainOp, slot: number, generation: number, lowWater: number): void;
  cancelDrain(op: DrainOp): void;
  /** Asks the stack about a connection. */
  readonly desk: InfoDesk;
  setOption(slot: number, generation: number, words: OptionWords): boolean;
  receive(slot: number, generation: number): Op<Message<L> | null>;
  closing(slot: number, generation: number): Promise<CloseReason>;
}

const LOW_WATER = 64 * 1024;

export class DrainOp extends PooledOp<void> {
  cookie = 0;
  readonly slot: number;
  readonly generation: number;
  private readonly host: ConnectionHost<never>;
  private readonly lowWater: number;

  constructor(host: ConnectionHost<never>, slot: number, generation: number, lowWater: number) {
    super();
    this.host = host;
    this.slot = slot;
    this.generation = generation;
    this.lowWater = lowWater;
    this.task ??= host.outside;
  }

  protected override start(): void {
    this.host.requestDrain(this, this.slot, this.generation, this.lowWater);
  }

  protected override abandon(): boolean {
    this.host.cancelDrain(this);
    return true;
  }
}

export class Connection<L extends string = string> implements AsyncDisposable, AsyncIterable<Message<L>> {
  readonly slot: number;
  readonly generation: number;
  private readonly host: ConnectionHost<L>;

  constructor(host: ConnectionHost<L>, slot: number, generation: number) {
    this.host = host;
    this.slot = slot;
    this.generation = generation;
  }

  /** A number that names this connection; app.connection(id) finds it again. */
  get id(): ConnectionId {
    return connectionId(this.slot, this.generation);
  }

  get isOpen(): boolean {
    return this.host.isOpen(this.slot, this.generation);
  }

  /** Address of the peer; 0.0.0.0:0 once the connection is gone. */
  get remote(): Address {
    return this.host.addressOf(this.slot, this.generation, true);
  }

  get local(): Address {
    return this.host.addressOf(this.slot, this.generation, false);
  }

  /** False when the connection is gone. The bytes are taken at once; drain() says when there is room for more. */
  send(payload: Payload, options?: SendOptions<L>): boolean {
    const level = options?.level === undefined ? this.host.otherwise : this.host.levelOf(options.level);
    return this.host.transmit(this.slot, this.generation, level, payload, 0);
  }

  /** Completes when all but `lowWater` bytes that were sent before are acknowledged. */
  drain(options?: DrainOptions): Op<void> {
    const host = this.host as unknown as ConnectionHost<never>;
    return withSignal(options?.signal, new DrainOp(host, this.slot, this.generation, options?.lowWater ?? LOW_WATER));
  }

  /** The next message, or null when the peer has ended. For connections without a handler. */
  receive(options?: WaitOptions): Op<Message<L> | null> {
    return withSignal(options?.signal, this.host.receive(this.slot, this.generation));
  }

  /**
   * Takes effect at once, also for bytes that still wait to be sent. False when the connection is gone. Throws ENOPROTOOPT for a name that is no
   * option, QST_ERR_INVALID_ARGUMENT for a value that it does not take.
   */
  setOption<K extends SocketOptionName>(name: K, value: SocketOptions[K]): boolean {
    return this.host.setOption(this.slot, this.generation, optionWords(name, value));
  }

  /** What applies to this connection now, whether it was set here, by its listener, or by the configuration. */
  option<K extends SocketOptionName>(name: K, options?: WaitOptions): Op<SocketOptions[K]> {
    checkOptionName(name);
    return withSignal(options?.signal, this.host.desk.option(this.slot, this.generation, name));
  }

  /** Its state in the stack, as TCP_INFO of Linux tells it. */
  info(options?: WaitOptions): Op<ConnectionInfo> {
    return withSignal(options?.signal, this.host.desk.info(this.slot, this.generation));
  }

  /** FIN after what was sent; we go on receiving. */
  end(): void {
    this.host.endSending(this.slot, this.generation);
  }

  /** FIN after what was sent, and nothing is received any more. */
  close(): void {
    this.host.close(this.slot, this.generation);
  }

  /** RST at once. */
  abort(): void {
    this.host.abort(this.slot, this.generation);
  }

  /**
   * Settles when the connection is gone, with the reason. Asked afterwards it still knows the reason until the slot serves
   * another connection (slots are used in turn); later it is 'finished', whatever it was.
   */
  get closed(): Promise<CloseReason> {
    return this.host.closing(this.slot, this.generation);
  }

  /** Messages until the peer ends, each valid until the next one is asked for. */
  async *[Symbol.asyncIterator](): AsyncGenerator<Message<L>, void, undefined> {
    for (;;) {
      const message = await this.receive();
      if (message === null) return;
      yield message;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.isOpen) return;
    this.close();
    await this.closed;
  }
}
