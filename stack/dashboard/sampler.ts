// Sampler: takes a reading of a source once a second, and keeps what the last minutes showed.
// In: a source. Out: snapshots by number. Invariant: one reading a second however many look; `lazy`: none at all while nobody
// has asked for IDLE_MS, so a server that nobody watches pays nothing.
import type { Snapshot } from './snapshot.js';
import type { DashboardSource, Reading } from './source.js';

const PERIOD_MS = 1_000;
const IDLE_MS = 10_000;
/** Five minutes. */
const KEPT = 300;

export class Sampler {
  private readonly source: DashboardSource;
  private readonly lazy: boolean;
  private readonly kept: Snapshot[] = [];
  private before: Reading | null = null;
  private number = 0;
  private askedMs = 0;
  private hasFailed = false;
  private timer: NodeJS.Timeout | null = null;
  private readonly waiting: (() => void)[] = [];

  constructor(source: DashboardSource, lazy: boolean) {
    this.source = source;
    this.lazy = lazy;
    if (!lazy) this.start();
  }

  private start(): void {
    if (this.timer !== null) return;
    this.before = null;
    const take = () => void this.take().catch((error: Error) => this.failed(error));
    this.timer = setInterval(take, PERIOD_MS).unref();
    take();
  }

  /** Who watches must not end what is watched: said once, and the next second is tried again. */
  private failed({ message }: Error): void {
    if (this.hasFailed) return;
    this.hasFailed = true;
    process.stderr.write(`dashboard: a snapshot failed: ${message}\n`);
  }

  private async take(): Promise<void> {
    if (this.lazy && performance.now() - this.askedMs > IDLE_MS) {
      this.stop();
      return;
    }
    const now = await this.source.read().catch(() => null);
    if (now === null || this.timer === null) return;
    const { before } = this;
    this.before = now;
    if (before === null) return;
    const snapshot = await this.source.snapshot(now, before);
    if (this.timer === null) return;
    const number = ++this.number;
    this.kept.push({ number, ...snapshot });
    if (this.kept.length > KEPT) this.kept.shift();
    for (const resolve of this.waiting.splice(0)) resolve();
  }

  /** Those behind number `after`; the first one is waited for. */
  async snapshots(after: number): Promise<Snapshot[]> {
    this.askedMs = performance.now();
    this.start();
    // A reader that stopped for long wants what is now, not what was.
    const ageMs = Date.now() - (this.kept.at(-1)?.at_ms ?? 0);
    if (ageMs > 2 * PERIOD_MS) await new Promise<void>((resolve) => this.waiting.push(resolve));
    // A number from before a restart of the program is above all of ours.
    const from = after > this.number ? 0 : after;
    return this.kept.filter(({ number }) => number > from);
  }

  stop(): void {
    if (this.timer !== null) clearInterval(this.timer);
    this.timer = null;
    for (const resolve of this.waiting.splice(0)) resolve();
  }
}
