// RunWatch: notices a handler that keeps its thread, from one `yield*` to the next, longer than a bound.
// In: begin() before a burst of entries, ran() behind each while `isClose`, end() behind the last. Out: slow() with name, level
// and milliseconds. Invariant: what is reported did take so long, apart from time in which others had the core. A reading of
// the clock costs as much as a short handler, so bursts are timed, and each entry only for a minute after a burst of several
// took too long: in a crowd the first one may pass.
export interface RunWatchOptions {
  boundMs: number;
  slow: (name: string, level: number, ms: number) => void;
  /** Microseconds in which this thread was ready to run and another had its core; without it they count as the handler's. */
  waitedUs?: (() => number) | undefined;
}

/** How long each entry is timed after a burst of several that took too long. */
const CLOSE_US = 60_000_000;

/** Of work whose label is 0. */
const UNNAMED = 'code outside of handlers';

/** Names of handlers by label, 1 and on; a label is a small number that a task carries. */
export class Labels {
  private readonly names = [UNNAMED];
  private readonly numbers = new Map<string, number>();

  of(name: string): number {
    let label = this.numbers.get(name);
    if (label === undefined) {
      label = this.names.push(name) - 1;
      this.numbers.set(name, label);
    }
    return label;
  }

  name(label: number): string {
    return this.names[label] ?? UNNAMED;
  }
}

export class RunWatch {
  /** Each entry is timed by itself. */
  isClose = false;
  private readonly boundUs: number;
  private readonly slow: RunWatchOptions['slow'];
  private readonly labels: Labels;
  private readonly clockUs: () => number;
  private readonly waitedUs: () => number;
  private sinceUs = 0;
  private closeUntilUs = 0;
  /** What waitedUs() said last, and when: it costs more than a clock, so it is asked four times per bound. */
  private waited = 0;
  private waitedAtUs = 0;

  constructor({ boundMs, slow, waitedUs = () => 0 }: RunWatchOptions, labels: Labels, clockUs: () => number) {
    this.boundUs = boundMs * 1000;
    this.slow = slow;
    this.labels = labels;
    this.clockUs = clockUs;
    this.waitedUs = waitedUs;
  }

  begin(): void {
    this.sinceUs = this.clockUs();
    if (this.sinceUs - this.waitedAtUs > this.boundUs / 4) this.lookAtWaiting();
  }

  private lookAtWaiting(): number {
    const before = this.waited;
    this.waited = this.waitedUs();
    this.waitedAtUs = this.sinceUs;
    return this.waited - before;
  }

  ran(label: number, level: number): void {
    const tookUs = this.lap();
    if (tookUs === 0) return;
    this.slow(this.labels.name(label), level, tookUs / 1000);
    // What the report took is nobody's time.
    this.begin();
  }

  /** The burst is over: `count` entries, of which the last had this label. */
  end(count: number, label: number, level: number): void {
    if (this.isClose) {
      this.isClose = this.sinceUs < this.closeUntilUs;
      return;
    }
    if (count === 1) {
      this.ran(label, level);
      return;
    }
    if (this.lap() === 0) return;
    this.isClose = true;
    this.closeUntilUs = this.sinceUs + CLOSE_US;
  }

  /** Microseconds since the last one where they are more than the bound, else 0. Up to a quarter of the bound may be missing. */
  private lap(): number {
    const now = this.clockUs();
    const tookUs = now - this.sinceUs;
    this.sinceUs = now;
    if (tookUs <= this.boundUs) return 0;
    const own = tookUs - this.lookAtWaiting();
    return own > this.boundUs ? own : 0;
  }
}
