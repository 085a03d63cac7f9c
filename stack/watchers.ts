// Watchers: who waits for something of a connection that is rarely asked for: drained, closed, a signal.
// In: watch… by handlers, drained and closed by events. Out: ops completed, promises settled, signals aborted.
// Invariant: nothing is kept for connections that nobody watches.
import { type CloseReason, closeError } from './close-reason.js';
import type { DrainOp } from './connection.js';

interface Watch {
  generation: number;
  controller: AbortController | null;
  closed: Promise<CloseReason> | null;
  settle: ((reason: CloseReason) => void) | null;
}

export class Watchers {
  private readonly drains = new Map<number, DrainOp>();
  private readonly watches = new Map<number, Watch>();
  private lastCookie = 0;

  /** The cookie of the drain record. */
  watchDrain(op: DrainOp): number {
    this.lastCookie = (this.lastCookie + 1) & 0x3fffffff || 1;
    op.cookie = this.lastCookie;
    this.drains.set(op.cookie, op);
    return op.cookie;
  }

  forgetDrain(op: DrainOp): void {
    this.drains.delete(op.cookie);
  }

  drained(cookie: number): void {
    const op = this.drains.get(cookie);
    this.drains.delete(cookie);
    op?.complete();
  }

  private watch(slot: number, generation: number): Watch {
    let watch = this.watches.get(slot);
    if (watch?.generation !== generation) {
      watch = { generation, controller: null, closed: null, settle: null };
      this.watches.set(slot, watch);
    }
    return watch;
  }

  /** Of a connection that is open; so with closing(). */
  signal(slot: number, generation: number): AbortSignal {
    const watch = this.watch(slot, generation);
    watch.controller ??= new AbortController();
    return watch.controller.signal;
  }

  closing(slot: number, generation: number): Promise<CloseReason> {
    const watch = this.watch(slot, generation);
    watch.closed ??= new Promise((resolve) => {
      watch.settle = resolve;
    });
    return watch.closed;
  }

  /** It is gone, and handlers of its messages still run: they learn it, and who waits for its end when they are done. */
  interrupt(slot: number, generation: number, reason: CloseReason): void {
    if (this.drains.size > 0) this.failDrains(slot, generation, reason);
    const watch = this.watches.get(slot);
    if (watch?.generation === generation) watch.controller?.abort(closeError(reason, 'signal'));
  }

  closed(slot: number, generation: number, reason: CloseReason): void {
    this.interrupt(slot, generation, reason);
    const watch = this.watches.get(slot);
    if (watch?.generation !== generation) return;
    this.watches.delete(slot);
    watch.settle?.(reason);
  }

  private failDrains(slot: number, generation: number, reason: CloseReason): void {
    for (const op of this.drains.values()) {
      if (op.slot !== slot || op.generation !== generation) continue;
      this.drains.delete(op.cookie);
      op.fail(closeError(reason, 'drain()'));
    }
  }
}
