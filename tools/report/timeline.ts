// Timeline: what happened when, in a bounded number of slices, for plots over time.
// In: slices of about a second, each with its counts and its latencies by level. Out: at most MAX_SLICES of them, the whole
// time through: when there are more, each two neighbours become one, and percentiles are those of the merged histogram.
import { Histogram } from '../histogram/histogram.js';

export interface SliceLevel {
  /** By name, of this slice alone. */
  readonly counts: Readonly<Record<string, number>>;
  readonly latency: Histogram;
}

export interface Slice {
  /** Milliseconds since the epoch. */
  readonly startMs: number;
  readonly endMs: number;
  /** Highest level first. */
  readonly levels: readonly SliceLevel[];
  /** What is counted at a moment, by name, at the slice's end. */
  readonly gauges: Readonly<Record<string, number>>;
}

/** A curve of more points than this shows nothing more on a screen, and each has a histogram per level. */
export const MAX_SLICES = 600;
/** Slices that are further apart than this have a pause between them. */
const PAUSE_MS = 250;
/** What is shorter, such as the rest of a run, says little by itself. */
const SHORT_MS = 250;

function merge(a: Slice, b: Slice): Slice {
  const levels = b.levels.map((level, index) => {
    const before = a.levels[index];
    if (before === undefined) return level;
    const names = Object.keys({ ...before.counts, ...level.counts });
    const counts = Object.fromEntries(
      names.map((name) => [name, (before.counts[name] ?? 0) + (level.counts[name] ?? 0)]),
    );
    return { counts, latency: Histogram.merge([before.latency, level.latency]) };
  });
  return { startMs: a.startMs, endMs: b.endMs, levels, gauges: b.gauges };
}

export function isPause(before: Slice | undefined, after: Slice): boolean {
  return before !== undefined && after.startMs - before.endMs > PAUSE_MS;
}

export class Timeline {
  private kept: Slice[] = [];
  /** A slice takes in those that follow it until it is so long. */
  private lengthMs = 0;

  constructor(private readonly most = MAX_SLICES) {}

  get slices(): readonly Slice[] {
    return this.kept;
  }

  /** In the order of time. */
  add(slice: Slice): void {
    this.put(slice);
    if (this.kept.length <= this.most) return;
    const [first, last] = [this.kept[0] as Slice, this.kept.at(-1) as Slice];
    this.lengthMs = Math.max(this.lengthMs * 2, ((last.endMs - first.startMs) / this.most) * 2);
    const all = this.kept;
    this.kept = [];
    for (const one of all) this.put(one);
  }

  private put(slice: Slice): void {
    const last = this.kept.at(-1);
    const isShort = slice.endMs - slice.startMs < SHORT_MS;
    const joins = last !== undefined && !isPause(last, slice);
    if (joins && (isShort || slice.endMs - last.startMs <= this.lengthMs))
      this.kept[this.kept.length - 1] = merge(last, slice);
    else this.kept.push(slice);
  }
}
