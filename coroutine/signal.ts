// withSignal(signal, op): an op that ends when an AbortSignal says so.
// In: a signal and an op. Out: the op's outcome, or the signal's reason as a throw; the op is cancelled then.
import { NestedOp } from './nested-op.js';
import type { Op } from './op.js';

export interface WaitOptions {
  /** Ends the waiting with the signal's reason. */
  signal?: AbortSignal | undefined;
}

class SignalOp<T> extends NestedOp<T> {
  private readonly signal: AbortSignal;
  private readonly onAbort = () => {
    this.disarm();
    this.stop(this.signal.reason);
  };

  constructor(signal: AbortSignal, op: Op<T>) {
    super();
    this.signal = signal;
    this.wrap(op);
  }

  protected override arm(): void {
    if (this.signal.aborted) this.onAbort();
    else this.signal.addEventListener('abort', this.onAbort, { once: true });
  }

  protected override disarm(): void {
    this.signal.removeEventListener('abort', this.onAbort);
  }
}

export function withSignal<T>(signal: AbortSignal | undefined, op: Op<T>): Op<T> {
  return signal === undefined ? op : new SignalOp(signal, op);
}
