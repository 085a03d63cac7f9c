// Semaphore: at most so many at once, for instance calls to a service that bears no more. One per app thread.
// In: acquire() by coroutines. Out: a Permit to each, at most `permits` at the same time; the highest level first, within a
// level in the order of asking. Invariant: a permit that came free goes straight to who waits longest at the highest level
// with anybody waiting, so that nobody passes it; a permit that nobody will see goes back (giveBack in op.ts).
import { QstackError } from '../stack/errors.js';
import { type Op, PooledOp } from './op.js';
import { type WaitOptions, withSignal } from './signal.js';
import type { Task } from './task.js';
import { timeout } from './timeout.js';
import { type InLine, WaitingLines } from './waiting-line.js';

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

class AcquireOp extends PooledOp<Permit> implements InLine<AcquireOp> {
  level = 0;
  before: AcquireOp | null = null;
  after: AcquireOp | null = null;
  waits = false;
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

export class Semaphore {
  private free: number;
  private readonly lines = new WaitingLines<AcquireOp>();

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
    return this.lines.length;
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
    this.lines.push(op);
  }

  leave(op: AcquireOp): void {
    this.lines.remove(op);
  }

  /** A permit came free. */
  passOn(): void {
    const next = this.lines.shift();
    if (next === null) this.free++;
    else next.complete(new Permit(this));
  }
}
