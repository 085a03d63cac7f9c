// Scheduler: which coroutine runs next, for one app thread.
// In: ready(task) from the poller, from completions and timers; advance(stamp) and runTurn(budget) from the poller.
// Out: tasks resumed, the highest level first, the oldest first within a level; a starved lower level gets a quantum.
// Invariant: a task runs in its own level's order only; no code of a task runs outside of runTurn, but for what an async
// handler does in its microtasks: runTurn stops behind one such continuation and goes on when its microtasks have run.
import { context } from './op.js';
import { ReadyQueue, type Runnable } from './ready-queue.js';
import { QUANTUM, StarvationBound } from './starvation.js';
import { Task, type TaskOwner } from './task.js';
import { TimerWheel } from './timer-wheel.js';

export interface SchedulerOptions {
  /** 1 to 8; 0 is the highest. */
  levels: number;
  /** The oldest waiting lower level gets a quantum at least every so many milliseconds. */
  starvationBoundMs?: number;
  /** Something became ready outside of a turn (a promise, a microtask): the poller is to come back soon. */
  kick?: () => void;
}

/** Microtasks that an async continuation may take before the next task runs; nested async functions need one each. */
const MICROTASKS_PER_CONTINUATION = 4;

export class Scheduler {
  readonly levels: number;
  readonly timers = new TimerWheel();
  /** Work that belongs to no handler: set-up code and what runs after a handler has ended. */
  readonly outside: Task;
  kick: () => void;
  /** Somebody takes turns. */
  isOnAir = true;

  private readonly queues: ReadyQueue[] = [];
  private readonly bound: StarvationBound;
  private readonly pool: Task[] = [];
  private readonly goOn = () => this.afterMicrotask();
  private mask = 0;
  private now = 0;
  private inTurn = false;
  private microtasksLeft = 0;
  private starved = -1;
  private quantum = 0;

  constructor({ levels, starvationBoundMs = 20, kick = () => {} }: SchedulerOptions) {
    this.levels = levels;
    this.kick = kick;
    this.bound = new StarvationBound(levels, starvationBoundMs);
    for (let level = 0; level < levels; level++) this.queues.push(new ReadyQueue());
    this.outside = new Task(this).open(levels - 1, null);
    context.outside = this.outside;
  }

  /** The thread's stack is gone: ops that are used outside of handlers find no scheduler any more. */
  close(): void {
    if (context.outside === this.outside) context.outside = null;
  }

  /** The running task, or null. */
  get current(): Task | null {
    return context.task?.scheduler === this ? context.task : null;
  }

  /** The stamp given by the last advance(). */
  get stamp(): number {
    return this.now;
  }

  /** Number of entries in all ready queues. */
  get readyCount(): number {
    return this.queues.reduce((sum, queue) => sum + queue.length, 0);
  }

  /** An async handler's microtasks are to run before anything else. */
  get isPaused(): boolean {
    return context.paused !== null;
  }

  get hasReady(): boolean {
    return this.mask !== 0;
  }

  /** Bit L: level L has something ready. */
  get readyMask(): number {
    return this.mask;
  }

  /** The clock moved: fires timers. */
  advance(stamp: number): void {
    this.now = stamp;
    this.timers.advance(stamp);
  }

  task(level: number, owner: TaskOwner | null = null): Task {
    return (this.pool.pop() ?? new Task(this)).open(level, owner);
  }

  recycle(task: Task): void {
    this.pool.push(task);
  }

  ready(entry: Runnable): void {
    const { level } = entry;
    (this.queues[level] as ReadyQueue).push(entry, this.now);
    const idle = this.mask === 0;
    this.mask |= 1 << level;
    if (idle && !this.inTurn) this.kick();
  }

  /** Runs at most `budget` entries; returns how many ran. Fewer than asked for means: nothing is ready, or a microtask is due. */
  runTurn(budget: number): number {
    if (context.paused !== null) {
      if (context.paused !== this) queueMicrotask(this.kick);
      return 0;
    }
    let ran = 0;
    this.inTurn = true;
    this.chooseStarved();
    while (ran < budget && this.mask !== 0) {
      ran++;
      if (!this.take().resume()) continue;
      context.paused = this;
      this.microtasksLeft = MICROTASKS_PER_CONTINUATION;
      queueMicrotask(this.goOn);
      break;
    }
    this.inTurn = false;
    return ran;
  }

  private chooseStarved(): void {
    const { mask } = this;
    if ((mask & (mask - 1)) === 0) return;
    for (let level = 0; level < this.levels; level++) {
      const queue = this.queues[level] as ReadyQueue;
      if (queue.length > 0) this.bound.note(level, queue.oldest);
    }
    this.starved = this.bound.choose(mask, this.now);
    this.quantum = this.starved < 0 ? 0 : QUANTUM;
  }

  private take(): Runnable {
    let level = 31 - Math.clz32(this.mask & -this.mask);
    if (this.quantum > 0 && (this.mask & (1 << this.starved)) !== 0) {
      this.quantum--;
      level = this.starved;
    }
    const queue = this.queues[level] as ReadyQueue;
    const entry = queue.shift();
    if (queue.length === 0) this.mask &= ~(1 << level);
    return entry;
  }

  private afterMicrotask(): void {
    if (--this.microtasksLeft > 0) {
      queueMicrotask(this.goOn);
      return;
    }
    context.task = null;
    context.paused = null;
    this.kick();
  }
}
