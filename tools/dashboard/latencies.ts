// Latencies of a tool as its page shows them. In: histograms of nanoseconds. Out: percentiles, and counts in the cells of every page
// (stack/sojourn.ts): the spectrum of five minutes in finer ones would be too much for a browser.
import { sparse } from '../../stack/dashboard/percentiles.js';
import type { LevelCells, StageFigures } from '../../stack/dashboard/snapshot.js';
import { CELLS, cellOf } from '../../stack/sojourn.js';
import type { Histogram } from '../histogram/histogram.js';

/** The only stage that a tool sees: from a request to its response. */
export const RESPONSE = 'response';

const NS_PER_STAMP = 64;
const STAMPS_MAX = 2 ** 32 - 1;

const us = (ns: number) => Math.round(ns / 10) / 100;

/** None where nothing was measured. */
export function latencyFigures(level: string, latency: Histogram): StageFigures[] {
  const { count, maxNs } = latency;
  const at = (share: number) => us(latency.percentileNs(share) ?? 0);
  if (count === 0) return [];
  return [{ stage: RESPONSE, level, count, p50_us: at(0.5), p99_us: at(0.99), p999_us: at(0.999), max_us: us(maxNs) }];
}

/** Counts by cell. */
export function cellCounts(latency: Histogram): Float64Array {
  const cells = new Float64Array(CELLS);
  for (const [ns, count] of latency) {
    const cell = cellOf(Math.min(STAMPS_MAX, Math.ceil(ns / NS_PER_STAMP)));
    cells[cell] = (cells[cell] as number) + count;
  }
  return cells;
}

export function latencyCells(level: string, latency: Histogram): LevelCells {
  return { level, cells: sparse(cellCounts(latency)) };
}
