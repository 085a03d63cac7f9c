// GroupOp: an op over several others, the base of all() and race(). In: ops. Out: what the subclass makes of their outcomes.
// Invariant: each op is taken or cancelled exactly once; those that were taken are null.
import { pooled } from './nested-op.js';
import { type Op, PooledOp, type Waiter, wrapped } from './op.js';

export abstract class GroupOp<T> extends PooledOp<T> implements Waiter {
  /** The first `count` count. It never shrinks: growing an array anew costs each time. */
  protected readonly ops: (PooledOp<unknown> | null)[] = [];
  protected count = 0;

  abstract settled(op: PooledOp<unknown>): void;

  protected hold(ops: readonly Op<unknown>[]): void {
    const count = ops.length;
    for (let i = 0; i < count; i++) {
      const op = pooled(ops[i] as Op<unknown>);
      wrapped(op);
      this.ops[i] = op;
      this.task ??= op.task;
    }
    this.count = count;
  }

  protected dropOps(): void {
    for (let i = 0; i < this.count; i++) {
      this.ops[i]?.cancel();
      this.ops[i] = null;
    }
  }

  protected override abandon(): boolean {
    this.dropOps();
    return true;
  }
}
