// NestedOp: an op around one other op. In: the inner op. Out: its outcome, unless the outer one ends first.
// Invariant: the inner op is taken or cancelled exactly once.

import { QstackError } from '../stack/errors.js';
import { type Op, PooledOp, type Waiter, wrapped } from './op.js';
import type { Task } from './task.js';

/** Every op of this package is a PooledOp; anything else has no business in all(), race() and timeout(). */
export function pooled<T>(op: Op<T>): PooledOp<T> {
  if (op instanceof PooledOp) return op;
  throw new QstackError('QST_ERR_NOT_AN_OP', 'all(), race() and timeout() take ops; put a promise into wait()');
}

export abstract class NestedOp<T> extends PooledOp<T> implements Waiter {
  private inner: PooledOp<T> | null = null;

  protected wrap(op: Op<T>): this {
    const inner = pooled(op);
    wrapped(inner);
    this.inner = inner;
    this.task ??= inner.task;
    return this;
  }

  /** The inner op waits: arm what may end it. */
  protected abstract arm(task: Task): void;
  /** The inner op has settled or was cancelled. */
  protected abstract disarm(): void;

  protected override start(task: Task): void {
    const inner = this.inner as PooledOp<T>;
    inner.begin(task, this);
    if (inner.isSettled) this.settled(inner);
    else this.arm(task);
  }

  settled(op: PooledOp<unknown>): void {
    this.inner = null;
    this.disarm();
    let value: T;
    try {
      value = op.take() as T;
    } catch (error) {
      this.fail(error);
      return;
    }
    this.complete(value);
  }

  /** Ends the inner op before its time. */
  protected stop(error: unknown): void {
    this.dropInner();
    this.fail(error);
  }

  protected override abandon(): boolean {
    this.disarm();
    this.dropInner();
    return true;
  }

  private dropInner(): void {
    this.inner?.cancel();
    this.inner = null;
  }
}
