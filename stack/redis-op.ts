// RedisOp: one command that a coroutine waits for.
// In: what to ask, then start() by the awaiting task, whose level the command gets. Out: the reply, or a throw from the
// line that waits. Invariant: an op has a number from when its command is written until its completion; each command is
// completed by exactly one record, and only then does the op go back to its pool, so a record finds the op that asked.
import { type Op, PooledOp } from '../coroutine/op.js';
import type { Task } from '../coroutine/task.js';
import type { RedisBytes } from './redis-block.js';
import type { RedisReply } from './redis-reply.js';

/** What an op asks of its client. */
export interface RedisOpHost {
  submit(op: RedisOp, task: Task): void;
  /** Nobody waits for it any more. True: it was not written yet, and never will be. */
  forget(op: RedisOp): boolean;
  recycle(op: RedisOp): void;
}

/** Replies as they are, or the number in them. */
export type RedisResult = RedisReply | number | null;

export class RedisOp extends PooledOp<RedisResult> {
  /** Its number in records, while its command is under way. */
  id = -1;
  private readonly host: RedisOpHost;
  shape = 0;
  shard = 0;
  wantsNumber = false;
  timeoutMs = 0;
  peerAddress = 0;
  peerPort = 0;
  /** Of an IPv6 peer; then address and port mean nothing. */
  peerText = '';
  numberValue = 0;
  /** Keys and values, in the order of the template. */
  readonly values: (RedisBytes | null)[] = [null, null, null, null];
  valueCount = 0;
  level = 0;
  startStamp = 0;
  /** When the message of its handler came. */
  arrival = 0;
  /** Of the task that asked, then. */
  private span = 0;
  /** Waits in the client for room; a doubly linked list per level. */
  waits = false;
  before: RedisOp | null = null;
  after: RedisOp | null = null;
  /** Nobody waits, but its completion is still to come. */
  isForgotten = false;

  constructor(host: RedisOpHost) {
    super();
    this.host = host;
  }

  /** Out of the pool. */
  again(): this {
    return this.open();
  }

  /** Null: its handler has ended meanwhile, and the task may serve another message. */
  get asker(): Task | null {
    return this.task?.span === this.span ? this.task : null;
  }

  push(value: RedisBytes): this {
    this.values[this.valueCount++] = value;
    return this;
  }

  protected override start(task: Task): void {
    this.span = task.span;
    this.host.submit(this, task);
  }

  protected override abandon(): boolean {
    if (this.host.forget(this)) return true;
    this.isForgotten = true;
    return false;
  }

  protected override discard(value: RedisResult): void {
    if (typeof value === 'object') value?.releaseResource();
  }

  protected override recycle(): void {
    for (let k = 0; k < this.valueCount; k++) this.values[k] = null;
    this.valueCount = 0;
    this.wantsNumber = false;
    this.isForgotten = false;
    this.peerText = '';
    this.host.recycle(this);
  }
}

export type ReplyOp = Op<RedisReply | null>;
export type NumberOp = Op<number>;
