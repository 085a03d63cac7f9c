// Task: one running handler, from its message to its end.
// In: begin(handler, argument), then resume() by the scheduler whenever the op that it waits for has settled.
// Out: taskDone() of its owner, once. Invariant: a task is in a ready queue at most once, and goes back to the pool only
// when it is in none. The level never changes while the task lives. Read op.ts first.
import { context, type PooledOp, type Waiter } from './op.js';
import type { Scheduler } from './scheduler.js';

/** Told when a task ends; `outcome` is what it returned or, where it failed, threw. */
export interface TaskOwner {
  taskDone(task: Task, failed: boolean, outcome: unknown): void;
  /** The first turn of a task with `isFresh` has come. False: the work waited too long and was given up, the turn is skipped. */
  begins?(task: Task): boolean;
}

/** Something that a handler holds until its message ends, for instance the bytes of a reply. An intrusive list. */
export interface TaskResource {
  nextResource: TaskResource | null;
  releaseResource(): void;
}

export type AnyHandler = (argument: never) => unknown;

const FREE = 0;
const NEW = 1;
const ACTIVE = 2;
const ASYNC = 3;
const DEAD = 4;

function isIterator(value: unknown): value is Iterator<unknown, unknown, unknown> {
  return typeof value === 'object' && value !== null && typeof (value as { next?: unknown }).next === 'function';
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === 'object' && value !== null && typeof (value as { then?: unknown }).then === 'function';
}

export class Task implements Waiter {
  readonly scheduler: Scheduler;
  level = 0;
  arrival = 0;
  label = 0;
  /** Before its next turn the owner is told that the work begins, and asked whether it is still wanted. */
  isFresh = false;
  /** The connection that it works for; NO_INDEX for none. */
  slot = 0xffffffff;
  generation = 0;
  /** The message that it works on, as the room above knows it. */
  message: unknown = null;
  /** Counted up with each end of a message or a task: who keeps a task compares it. */
  span = 0;
  owner: TaskOwner | null = null;

  private state = FREE;
  private queued = false;
  private running = false;
  private cancelRequested = false;
  /** Its `finally` blocks run, or wait. */
  private isUnwinding = false;
  private handler: AnyHandler | null = null;
  private argument: unknown = null;
  private generator: Iterator<unknown, unknown, unknown> | null = null;
  private resources: TaskResource | null = null;

  constructor(scheduler: Scheduler) {
    this.scheduler = scheduler;
  }

  /** A new life for an object out of the pool. */
  open(level: number, owner: TaskOwner | null): this {
    this.level = level;
    this.arrival = this.scheduler.stamp;
    this.owner = owner;
    this.state = NEW;
    return this;
  }

  /** Calls `handler(argument)` when the turn of this task comes. */
  begin(handler: AnyHandler, argument: unknown): void {
    this.handler = handler;
    this.argument = argument;
    this.makeReady();
  }

  get isAlive(): boolean {
    return this.state === NEW || this.state === ACTIVE || this.state === ASYNC;
  }

  /** It stands for code that belongs to no handler. */
  get isOutside(): boolean {
    return this.scheduler.outside === this;
  }

  settled(_op: PooledOp<unknown>): void {
    this.makeReady();
  }

  private makeReady(): void {
    if (this.queued) return;
    this.queued = true;
    this.scheduler.ready(this);
  }

  /** Kept until the message ends. */
  attach(resource: TaskResource): void {
    resource.nextResource = this.resources;
    this.resources = resource;
  }

  releaseResources(): void {
    this.span++;
    while (this.resources !== null) {
      const resource: TaskResource = this.resources;
      this.resources = resource.nextResource;
      resource.nextResource = null;
      resource.releaseResource();
    }
  }

  /** Runs until the next suspend. True: what follows runs in microtasks (an async handler). */
  resume(): boolean {
    this.queued = false;
    if (this.state === DEAD) {
      this.free();
      return false;
    }
    if (this.isFresh && this.isGivenUp()) return false;
    context.task = this;
    this.running = true;
    try {
      if (this.state === NEW && this.enter()) return true;
      if (this.state === ACTIVE) this.step();
    } catch (error) {
      this.finish(true, error);
    } finally {
      this.running = false;
      if (this.state !== ASYNC) context.task = null;
    }
    if (this.cancelRequested && this.state === ACTIVE) this.unwind();
    if (this.state === DEAD && !this.queued) this.free();
    return false;
  }

  private isGivenUp(): boolean {
    this.isFresh = false;
    if (this.owner?.begins?.(this) !== false) return false;
    if (this.state === NEW) {
      this.finish(false, undefined);
      this.free();
    }
    return true;
  }

  /** The first call of the handler. True: it is an async one. */
  private enter(): boolean {
    const result = (this.handler as (argument: unknown) => unknown)(this.argument);
    this.handler = null;
    this.argument = null;
    if (isIterator(result)) {
      this.generator = result;
      this.state = ACTIVE;
      return false;
    }
    if (!isThenable(result)) {
      this.finish(false, result);
      return false;
    }
    this.state = ASYNC;
    result.then(
      (value) => this.finish(false, value),
      (error: unknown) => this.finish(true, error),
    );
    return true;
  }

  private step(): void {
    const result = this.generator?.next();
    if (result === undefined || result.done === true) this.finish(false, result?.value);
  }

  /** Runs the handler's `finally` blocks; one that waits in there is waited for. An async handler cannot be cancelled. */
  cancel(): void {
    if (this.isUnwinding) return;
    if (this.state === NEW) {
      this.finish(false, undefined);
      if (!this.queued) this.free();
    } else if (this.state === ACTIVE && this.running) this.cancelRequested = true;
    else if (this.state === ACTIVE) {
      this.unwind();
      if ((this.state as number) === DEAD && !this.queued) this.free();
    }
  }

  private unwind(): void {
    const before = context.task;
    context.task = this;
    this.cancelRequested = false;
    this.isUnwinding = true;
    this.running = true;
    try {
      const result = this.generator?.return?.(undefined);
      if (result === undefined || result.done === true) this.finish(false, undefined);
    } catch (error) {
      this.finish(true, error);
    } finally {
      this.running = false;
      context.task = before;
    }
  }

  private finish(failed: boolean, outcome: unknown): void {
    const { owner } = this;
    this.state = DEAD;
    this.isUnwinding = false;
    this.generator = null;
    this.handler = null;
    this.argument = null;
    this.releaseResources();
    owner?.taskDone(this, failed, outcome);
  }

  private free(): void {
    this.state = FREE;
    this.owner = null;
    this.message = null;
    this.slot = 0xffffffff;
    this.generation = 0;
    this.label = 0;
    this.isFresh = false;
    this.cancelRequested = false;
    this.scheduler.recycle(this);
  }
}
