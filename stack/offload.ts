// offload(task, data): functions that compute for long, in worker threads of their own, while the app thread serves on.
// In: the module whose exports are the tasks, and its data, which are cloned. Out: an op with what the task returns.
// Invariant: of tasks that wait for a worker the highest level goes first, the oldest first within a level. The pool is
// piscina's; workers sleep until there is a task, and yield their cores to the threads of packets (nice).
import { fileURLToPath } from 'node:url';
import { Piscina } from 'piscina';
import { type Op, PooledOp } from '../coroutine/op.js';
import { type WaitOptions, withSignal } from '../coroutine/signal.js';
import type { Task } from '../coroutine/task.js';
import { type InLine, WaitingLines } from '../coroutine/waiting-line.js';
import { ArenaView } from '../mempool/view.js';
import { QstackError } from './errors.js';
import { carryOut, type Errand, type Outcome, type Place } from './offload-worker.js';

// biome-ignore lint/suspicious/noExplicitAny: whatever a task takes
type AnyTask = (data: any) => unknown;

/** Names of a module's exported functions. */
export type TaskName<M> = { [K in keyof M]: M[K] extends AnyTask ? K : never }[keyof M] & string;
type TaskOf<M, K extends TaskName<M>> = Extract<M[K], AnyTask>;

/**
 * Runs an exported function of the module in a worker. `data` and the result are cloned as by structuredClone(); parts of
 * messages and of larger buffers are copied first. Throws what the task throws. A cancelled op ends the worker that computes
 * for it; another one takes its place.
 */
export type Offload<M> = <K extends TaskName<M>>(
  task: K,
  data: Parameters<TaskOf<M, K>>[0],
  options?: WaitOptions,
) => Op<Awaited<ReturnType<TaskOf<M, K>>>>;

const NICE = 10;

/** A clone of a view takes all of the buffer along that it lies in: here, the memory of the stack. */
function ownBytes(data: unknown): unknown {
  if (data instanceof ArenaView) return data.copy();
  const isPart = ArrayBuffer.isView(data) && data.byteLength < data.buffer.byteLength;
  return isPart && data instanceof Uint8Array ? new Uint8Array(data) : data;
}

class OffloadOp extends PooledOp<unknown> implements InLine<OffloadOp> {
  level = 0;
  before: OffloadOp | null = null;
  after: OffloadOp | null = null;
  waits = false;
  readonly errand: Errand;
  readonly ending = new AbortController();
  private readonly workers: OffloadPool;

  constructor(workers: OffloadPool, errand: Errand) {
    super();
    this.workers = workers;
    this.errand = errand;
  }

  protected override start(task: Task): void {
    this.level = task.level;
    this.workers.enter(this);
  }

  protected override abandon(): boolean {
    return this.workers.leave(this);
  }
}

function settle(op: OffloadOp, outcome: Outcome): void {
  if ('value' in outcome) return op.complete(outcome.value);
  const { module, task } = op.errand;
  const known = outcome.known.join(', ');
  op.fail(new QstackError('QST_ERR_OFFLOAD', `${module} exports no task "${task}"; its tasks are ${known}`));
}

/** The workers of one app thread. */
export class OffloadPool {
  private readonly pool: Piscina;
  private readonly lines = new WaitingLines<OffloadOp>();
  private free: number;

  /** `cores`: those of the workers; absent: where the process may run. */
  constructor(workers: number, cores?: readonly number[]) {
    this.free = workers;
    this.pool = new Piscina({
      filename: fileURLToPath(new URL('./offload-worker.js', import.meta.url)),
      name: carryOut.name,
      minThreads: workers,
      maxThreads: workers,
      niceIncrement: NICE,
      recordTiming: false,
      ...(cores === undefined ? {} : { workerData: { cores } satisfies Place }),
    });
  }

  tasksOf<M>(module: URL | string): Offload<M> {
    return (task, data, options) => {
      const op = new OffloadOp(this, { module: String(module), task, data: ownBytes(data) });
      return withSignal(options?.signal, op) as Op<Awaited<ReturnType<TaskOf<M, typeof task>>>>;
    };
  }

  enter(op: OffloadOp): void {
    if (this.free === 0) this.lines.push(op);
    else this.run(op);
  }

  /** True: it had not begun, and never will. Else the worker is ended, and the run fails as its last word. */
  leave(op: OffloadOp): boolean {
    if (op.waits) {
      this.lines.remove(op);
      return true;
    }
    op.ending.abort();
    return false;
  }

  private run(op: OffloadOp): void {
    this.free--;
    this.pool.run(op.errand, { signal: op.ending.signal }).then(
      (outcome: Outcome) => this.ran(() => settle(op, outcome)),
      (error: unknown) => this.ran(() => op.fail(error)),
    );
  }

  private ran(tell: () => void): void {
    this.free++;
    tell();
    const next = this.lines.shift();
    if (next !== null) this.run(next);
  }

  /** What still runs is ended. */
  close(): void {
    void this.pool.destroy();
  }
}

export function noWorkers(): QstackError {
  return new QstackError(
    'QST_ERR_CONFIG_INVALID',
    'app.offload(): the configuration has no workers; `-w 1`, or `workers = 1`, gives each app thread one',
  );
}
