// timeout(ms, op): the op's outcome, or QST_ERR_TIMEOUT when it takes longer. The op is cancelled then: what it asked for
// may still happen, but nobody hears of it.
import { QstackError } from '../stack/errors.js';
import { NestedOp } from './nested-op.js';
import type { Op } from './op.js';
import { type WaitOptions, withSignal } from './signal.js';
import type { Task } from './task.js';
import { Timer } from './timer-wheel.js';

class TimeoutTimer extends Timer {
  readonly op: TimeoutOp<unknown>;

  constructor(op: TimeoutOp<unknown>) {
    super();
    this.op = op;
  }

  override fire(): void {
    this.op.expire();
  }
}

const pool: TimeoutOp<unknown>[] = [];

class TimeoutOp<T> extends NestedOp<T> {
  private ms = 0;
  private readonly timer = new TimeoutTimer(this as TimeoutOp<unknown>);

  static make<T>(ms: number, inner: Op<T>): TimeoutOp<T> {
    const op = (pool.pop()?.open() ?? new TimeoutOp()) as TimeoutOp<T>;
    op.ms = ms;
    return op.wrap(inner);
  }

  expire(): void {
    this.stop(new QstackError('QST_ERR_TIMEOUT', `no outcome within ${this.ms} ms`));
  }

  protected override arm(task: Task): void {
    task.scheduler.arm(this.timer, this.ms);
  }

  protected override disarm(): void {
    this.task?.scheduler.timers.remove(this.timer);
  }

  protected override recycle(): void {
    pool.push(this as TimeoutOp<unknown>);
  }
}

export function timeout<T>(ms: number, op: Op<T>, options?: WaitOptions): Op<T> {
  return withSignal(options?.signal, TimeoutOp.make(ms, op));
}
