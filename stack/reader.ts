// Reader: messages of a connection that has no handler, one at a time on demand.
// In: arrive(), end(), fail(). Out: ReceiveOp. Invariant: a message is given back when the next one is asked for or the
// connection is gone; until somebody asks, messages wait in the pending list of the connection, and so does its peer.
import { PooledOp } from '../coroutine/op.js';
import type { Task } from '../coroutine/task.js';
import type { Message } from './message.js';

export interface ReaderHost<L extends string> {
  /** Fills `message` with the oldest that waits; false when none does. */
  takePending(slot: number, message: Message<L>): boolean;
  giveBack(message: Message<L>): void;
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
  private error: unknown = undefined;

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

  /** A message waits in the pending list. */
  arrive(): void {
    const op = this.asking;
    if (op === null) return;
    if (this.host.takePending(this.slot, this.message)) {
      this.holds = true;
      this.asking = null;
      op.complete(this.message);
    } else if (this.error !== undefined || this.ended) {
      this.asking = null;
      if (this.error !== undefined) op.fail(this.error);
      else op.complete(null);
    }
  }

  /** The peer has ended: null follows the last message. */
  end(): void {
    this.ended = true;
    this.arrive();
  }

  /** The connection is gone. */
  close(error: unknown): void {
    if (error === undefined) this.ended = true;
    else this.error = error;
    this.arrive();
  }

  /** Gives the message back that was read last. */
  letGo(): void {
    if (!this.holds) return;
    this.holds = false;
    this.host.giveBack(this.message);
  }
}
