// Semaphore: at most so many at once, for instance calls to a service that bears no more. One per app thread.
// In: acquire() by coroutines. Out: a Permit to each, at most `permits` at the same time; the highest level first, within a
// level in the order of asking. Invariant: a permit that came free goes straight to who waits longest at the highest level
// with anybody waiting, so that nobody passes it; a permit that nobody will see goes back (giveBack in op.ts).
import { QstackError } from '../stack/errors.js';
import { type Op, PooledOp } from './op.js';
import { highestOf } from './policy.js';
import { type WaitOptions, withSignal } from './signal.js';
import type { Task } from './task.js';
import { timeout } from './timeout.js';

export interface AcquireOptions extends WaitOptions {
  /** Who waits longer fails with QST_ERR_TIMEOUT. */
  timeoutMs?: number | undefined;
}

/** `using permit = yield* semaphore.acquire();` gives it back at the end of the block, whatever happens there. */
export class Permit {
  private semaphore: Semaphore | null;

  constructor(semaphore: Semaphore) {
    this.semaphore = semaphore;
  }

  /** The second and later calls do nothing. */
  release(): void {
    const { semaphore } = this;
    this.semaphore = null;
    semaphore?.passOn();
  }

  [Symbol.dispose](): void {
    this.release();
  }

  /** Nobody has seen it. */
  releaseResource(): void {
    this.release();
  }
}

class AcquireOp extends PooledOp<Permit> {
  level = 0;
  before: AcquireOp | null = null;
  after: AcquireOp | null = null;
  private readonly semaphore: Semaphore;

  constructor(semaphore: Semaphore) {
    super();
    this.semaphore = semaphore;
  }

  protected override start(task: Task): void {
    this.level = task.level;
    this.semaphore.enter(this);
  }

  protected override abandon(): boolean {
    this.semaphore.leave(this);
    return true;
  }
}

/** Who waits at one level: a doubly linked list, oldest first. */
class Line {
  first: AcquireOp | null = null;
  private last: AcquireOp | null = null;

  push(op: AcquireOp): void {
    op.before = this.last;
    if (this.last === null) this.first = op;
    else this.last.after = op;
    this.last = op;
  }

  remove(op: AcquireOp): void {
    if (op.before === null) this.first = op.after;
    else op.before.after = op.after;
    if (op.after === null) this.last = op.before;
    else op.after.before = op.before;
    op.before = null;
    op.after = null;
  }
}

export class Semaphore {
  private free: number;
  private readonly lines: Line[] = [];
  /** Bit L: somebody waits at level L. */
  private mask = 0;
  private waitingCount = 0;

  constructor(permits: number) {
    if (!Number.isSafeInteger(permits) || permits < 1) {
      throw new QstackError('QST_ERR_INVALID_ARGUMENT', `a semaphore of ${permits} permits; accepted is 1 or more`);
    }
    this.free = permits;
  }

  /** Permits that nobody holds. */
  get available(): number {
    return this.free;
  }

  /** How many wait for one. */
  get waiting(): number {
    return this.waitingCount;
  }

  acquire(options: AcquireOptions = {}): Op<Permit> {
    const op = new AcquireOp(this);
    return withSignal(options.signal, options.timeoutMs === undefined ? op : timeout(options.timeoutMs, op));
  }

  /** Null where it would have to wait. */
  tryAcquire(): Permit | null {
    if (this.free === 0) return null;
    this.free--;
    return new Permit(this);
  }

  enter(op: AcquireOp): void {
    const permit = this.tryAcquire();
    if (permit !== null) {
      op.complete(permit);
      return;
    }
    while (this.lines.length <= op.level) this.lines.push(new Line());
    (this.lines[op.level] as Line).push(op);
    this.mask |= 1 << op.level;
    this.waitingCount++;
  }

  leave(op: AcquireOp): void {
    const line = this.lines[op.level] as Line;
    line.remove(op);
    if (line.first === null) this.mask &= ~(1 << op.level);
    this.waitingCount--;
  }

  /** A permit came free. */
  passOn(): void {
    if (this.mask === 0) {
      this.free++;
      return;
    }
    const next = (this.lines[highestOf(this.mask)] as Line).first as AcquireOp;
    this.leave(next);
    next.complete(new Permit(this));
  }
}
