// OpQueue: ops that wait in JavaScript because their level has no room in the native client; one queue per level.
// In: ops. Out: the oldest of a level; any op by itself when nobody waits for it any more. Linked through the ops.
import type { RedisOp } from './redis-op.js';

export class OpQueue {
  private first: RedisOp | null = null;
  private last: RedisOp | null = null;
  length = 0;

  get oldest(): RedisOp | null {
    return this.first;
  }

  push(op: RedisOp): void {
    op.waits = true;
    op.before = this.last;
    op.after = null;
    if (this.last === null) this.first = op;
    else this.last.after = op;
    this.last = op;
    this.length++;
  }

  remove(op: RedisOp): void {
    if (op.before === null) this.first = op.after;
    else op.before.after = op.after;
    if (op.after === null) this.last = op.before;
    else op.after.before = op.before;
    op.before = null;
    op.after = null;
    op.waits = false;
    this.length--;
  }
}
