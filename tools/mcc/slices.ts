// Slices: what happened in each second of a run. In: the engine's successive views and its latencies so far. Out: the
// difference of two of them. All slices of a run together are the whole run: nothing is counted twice or left out.
import { Histogram } from '../histogram/histogram.js';
import type { Slice, SliceLevel } from '../report/timeline.js';
import type { LevelCounts, View } from './native.js';

/** Counts of a slice's levels, in the order of the flow. */
export const SLICE_COUNTS = ['offered', 'sent', 'answered', 'errors'] as const;

interface Look {
  elapsedNs: number;
  levels: readonly LevelCounts[];
  latencies: readonly Histogram[];
}

export class SliceTaker {
  private before: Look = { elapsedNs: 0, levels: [], latencies: [] };

  /** Milliseconds since the epoch. */
  constructor(private readonly startMs: number) {}

  /** `latencies`: of the run so far, by level. Undefined: no time has passed. */
  take(view: View, latencies: readonly Histogram[]): Slice | undefined {
    const { before } = this;
    if (view.elapsedNs <= before.elapsedNs) return undefined;
    this.before = { elapsedNs: view.elapsedNs, levels: view.levels, latencies };
    return {
      startMs: this.startMs + before.elapsedNs / 1e6,
      endMs: this.startMs + view.elapsedNs / 1e6,
      levels: view.levels.map((level, index) => sliceLevel(level, latencies[index], before, index)),
      gauges: { connected: view.connected, 'in flight': view.inFlight, waiting: view.waiting },
    };
  }
}

function sliceLevel(now: LevelCounts, latency = Histogram.empty, before: Look, index: number): SliceLevel {
  const old = before.levels[index];
  const counts = Object.fromEntries(SLICE_COUNTS.map((name) => [name, now[name] - (old?.[name] ?? 0)]));
  return { counts, latency: latency.since(before.latencies[index] ?? Histogram.empty) };
}
