// Op: something that a coroutine waits for, `const value = yield* op`; or, in an async handler, `await op`.
// In: start() when the op is first awaited, then exactly one complete() or fail() from whoever does the work. Out: the
// value, or a throw from the op's own next(), so that the stack trace names the line of the `yield*`.
// Invariant: an op is awaited once; after its outcome was taken the object goes back to its pool and may serve someone else.
// Nothing is allocated per suspend: the op is its own iterator, and both iterator results are shared. Read task.ts next.
import { QstackError } from '../stack/errors.js';
import type { Task, TaskResource } from './task.js';

declare const suspendBrand: unique symbol;

/** What an op yields to the scheduler. Nobody else can make one, so `yield op` (without the star) does not compile. */
export interface Suspend {
  readonly [suspendBrand]: true;
}

export interface Op<T> extends PromiseLike<T> {
  [Symbol.iterator](): Iterator<Suspend, T, unknown>;
}

export type Coroutine<T> = Generator<Suspend, T, unknown>;

/** Hears of the outcome of an op: a task, or an op that is made of ops. */
export interface Waiter {
  settled(op: PooledOp<unknown>): void;
}

/**
 * One object per thread. `task`: whose code runs now. `outside`: owner of ops made outside of any task.
 * `paused`: the scheduler that waits for the microtasks of an async handler; no other may run a task meanwhile.
 */
export const context: { task: Task | null; outside: Task | null; paused: object | null } = {
  task: null,
  outside: null,
  paused: null,
};

export function currentTask(): Task {
  const task = context.task ?? context.outside;
  if (task === null) {
    throw new QstackError(
      'QST_ERR_NO_SCHEDULER',
      'an op was used in a thread where no stack runs; use it in a handler',
    );
  }
  return task;
}

const SUSPENDED: IteratorResult<Suspend, never> = Object.freeze({ done: false, value: Object.freeze({}) as Suspend });
/** Read by `yield*` right after next() returns, before any other code runs: one object serves every op. */
const FINISHED: { done: true; value: unknown } = { done: true, value: undefined };

const FREE = 0;
const IDLE = 1;
const WAITING = 2;
const DONE = 3;
const FAILED = 4;
/** Cancelled while something outside still works on it: recycled when that reports. */
const ABANDONED = 5;

/** What a value holds (a reply's bytes, a permit, those of an inner all()) goes back when nobody will see the value. */
export function giveBack(value: unknown): void {
  if (Array.isArray(value)) for (const part of value) giveBack(part);
  else if (typeof value === 'object' && value !== null && 'releaseResource' in value) {
    (value as TaskResource).releaseResource();
  }
}

/** Hears of ops that are made, and that somebody awaits, cancels or wraps: op-trace.ts, the debug mode. */
export interface OpObserver {
  made(op: PooledOp<unknown>): void;
  used(op: PooledOp<unknown>): void;
}

let observer: OpObserver | null = null;

/** The last who asks is told. */
export function observeOps(next: OpObserver): void {
  observer = next;
}

export function stopObserving(current: OpObserver): void {
  if (observer === current) observer = null;
}

/** Another op has taken it over. */
export function wrapped(op: PooledOp<unknown>): void {
  observer?.used(op);
}

function reused(): QstackError {
  return new QstackError('QST_ERR_OP_REUSED', 'an op can be awaited once; make a new one for each yield* or await');
}

export abstract class PooledOp<T> implements Op<T>, Iterator<Suspend, T, unknown> {
  /** The task that awaits, or in which the op was made; its level is the level of the op. */
  task: Task | null = context.task;
  private state = IDLE;
  private outcome: unknown = undefined;
  private waiter: Waiter | null = null;

  constructor() {
    observer?.made(this);
  }

  /** Begins the work. May complete() or fail() at once; a throw is a fail(). */
  protected abstract start(task: Task): void;

  /** Puts the object into its pool. The op's own references are to be cleared here. */
  protected recycle(): void {}

  /** The op was cancelled while waiting. True: nobody will complete() or fail() it any more. */
  protected abandon(): boolean {
    return false;
  }

  /** A value came that nobody waits for any more: give back what it holds. */
  protected discard(value: T): void {
    giveBack(value);
  }

  /** Called by the factory on an object out of the pool; a new object is open already. */
  open(): this {
    this.state = IDLE;
    this.task = context.task;
    observer?.made(this);
    return this;
  }

  complete(value: T): void {
    if (this.state === WAITING) this.settle(DONE, value);
    else if (this.state === ABANDONED) {
      this.discard(value);
      this.free();
    } else throw new QstackError('QST_ERR_INTERNAL', 'an op was completed that nobody had started');
  }

  fail(error: unknown): void {
    if (this.state === WAITING) this.settle(FAILED, error);
    else if (this.state === ABANDONED) this.free();
    else throw new QstackError('QST_ERR_INTERNAL', 'an op failed that nobody had started');
  }

  private settle(state: number, outcome: unknown): void {
    this.state = state;
    this.outcome = outcome;
    const waiter = this.waiter;
    this.waiter = null;
    waiter?.settled(this);
  }

  /** Starts the op for `task`; afterwards isSettled, or `waiter` will be told. */
  begin(task: Task, waiter: Waiter): void {
    observer?.used(this);
    if (this.state !== IDLE) {
      throw reused();
    }
    if (task.isOutside && !task.scheduler.isOnAir) {
      throw new QstackError(
        'QST_ERR_NO_SCHEDULER',
        'an op was awaited before the stack is on the air; do that in a handler or in app.onStart()',
      );
    }
    this.task = task;
    this.state = WAITING;
    try {
      this.start(task);
    } catch (error) {
      if (this.state === WAITING) this.fail(error);
    }
    if (this.state === WAITING) this.waiter = waiter;
  }

  get isSettled(): boolean {
    return this.state === DONE || this.state === FAILED;
  }

  get hasFailed(): boolean {
    return this.state === FAILED;
  }

  /** The outcome, once: a value or a throw. */
  take(): T {
    const { outcome } = this;
    const failed = this.state === FAILED;
    this.free();
    if (!failed) return outcome as T;
    // Our own errors are made where a completion is read: what helps is the line that waited.
    if (outcome instanceof QstackError) Error.captureStackTrace(outcome, this.next);
    throw outcome;
  }

  /** The outcome was not taken, and another one is to come: waits on. */
  protected waitAgain(waiter: Waiter): void {
    this.state = WAITING;
    this.outcome = undefined;
    this.waiter = waiter;
  }

  /** Nobody wants the outcome any more. */
  cancel(): void {
    if (this.state === FREE || this.state === ABANDONED) return;
    observer?.used(this);
    this.waiter = null;
    if (this.state === DONE) this.discard(this.outcome as T);
    if (this.state !== WAITING || this.abandon()) this.free();
    else this.state = ABANDONED;
  }

  private free(): void {
    this.state = FREE;
    this.outcome = undefined;
    this.waiter = null;
    this.task = null;
    this.recycle();
  }

  [Symbol.iterator](): Iterator<Suspend, T, unknown> {
    return this;
  }

  next(): IteratorResult<Suspend, T> {
    if (!this.isSettled) {
      if (this.state !== WAITING) {
        const task = context.task ?? this.task ?? currentTask();
        this.begin(task, task);
      }
      if (this.state === WAITING) return this.suspended();
    }
    FINISHED.value = this.take();
    return FINISHED as IteratorReturnResult<T>;
  }

  private suspended(): IteratorResult<Suspend, T> {
    if (this.waiter !== (context.task ?? this.task)) throw reused();
    return SUSPENDED;
  }

  /** The coroutine was cancelled at this op: generators call this on the way to their `finally`. */
  return(value?: unknown): IteratorResult<Suspend, T> {
    this.cancel();
    return { done: true, value: value as T };
  }

  then<A = T, B = never>(
    onValue?: ((value: T) => A | PromiseLike<A>) | null,
    onError?: ((error: unknown) => B | PromiseLike<B>) | null,
  ): Promise<A | B> {
    return new Promise<A | B>((resolve, reject) => {
      const task = this.task ?? currentTask();
      const continuation = new Continuation(this, task, onValue ?? null, onError ?? null, resolve, reject);
      this.begin(task, continuation);
      if (this.isSettled) task.scheduler.ready(continuation);
    });
  }
}

/**
 * The rest of an async handler behind one `await`. It takes its turn in the ready queue of its level like a task. Where the
 * handler has ended meanwhile (Promise.all() does not wait for all) it belongs to no handler: the task may serve another.
 */
class Continuation<T, A, B> implements Waiter {
  readonly level: number;
  readonly arrival: number;
  readonly label: number;
  readonly span: number;
  readonly op: PooledOp<T>;
  readonly task: Task;
  readonly onValue: ((value: T) => A | PromiseLike<A>) | null;
  readonly onError: ((error: unknown) => B | PromiseLike<B>) | null;
  readonly resolve: (value: A | B | PromiseLike<A | B>) => void;
  readonly reject: (error: unknown) => void;

  constructor(
    op: PooledOp<T>,
    task: Task,
    onValue: ((value: T) => A | PromiseLike<A>) | null,
    onError: ((error: unknown) => B | PromiseLike<B>) | null,
    resolve: (value: A | B | PromiseLike<A | B>) => void,
    reject: (error: unknown) => void,
  ) {
    this.level = task.level;
    this.arrival = task.arrival;
    this.label = task.label;
    this.span = task.span;
    this.op = op;
    this.task = task;
    this.onValue = onValue;
    this.onError = onError;
    this.resolve = resolve;
    this.reject = reject;
  }

  settled(): void {
    this.task.scheduler.ready(this);
  }

  /** True: what follows runs in microtasks, and the scheduler waits for them before it goes on. */
  resume(): boolean {
    const { task } = this;
    context.task = task.span === this.span ? task : task.scheduler.outside;
    try {
      this.hand();
    } catch (error) {
      this.reject(error);
    }
    return true;
  }

  private hand(): void {
    let value: T;
    try {
      value = this.op.take();
    } catch (error) {
      if (this.onError === null) throw error;
      this.resolve(this.onError(error));
      return;
    }
    this.resolve(this.onValue === null ? (value as unknown as A) : this.onValue(value));
  }
}
