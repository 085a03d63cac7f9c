// Scheduler: which coroutine runs next, for one app thread.
// In: ready(task) from the poller, from completions and timers; advance(stamp) and runTurn(budget) from the poller.
// Out: tasks resumed, level by level as the policy says, the oldest first within a level.
// Invariant: a task runs in its own level's order only; no code of a task runs outside of runTurn, but for what an async
// handler does in its microtasks: runTurn stops behind one such continuation and goes on when its microtasks have run.
import { makePolicy } from './make-policy.js';
import { context } from './op.js';
import type { Heads, PolicyOptions, SchedulingPolicy } from './policy.js';
import { ReadyQueue, type Runnable } from './ready-queue.js';
import { Labels, RunWatch, type RunWatchOptions } from './run-watch.js';
import { Task, type TaskOwner } from './task.js';
import { type Timer, TimerWheel } from './timer-wheel.js';

export interface SchedulerOptions {
  /** 1 to 8; 0 is the highest. */
  levels: number;
  /** Default: strict, with a starvation bound of 20 ms. */
  policy?: PolicyOptions;
  /** Microseconds; read by a policy that measures work and by a watch: per burst, not per entry. */
  clockUs?: () => number;
  /** The time in stamps; without it the time stands still between two calls of advance(). Read per timer. */
  clock?: (() => number) | undefined;
  /** Something became ready outside of a turn (a promise, a microtask): the poller is to come back soon. */
  kick?: () => void;
  /** A coroutine that nobody has joined has failed; `message` is that of its parent, null when that has ended. */
  onLost?: (error: unknown, message: unknown) => void;
  /** Reports what runs too long; without it nothing is timed. */
  watch?: RunWatchOptions | undefined;
}

/** Microtasks that an async continuation may take before the next task runs; nested async functions need one each. */
const MICROTASKS_PER_CONTINUATION = 4;

/** Run time of the smallest weight in one round of `weighted`. */
export const RUN_QUANTUM_US = 100;

/** A label and its level share a word. */
export const LABEL_BITS = 24;

/** Nobody hears of it: what Node does with a rejection that nobody handles. */
const reject = (error: unknown) => void Promise.reject(error);

const nowUs = () => performance.now() * 1000;

export function strictPolicy(levels: number, starvationBoundMs = 20): PolicyOptions {
  return { kind: 'strict', levels, starvationBoundMs, weights: [], budgetsMs: [] };
}

export class Scheduler implements Heads {
  readonly levels: number;
  readonly timers = new TimerWheel();
  /** Names of handlers. */
  readonly labels = new Labels();
  /** Work that belongs to no handler: set-up code and what runs after a handler has ended. */
  readonly outside: Task;
  kick: () => void;
  readonly onLost: (error: unknown, message: unknown) => void;
  /** Somebody takes turns. */
  isOnAir = true;
  /** Microseconds that each level has run; counted only while the policy measures. */
  readonly workUs: Float64Array;
  /** Who runs, for who watches from another thread: at `runningAt` the label and level, or 0; behind it a count. */
  running = new Uint32Array(2);
  runningAt = 0;

  private readonly queues: ReadyQueue[] = [];
  private policy: SchedulingPolicy;
  private readonly clock: (() => number) | undefined;
  private readonly clockUs: () => number;
  private readonly watch: RunWatch | null;
  private readonly pool: Task[] = [];
  private readonly goOn = () => this.afterMicrotask();
  private mask = 0;
  private now = 0;
  private inTurn = false;
  private microtasksLeft = 0;
  private pausedLevel = 0;
  private pausedLabel = 0;
  /** Entries of its burst. */
  private pausedCount = 0;
  private pausedAtUs = 0;

  constructor(options: SchedulerOptions) {
    const { levels, policy = strictPolicy(levels), clockUs = nowUs, kick = () => {}, onLost = reject } = options;
    this.levels = levels;
    this.onLost = onLost;
    this.kick = kick;
    this.clock = options.clock;
    this.clockUs = clockUs;
    this.workUs = new Float64Array(levels);
    this.watch = options.watch === undefined ? null : new RunWatch(options.watch, this.labels, clockUs);
    this.policy = makePolicy(policy, this, RUN_QUANTUM_US);
    for (let level = 0; level < levels; level++) this.queues.push(new ReadyQueue());
    this.outside = new Task(this).open(levels - 1, null);
    context.outside = this.outside;
  }

  /** By another policy from the next turn on; what is ready stays. Called between turns, while nothing is paused. */
  schedule(policy: PolicyOptions): void {
    this.policy = makePolicy(policy, this, RUN_QUANTUM_US);
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
    this.outside.arrival = stamp;
    this.timers.advance(stamp);
  }

  /** The time now, where stamp() is that of the turn, or of the last one. */
  get currentStamp(): number {
    return this.clock?.() ?? this.now;
  }

  /** Fires in `ms` from now, also where the turn has taken long, or there is none. */
  arm(timer: Timer, ms: number): void {
    this.timers.add(timer, ms, Math.max(0, (this.currentStamp - this.now) | 0));
    if (!this.inTurn) this.kick();
  }

  task(level: number, owner: TaskOwner | null = null): Task {
    return (this.pool.pop() ?? new Task(this)).open(level, owner);
  }

  recycle(task: Task): void {
    this.pool.push(task);
  }

  ready(entry: Runnable): void {
    const { level } = entry;
    (this.queues[level] as ReadyQueue).push(entry, entry.arrival);
    const idle = this.mask === 0;
    this.mask |= 1 << level;
    if (idle && !this.inTurn) this.kick();
  }

  since(level: number): number {
    return (this.queues[level] as ReadyQueue).oldest;
  }

  /** Runs at most `budget` entries; returns how many ran. Fewer than asked for means: nothing is ready, or a microtask is due. */
  runTurn(budget: number): number {
    if (context.paused !== null) {
      if (context.paused !== this) queueMicrotask(this.kick);
      return 0;
    }
    let ran = 0;
    this.inTurn = true;
    if ((this.mask & (this.mask - 1)) !== 0) this.policy.begin(this.mask, this.now);
    while (ran < budget && this.mask !== 0 && context.paused === null) {
      ran += this.runLevel(this.policy.next(this.mask), budget - ran);
    }
    this.running[this.runningAt] = 0;
    this.inTurn = false;
    return ran;
  }

  /** One burst of a level; returns how many entries ran. */
  private runLevel(level: number, budget: number): number {
    const { policy, running, runningAt, watch } = this;
    const queue = this.queues[level] as ReadyQueue;
    const most = Math.min(budget, policy.burst);
    const { yieldsTo, measures } = policy;
    const startUs = measures ? this.clockUs() : 0;
    let ran = 0;
    let label = 0;
    watch?.begin();
    do {
      const entry = queue.shift();
      if (queue.length === 0) this.mask &= ~(1 << level);
      ran++;
      label = entry.label;
      running[runningAt] = label | (level << LABEL_BITS);
      running[runningAt + 1] = (running[runningAt + 1] as number) + 1;
      if (entry.resume()) this.pause(level, label);
      else if (watch?.isClose === true) watch.ran(label, level);
    } while (ran < most && queue.length > 0 && (this.mask & yieldsTo) === 0 && context.paused === null);
    if (context.paused !== null) this.pausedCount = ran;
    else watch?.end(ran, label, level);
    if (measures) this.charge(level, startUs);
    return ran;
  }

  private charge(level: number, startUs: number): void {
    const work = this.clockUs() - startUs;
    this.workUs[level] = (this.workUs[level] as number) + work;
    this.policy.charge(level, work);
  }

  private pause(level: number, label: number): void {
    context.paused = this;
    this.pausedLevel = level;
    this.pausedLabel = label;
    if (this.policy.measures) this.pausedAtUs = this.clockUs();
    this.microtasksLeft = MICROTASKS_PER_CONTINUATION;
    queueMicrotask(this.goOn);
  }

  private afterMicrotask(): void {
    if (--this.microtasksLeft > 0) {
      queueMicrotask(this.goOn);
      return;
    }
    this.endWatch();
    if (this.policy.measures) this.charge(this.pausedLevel, this.pausedAtUs);
    context.task = null;
    context.paused = null;
    this.kick();
  }
  private endWatch(): void {
    const { watch, pausedLabel, pausedLevel } = this;
    if (watch?.isClose === true) watch.ran(pausedLabel, pausedLevel);
    watch?.end(this.pausedCount, pausedLabel, pausedLevel);
  }
}
