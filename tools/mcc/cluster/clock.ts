// Clock: Redis' clock beside our own, so that machines whose clocks differ begin at the same time.
// In: round trips to Redis. Out: our CLOCK_MONOTONIC for a time of Redis'. The quickest round trip of the last half minute counts:
// Redis read its clock somewhere within it, so the error is at most half of it.
const KEPT_NS = 30e9;

interface Sample {
  /** Redis' clock minus ours, ns. */
  offsetNs: number;
  roundTripNs: number;
  atNs: number;
}

const monotonicNs = () => Number(process.hrtime.bigint());

export class Clock {
  private samples: Sample[] = [];

  constructor(
    private readonly timeUs: () => Promise<number>,
    private readonly nowNs: () => number = monotonicNs,
  ) {}

  async sample(): Promise<void> {
    const before = this.nowNs();
    const timeNs = (await this.timeUs()) * 1_000;
    const atNs = this.nowNs();
    this.samples = this.samples.filter((sample) => atNs - sample.atNs < KEPT_NS);
    this.samples.push({ offsetNs: timeNs - (before + atNs) / 2, roundTripNs: atNs - before, atNs });
  }

  private best(): Sample {
    const [first, ...rest] = this.samples;
    if (first === undefined) throw new Error('the clock was never read');
    return rest.reduce((best, sample) => (sample.roundTripNs < best.roundTripNs ? sample : best), first);
  }

  get errorUs(): number {
    return Math.ceil(this.best().roundTripNs / 2_000);
  }

  /** Redis' clock now, µs. */
  nowUs(): number {
    return (this.nowNs() + this.best().offsetNs) / 1_000;
  }

  /** CLOCK_MONOTONIC when Redis' clock shows `timeUs`. */
  monotonicNs(timeUs: number): number {
    return Math.round(timeUs * 1_000 - this.best().offsetNs);
  }
}
