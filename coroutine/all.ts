// all(...ops): starts all ops at once and waits for all. Out: their values in the order of the arguments; the first failure
// fails the whole and cancels the rest.

import { pooled } from './nested-op.js';
import { type Op, PooledOp, type Waiter } from './op.js';
import type { Task } from './task.js';

type Values<T extends readonly Op<unknown>[]> = { -readonly [K in keyof T]: T[K] extends Op<infer V> ? V : never };

const pool: AllOp[] = [];

class AllOp extends PooledOp<unknown[]> implements Waiter {
  private ops: (PooledOp<unknown> | null)[] = [];
  private values: unknown[] = [];
  private missing = 0;

  static make(ops: readonly Op<unknown>[]): AllOp {
    const all = pool.pop()?.open() ?? new AllOp();
    for (const op of ops) {
      all.ops.push(pooled(op));
      all.task ??= pooled(op).task;
    }
    all.values = new Array(ops.length);
    return all;
  }

  protected override start(task: Task): void {
    const { ops } = this;
    this.missing = ops.length;
    for (let i = 0; i < ops.length; i++) {
      const op = ops[i] as PooledOp<unknown>;
      op.begin(task, this);
      if (op.isSettled && !this.collect(i, op)) return;
    }
    this.completeWhenFull();
  }

  settled(op: PooledOp<unknown>): void {
    if (this.collect(this.ops.indexOf(op), op)) this.completeWhenFull();
  }

  /** False: it failed, and so did the whole. */
  private collect(index: number, op: PooledOp<unknown>): boolean {
    this.ops[index] = null;
    try {
      this.values[index] = op.take();
    } catch (error) {
      this.dropOps();
      this.fail(error);
      return false;
    }
    this.missing--;
    return true;
  }

  private completeWhenFull(): void {
    if (this.missing === 0) this.complete(this.values);
  }

  private dropOps(): void {
    for (const op of this.ops) op?.cancel();
    this.ops.length = 0;
  }

  protected override abandon(): boolean {
    this.dropOps();
    return true;
  }

  protected override recycle(): void {
    this.ops.length = 0;
    this.values = [];
    pool.push(this);
  }
}

export function all<const T extends readonly Op<unknown>[]>(...ops: T): Op<Values<T>> {
  return AllOp.make(ops) as unknown as Op<Values<T>>;
}
