// spawn(body): a coroutine of its own beside the one that runs, at its level or another one.
// In: a generator function. Out: a Child: join() for its value, cancel() for its end. Invariant: an error of a child is heard
// exactly once, or by each who joins: by join(), else, at the end of who made the child, as an error of that handler.
// A child lives by itself: neither the end nor the cancelling of its parent ends it. Read task.ts first.
import { QstackError } from '../stack/errors.js';
import { type Coroutine, currentTask, type Op, PooledOp } from './op.js';
import { type WaitOptions, withSignal } from './signal.js';
import type { Task, TaskOwner, TaskResource } from './task.js';

export interface SpawnOptions {
  /** 0 is the highest; default that of the parent. */
  level?: number | undefined;
}

const RUNNING = 0;
const DONE = 1;
const FAILED = 2;
const CANCELLED = 3;

class JoinOp<T> extends PooledOp<T> {
  private readonly child: Child<T>;

  constructor(child: Child<T>) {
    super();
    this.child = child;
  }

  protected override start(task: Task): void {
    this.child.joins(this, task);
  }

  protected override abandon(): boolean {
    this.child.leaves(this);
    return true;
  }

  /** Keeps the line at which the child failed. */
  override take(): T {
    const { stack } = this.child;
    try {
      return super.take();
    } catch (error) {
      if (stack !== undefined) (error as Error).stack = stack;
      throw error;
    }
  }

  /** The value is the child's: others may join as well. */
  protected override discard(): void {}
}

export class Child<T> implements TaskOwner, TaskResource {
  nextResource: TaskResource | null = null;
  private task: Task | null = null;
  private state = RUNNING;
  private outcome: unknown = undefined;
  private readonly joiners = new Set<JoinOp<T>>();
  private wasCancelled = false;
  /** Somebody has got the error. */
  private isHeard = false;
  private readonly parent: Task;
  /** The parent's span in which the child was made: tasks are used again. */
  private readonly span: number;

  constructor(parent: Task) {
    this.parent = parent;
    this.span = parent.span;
  }

  begin(level: number, body: () => Coroutine<T>): void {
    const { parent } = this;
    const task = parent.scheduler.task(level, this);
    this.task = task;
    task.arrival = parent.isOutside ? task.arrival : parent.arrival;
    task.label = body.name === '' ? parent.label : parent.scheduler.labels.of(body.name);
    task.slot = parent.slot;
    task.generation = parent.generation;
    task.begin(body, undefined);
  }

  /** It has ended, in whatever way. */
  get isDone(): boolean {
    return this.state !== RUNNING;
  }

  /** Of the error with which it failed. */
  get stack(): string | undefined {
    return this.state === FAILED && this.outcome instanceof Error ? this.outcome.stack : undefined;
  }

  /** What it returns, or throws; QST_ERR_CANCELLED when it was cancelled. Any number may join, also later. */
  join(options?: WaitOptions): Op<T> {
    return withSignal(options?.signal, new JoinOp<T>(this));
  }

  /**
   * Runs its `finally` blocks at once; one that waits in there is waited for by who joins. A child that has not begun never
   * does; one that cancels itself ends at its next `yield*`. False: it had ended already.
   */
  cancel(): boolean {
    if (this.task === null) return false;
    this.wasCancelled = true;
    this.task.cancel();
    return true;
  }

  joins(op: JoinOp<T>, task: Task): void {
    if (this.state !== RUNNING) this.tell(op);
    else if (task === this.task) {
      throw new QstackError('QST_ERR_INVALID_ARGUMENT', 'a coroutine that joins itself would never end');
    } else this.joiners.add(op);
  }

  leaves(op: JoinOp<T>): void {
    this.joiners.delete(op);
  }

  taskDone(_task: Task, failed: boolean, outcome: unknown): void {
    this.task = null;
    this.outcome = outcome;
    if (failed) this.state = FAILED;
    else this.state = this.wasCancelled ? CANCELLED : DONE;
    for (const op of this.joiners) this.tell(op);
    this.joiners.clear();
    if (failed && !this.isHeard) this.waitForJoin();
  }

  private tell(op: JoinOp<T>): void {
    if (this.state === DONE) op.complete(this.outcome as T);
    else if (this.state === CANCELLED) op.fail(new QstackError('QST_ERR_CANCELLED', 'the coroutine was cancelled'));
    else {
      this.isHeard = true;
      op.fail(this.outcome);
    }
  }

  /** The parent may join until it ends; code outside of handlers has no end. */
  private waitForJoin(): void {
    const { parent } = this;
    if (parent.isAlive && parent.span === this.span && !parent.isOutside) parent.attach(this);
    else parent.scheduler.onLost(this.outcome, null);
  }

  /** The parent's message is handled, and nobody has joined. */
  releaseResource(): void {
    if (!this.isHeard) this.parent.scheduler.onLost(this.outcome, this.parent.message);
  }
}

/** Begins in its level's turn, after the code that runs now has come to its next `yield*` or its end. */
export function spawn<T>(body: () => Coroutine<T>, options: SpawnOptions = {}): Child<T> {
  const parent = currentTask();
  const level = options.level ?? parent.level;
  const { levels } = parent.scheduler;
  if (!Number.isInteger(level) || level < 0 || level >= levels) {
    throw new QstackError('QST_ERR_INVALID_ARGUMENT', `level ${level}; accepted is 0 to ${levels - 1}`);
  }
  const child = new Child<T>(parent);
  child.begin(level, body);
  return child;
}
