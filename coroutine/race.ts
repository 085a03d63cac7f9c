// race(...ops): starts all ops at once and ends with the first. Out: its value, or its failure as a throw; the others are
// cancelled: their timers are disarmed, nobody hears of what they asked for, and what still comes of it is given back.
import { QstackError } from '../stack/errors.js';
import { GroupOp } from './group-op.js';
import type { Op, PooledOp } from './op.js';
import type { Task } from './task.js';

type Value<T extends readonly Op<unknown>[]> = T[number] extends Op<infer V> ? V : never;

const pool: RaceOp[] = [];

class RaceOp extends GroupOp<unknown> {
  static make(ops: readonly Op<unknown>[]): RaceOp {
    if (ops.length === 0) throw new QstackError('QST_ERR_INVALID_ARGUMENT', 'race() without an op would never end');
    const race = pool.pop()?.open() ?? new RaceOp();
    race.hold(ops);
    return race;
  }

  protected override start(task: Task): void {
    const { ops, count } = this;
    try {
      for (let i = 0; i < count; i++) {
        const op = ops[i] as PooledOp<unknown>;
        op.begin(task, this);
        if (op.isSettled) {
          this.settled(op);
          return;
        }
      }
    } catch (error) {
      this.dropOps();
      throw error;
    }
  }

  settled(winner: PooledOp<unknown>): void {
    this.ops[this.ops.indexOf(winner)] = null;
    this.dropOps();
    let value: unknown;
    try {
      value = winner.take();
    } catch (error) {
      this.fail(error);
      return;
    }
    this.complete(value);
  }

  protected override recycle(): void {
    pool.push(this);
  }
}

export function race<const T extends readonly Op<unknown>[]>(...ops: T): Op<Value<T>> {
  return RaceOp.make(ops) as unknown as Op<Value<T>>;
}
