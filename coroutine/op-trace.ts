// OpTrace: finds a forgotten `yield*`: an op that was made and that nobody awaited. A debug mode, for it keeps a stack per op.
// In: made() by each op, used() when it is awaited, cancelled or put into another op. Out: a report with the line that made
// it: of a handler when its message ends, of other code within two seconds. Invariant: while no trace is on, an op pays one
// test of a variable. It is per thread, and what is made before it is on is not seen. Read op.ts first.
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { context, type OpObserver, observeOps, type PooledOp, stopObserving } from './op.js';
import type { Task, TaskResource } from './task.js';

/** Told of the kind of op, the line that made it, and the stack. */
export type ReportForgotten = (kind: string, place: string, stack: string) => void;

type AnyOp = PooledOp<unknown>;
type Made = Map<AnyOp, Error>;

const SWEEP_MS = 1000;
/** Deep enough to pass our own frames. */
const FRAMES = 24;
/** Of the compiled files, and, where source maps are on, of the sources. */
const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));
const OWN = [ROOT, dirname(ROOT)].flatMap((root) => [`${root}/coroutine/`, `${root}/stack/`]);

function made(): Error {
  const limit = Error.stackTraceLimit;
  Error.stackTraceLimit = FRAMES;
  const error = new Error('made here');
  Error.stackTraceLimit = limit;
  return error;
}

const isOwn = (frame: string) => OWN.some((folder) => frame.includes(folder));

/** The user's part: what called us, up to where we had called it. */
function framesOf(error: Error): string[] {
  const frames = (error.stack ?? '').split('\n').slice(1);
  const caller = frames.findIndex((frame) => !isOwn(frame));
  const called = frames.slice(Math.max(0, caller));
  const end = called.findIndex(isOwn);
  return called.slice(0, end < 0 ? called.length : end).map((frame) => frame.trim());
}

/** What one handler made for one message. */
class MadeByTask implements TaskResource {
  nextResource: TaskResource | null = null;
  readonly ops: Made = new Map();
  private readonly trace: OpTrace;
  private readonly task: Task;

  constructor(trace: OpTrace, task: Task) {
    this.trace = trace;
    this.task = task;
  }

  releaseResource(): void {
    this.trace.ended(this.task, this.ops);
  }
}

export class OpTrace implements OpObserver {
  private readonly report: ReportForgotten;
  private readonly tasks = new Map<Task, MadeByTask>();
  private readonly homes = new WeakMap<AnyOp, Made>();
  /** Ops of code outside of handlers: those since the last sweep, and those of the one before. */
  private young: Made = new Map();
  private old: Made = new Map();
  private readonly timer: NodeJS.Timeout;

  constructor(report: ReportForgotten) {
    this.report = report;
    this.timer = setInterval(() => this.sweep(), SWEEP_MS);
    this.timer.unref();
    observeOps(this);
  }

  stop(): void {
    clearInterval(this.timer);
    stopObserving(this);
  }

  made(op: AnyOp): void {
    // An op that is used again and again is made once and opened each time.
    this.used(op);
    const home = context.task === null ? this.young : this.homeOf(context.task);
    home.set(op, made());
    this.homes.set(op, home);
  }

  used(op: AnyOp): void {
    this.homes.get(op)?.delete(op);
  }

  private homeOf(task: Task): Made {
    let home = this.tasks.get(task);
    if (home === undefined) {
      home = new MadeByTask(this, task);
      this.tasks.set(task, home);
      task.attach(home);
    }
    return home.ops;
  }

  /** The message is handled: what still lies here was forgotten. */
  ended(task: Task, ops: Made): void {
    this.tasks.delete(task);
    this.tell(ops);
  }

  /** Public for tests, which have no second to wait. */
  sweep(): void {
    this.tell(this.old);
    this.old = this.young;
    this.young = new Map();
  }

  private tell(ops: Made): void {
    for (const [op, error] of ops) {
      const frames = framesOf(error);
      this.report(op.constructor.name, (frames[0] ?? 'unknown').replace(/^at (Task\.)?/, ''), frames.join('\n'));
    }
  }
}
