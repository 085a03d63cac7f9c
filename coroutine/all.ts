// all(...ops): starts all ops at once and waits for all. Out: their values in the order of the arguments; the first failure
// fails the whole and cancels the rest.

import { GroupOp } from './group-op.js';
import type { Op, PooledOp } from './op.js';
import type { Task } from './task.js';

type Values<T extends readonly Op<unknown>[]> = { -readonly [K in keyof T]: T[K] extends Op<infer V> ? V : never };

const pool: AllOp[] = [];
const NONE: unknown[] = [];

class AllOp extends GroupOp<unknown[]> {
  private values: unknown[] = [];
  private missing = 0;

  static make(ops: readonly Op<unknown>[]): AllOp {
    const all = pool.pop()?.open() ?? new AllOp();
    const count = ops.length;
    all.hold(ops);
    all.values = count === 2 ? [undefined, undefined] : new Array(count);
    return all;
  }

  protected override start(task: Task): void {
    const { ops, count } = this;
    this.missing = count;
    try {
      for (let i = 0; i < count; i++) {
        const op = ops[i] as PooledOp<unknown>;
        op.begin(task, this);
        if (op.isSettled && !this.collect(i, op)) return;
      }
    } catch (error) {
      this.dropAll();
      throw error;
    }
    this.completeWhenFull();
  }

  settled(op: PooledOp<unknown>): void {
    let index = 0;
    while (this.ops[index] !== op) index++;
    if (this.collect(index, op)) this.completeWhenFull();
  }

  /** False: it failed, and so did the whole. */
  private collect(index: number, op: PooledOp<unknown>): boolean {
    this.ops[index] = null;
    try {
      this.values[index] = op.take();
    } catch (error) {
      this.dropAll();
      this.fail(error);
      return false;
    }
    this.missing--;
    return true;
  }

  private completeWhenFull(): void {
    if (this.missing === 0) this.complete(this.values);
  }

  /** What has come already is given back as well. */
  private dropAll(): void {
    this.dropOps();
    this.discard(this.values);
  }

  protected override abandon(): boolean {
    this.dropAll();
    return true;
  }

  protected override recycle(): void {
    this.values = NONE;
    pool.push(this);
  }
}

export function all<const T extends readonly Op<unknown>[]>(...ops: T): Op<Values<T>> {
  return AllOp.make(ops) as unknown as Op<Values<T>>;
}
