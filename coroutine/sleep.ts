// sleep(ms): an op that completes after so many milliseconds, to about a millisecond.
import { type Op, PooledOp } from './op.js';
import { type WaitOptions, withSignal } from './signal.js';
import type { Task } from './task.js';
import { Timer } from './timer-wheel.js';

class SleepTimer extends Timer {
  readonly op: SleepOp;

  constructor(op: SleepOp) {
    super();
    this.op = op;
  }

  override fire(): void {
    this.op.complete();
  }
}

const pool: SleepOp[] = [];

class SleepOp extends PooledOp<void> {
  private ms = 0;
  private readonly timer = new SleepTimer(this);

  static make(ms: number): SleepOp {
    const op = pool.pop()?.open() ?? new SleepOp();
    op.ms = ms;
    return op;
  }

  protected override start(task: Task): void {
    task.scheduler.arm(this.timer, this.ms);
  }

  protected override abandon(): boolean {
    this.task?.scheduler.timers.remove(this.timer);
    return true;
  }

  protected override recycle(): void {
    pool.push(this);
  }
}

export function sleep(ms: number, options?: WaitOptions): Op<void> {
  return withSignal(options?.signal, SleepOp.make(ms));
}
