// Reader: messages of a connection that has no handler, one at a time on demand.
// In: arrive(), end(), close(). Out: ReceiveOp. Invariant: a message is given back when the next one is asked for; until
// somebody asks, messages wait in the pending list of the connection, and so does its peer. When the connection ends in order,
// what was not read yet goes over to the reader (inherit) and stays readable.
import { PooledOp } from '../coroutine/op.js';
import type { Task } from '../coroutine/task.js';
import type { Message } from './message.js';
import { RECORD_WORDS } from './pending.js';

export interface ReaderHost<L extends string> {
  /** Fills `message` with the oldest that waits; false when none does. */
  takePending(slot: number, message: Message<L>): boolean;
  giveBack(message: Message<L>): void;
  /** Everything was read, and the connection is gone. */
  readerDone(reader: Reader<L>): void;
}

export class ReceiveOp<L extends string> extends PooledOp<Message<L> | null> {
  private readonly reader: Reader<L>;

  constructor(reader: Reader<L>, outside: Task) {
    super();
    this.reader = reader;
    this.task ??= outside;
  }

  protected override start(): void {
    this.reader.ask(this);
  }

  protected override abandon(): boolean {
    this.reader.forget(this);
    return true;
  }
}

export class Reader<L extends string> {
  readonly slot: number;
  readonly generation: number;
  private readonly host: ReaderHost<L>;
  private readonly message: Message<L>;
  private holds = false;
  private asking: ReceiveOp<L> | null = null;
  private ended = false;
  private isClosed = false;
  private error: unknown = undefined;
  /** Records that were not read when the connection was closed. */
  private inherited = new Uint32Array(0);

  constructor(host: ReaderHost<L>, message: Message<L>, slot: number, generation: number) {
    this.host = host;
    this.message = message;
    this.slot = slot;
    this.generation = generation;
  }

  ask(op: ReceiveOp<L>): void {
    if (this.asking !== null) throw new TypeError('a connection is read by one receive() at a time');
    this.letGo();
    this.asking = op;
    this.arrive();
  }

  forget(op: ReceiveOp<L>): void {
    if (this.asking === op) this.asking = null;
  }

  /** A message waits, or the end has come. */
  arrive(): void {
    const op = this.asking;
    if (op === null) return;
    if (this.take()) {
      this.asking = null;
      op.complete(this.message);
    } else if (this.error !== undefined || this.ended) {
      this.asking = null;
      if (this.isClosed) this.host.readerDone(this);
      if (this.error !== undefined) op.fail(this.error);
      else op.complete(null);
    }
  }

  private take(): boolean {
    if (this.inherited.length > 0) {
      this.message.fill(this.inherited, 0, 0);
      this.inherited = this.inherited.subarray(RECORD_WORDS);
      this.holds = true;
    } else if (!this.isClosed) this.holds = this.host.takePending(this.slot, this.message);
    return this.holds;
  }

  /** The peer has ended: null follows the last message. */
  end(): void {
    this.ended = true;
    this.arrive();
  }

  /** The connection is gone; these records are still to be read. */
  close(error: unknown, records: Uint32Array<ArrayBuffer>): void {
    this.isClosed = true;
    this.inherited = records;
    if (error === undefined) this.ended = true;
    else this.error = error;
    this.arrive();
  }

  /** Something of the connection is still with this reader. */
  get isBusy(): boolean {
    return this.holds || this.inherited.length > 0;
  }

  /** Nobody will read on: everything is given back. */
  drop(): void {
    this.letGo();
    while (this.take()) this.letGo();
  }

  /** Gives the message back that was read last. */
  private letGo(): void {
    if (!this.holds) return;
    this.holds = false;
    this.host.giveBack(this.message);
  }
}
