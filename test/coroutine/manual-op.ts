// What tests under explicit time share: an op that the test itself completes, and milliseconds as stamps.
import { PooledOp } from '../../coroutine/index.js';

export const msStamp = (ms: number) => Math.round(ms * 15625) >>> 0;

export class ManualOp<T> extends PooledOp<T> {
  protected override start(): void {}
  protected override abandon(): boolean {
    return true;
  }
}
