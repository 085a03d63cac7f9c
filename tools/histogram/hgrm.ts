// `.hgrm`: HdrHistogram's percentile distribution as text, as wrk2 and jHiccup write it and HdrHistogram's plotter reads it.
// In: a histogram of nanoseconds. Out: milliseconds, five lines for each halving of the distance to 100 %.
import { toHdr } from './hdr.js';
import type { Histogram } from './histogram.js';

/** As wrk2 (`--latency`). */
const TICKS_PER_HALF = 5;
const NS_PER_MS = 1e6;

export function hgrmText(histogram: Histogram): string {
  return toHdr(histogram).outputPercentileDistribution(TICKS_PER_HALF, NS_PER_MS);
}
