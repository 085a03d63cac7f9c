// Inbox: where a pooled coroutine gets its next message, `for (;;) { const m = yield* inbox.next(); … }`.
// In: deliver(message) by the app that owns the coroutine. Out: the message, at the level that it was delivered with.
// Invariant: an inbox holds at most one message; asking for the next one says that the last one is done.
import { type Op, PooledOp } from './op.js';
import type { Task } from './task.js';

/** Told when the coroutine behind an inbox is done with its message and waits. */
export interface InboxOwner<M> {
  inboxIdle(inbox: Inbox<M>): void;
  /** It waits no more, although no message came: the waiting was cancelled. */
  inboxLeft?(inbox: Inbox<M>): void;
}

class InboxOp<M> extends PooledOp<M> {
  private readonly inbox: Inbox<M>;

  constructor(inbox: Inbox<M>) {
    super();
    this.inbox = inbox;
  }

  protected override start(task: Task): void {
    this.inbox.idle(task);
  }

  protected override abandon(): boolean {
    this.inbox.left();
    return true;
  }

  takeBack(task: Task): void {
    this.waitAgain(task);
  }
}

export class Inbox<M> {
  /** The coroutine that reads it; null until it has asked for its first message. */
  task: Task | null = null;
  private readonly owner: InboxOwner<M>;
  private readonly op = new InboxOp<M>(this);

  constructor(owner: InboxOwner<M>) {
    this.owner = owner;
  }

  next(): Op<M> {
    return this.op.open();
  }

  idle(task: Task): void {
    this.task = task;
    this.owner.inboxIdle(this);
  }

  left(): void {
    this.owner.inboxLeft?.(this);
  }

  /** The message that was delivered is not wanted any more, and the coroutine has not seen it: it is idle again. */
  takeBack(): void {
    this.op.takeBack(this.task as Task);
    this.owner.inboxIdle(this);
  }

  /** Only while idle. */
  deliver(message: M, level: number): void {
    if (this.task !== null) this.task.level = level;
    this.op.complete(message);
  }
}
