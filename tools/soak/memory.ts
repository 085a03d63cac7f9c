// Is memory flat? In: a process's memory in the course of time. Out: its slope behind the warm-up, as the median of the slopes
// between all pairs of readings (Theil and Sen): a peak now and then moves it by next to nothing, a leak moves all of them.
import { median } from '../bench/statistics.js';

export interface Reading {
  readonly atS: number;
  readonly bytes: number;
}

export interface MemoryTrend {
  readonly warmUpS: number;
  /** Medians of the first and the last tenth behind the warm-up. */
  readonly firstBytes: number;
  readonly lastBytes: number;
  readonly bytesPerMinute: number;
  /** By this slope, from the warm-up to the end, as a share of what it was behind the warm-up. */
  readonly growth: number;
  /** Long enough to tell a leak from a heap that has not found its size. */
  readonly isJudged: boolean;
}

const WARM_UP_SHARE = 0.25;
const WARM_UP_S_MAX = 300;
/** Behind the warm-up. */
const JUDGED_S_MIN = 240;
/** So many readings, evenly spread, give pairs enough. */
const READINGS_MAX = 1_000;

function thinned(readings: readonly Reading[]): readonly Reading[] {
  const step = Math.ceil(readings.length / READINGS_MAX);
  return readings.filter((_, index) => index % step === 0);
}

/** Bytes a second. */
export function slope(readings: readonly Reading[]): number {
  const some = thinned(readings);
  const slopes: number[] = [];
  some.forEach((late, index) => {
    for (const early of some.slice(0, index)) slopes.push((late.bytes - early.bytes) / (late.atS - early.atS));
  });
  return slopes.length === 0 ? 0 : median(slopes);
}

export function trendOf(readings: readonly Reading[], ranS: number): MemoryTrend {
  const warmUpS = Math.min(WARM_UP_S_MAX, ranS * WARM_UP_SHARE);
  const warm = readings.filter(({ atS }) => atS >= warmUpS);
  const tenth = Math.max(1, Math.floor(warm.length / 10));
  const bytes = warm.map((reading) => reading.bytes);
  const firstBytes = median(bytes.slice(0, tenth));
  const bytesPerS = slope(warm);
  return {
    warmUpS,
    firstBytes,
    lastBytes: median(bytes.slice(-tenth)),
    bytesPerMinute: Math.round(bytesPerS * 60),
    growth: (bytesPerS * (ranS - warmUpS)) / firstBytes,
    isJudged: ranS - warmUpS >= JUDGED_S_MIN,
  };
}
