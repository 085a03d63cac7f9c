// wait(promise): lets a generator handler wait for a promise. The coroutine goes on in its level's turn, not in a microtask.
import { type Op, PooledOp } from './op.js';
import { type WaitOptions, withSignal } from './signal.js';

class WaitOp<T> extends PooledOp<T> {
  private readonly promise: PromiseLike<T>;
  private isHeard = false;

  constructor(promise: PromiseLike<T>) {
    super();
    this.promise = promise;
  }

  protected override start(): void {
    this.isHeard = true;
    this.promise.then(
      (value) => this.complete(value),
      (error: unknown) => this.fail(error),
    );
  }

  /** Cancelled before it began: as behind Promise.race(), nobody is to hear of a rejection. */
  protected override recycle(): void {
    if (!this.isHeard) this.promise.then(undefined, () => {});
  }
}

export function wait<T>(promise: PromiseLike<T>, options?: WaitOptions): Op<T> {
  return withSignal(options?.signal, new WaitOp(promise));
}
