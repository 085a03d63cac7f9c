// PooledCoroutine: one coroutine that serves message after message of a listener, with one Message object for all of them.
// In: give(record). Out: the message in its inbox; idle() when it asks for the next one. Invariant: it is in its listener's
// idle list exactly while it waits.
import { Inbox, type InboxOwner } from '../coroutine/inbox.js';
import type { Task, TaskOwner } from '../coroutine/task.js';
import type { Message } from './message.js';

export interface PooledOwner<L extends string> {
  /** It waits for a message; `done` is the one that it has finished, if any. */
  coroutineIdle(coroutine: PooledCoroutine<L>, done: Message<L> | null): void;
  /** It waits no more, without a message. */
  coroutineLeft(coroutine: PooledCoroutine<L>): void;
  taskDone(task: Task, failed: boolean, error: unknown): void;
  /** Its handler sees it now. False: it is too old to be handled; it was counted. */
  messageBegins(message: Message<L>): boolean;
}

export class PooledCoroutine<L extends string> implements InboxOwner<Message<L>>, TaskOwner {
  readonly inbox: Inbox<Message<L>>;
  readonly message: Message<L>;
  /** Its own listener, as the owner knows it. */
  readonly listener: unknown;
  private readonly owner: PooledOwner<L>;
  private serving = false;

  constructor(owner: PooledOwner<L>, listener: unknown, message: Message<L>) {
    this.owner = owner;
    this.listener = listener;
    this.message = message;
    this.inbox = new Inbox<Message<L>>(this);
  }

  /** True while it works on `message`. */
  get isServing(): boolean {
    return this.serving;
  }

  inboxIdle(inbox: Inbox<Message<L>>): void {
    const done = this.serving ? this.message : null;
    this.serving = false;
    if (done !== null) (inbox.task as Task).releaseResources();
    this.owner.coroutineIdle(this, done);
  }

  inboxLeft(): void {
    this.owner.coroutineLeft(this);
  }

  taskDone(task: Task, failed: boolean, error: unknown): void {
    this.owner.taskDone(task, failed, error);
  }

  /** The message that was delivered is given up, before the coroutine has seen it. */
  begins(): boolean {
    if (this.owner.messageBegins(this.message)) return true;
    this.inbox.takeBack();
    return false;
  }

  /** The message has been filled. `isFresh`: its handler does not see it at once. */
  deliver(isFresh: boolean): void {
    const task = this.inbox.task as Task;
    const { message } = this;
    this.serving = true;
    task.message = message;
    task.arrival = message.rxStamp;
    task.isFresh = isFresh;
    task.slot = message.slot;
    task.generation = message.generation;
    this.inbox.deliver(message, message.levelIndex);
  }
}
