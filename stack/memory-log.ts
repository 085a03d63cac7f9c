// MemoryLog: says how a stack's memory comes into place: how far touching it is, while that takes long, and how long it took.
// In: bytes that are touched, from native; the plan. Out: lines at `info`.
import type { Plan } from '../mempool/plan.js';
import { formatDuration, formatSize } from './config/units.js';
import type { Log } from './log.js';

export class MemoryLog {
  private readonly startedMs = performance.now();

  constructor(
    private readonly log: Log,
    private readonly plan: Plan,
  ) {}

  /** So much is in place. */
  readonly touched = (bytes: number): void => {
    const { startBytes } = this.plan;
    const sentence = `${formatSize(bytes)} of ${formatSize(startBytes)} of memory are in place`;
    this.log.info('MEMORY', sentence, { bytes, startBytes });
  };

  /** The pools are, and what each app thread keeps by connection. */
  placed(): void {
    const ms = Math.round(performance.now() - this.startedMs);
    const { startBytes, bytes } = this.plan;
    const sentence = `${formatSize(startBytes)} of memory in place after ${formatDuration(ms)}; ${formatSize(bytes)} at most`;
    this.log.info('MEMORY_IN_PLACE', sentence, { startBytes, bytes, ms });
  }
}
