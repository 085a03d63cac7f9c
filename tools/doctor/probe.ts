// Probe: a busy loop for a moment, as a polling thread has it, and the gaps in it. In: how long. Out: the longest gap of each
// millisecond as a percentile, the longest of all, and the share of time that the hypervisor took.
import type { Source } from './source.js';

export interface Probe {
  readonly seconds: number;
  readonly gapP99Ms: number;
  readonly gapMaxMs: number;
  readonly stealShare: number;
}

const WINDOW_MS = 1;
/** Between two looks at whether a signal has come. */
const SLICE_MS = 100;

export function percentile(sorted: readonly number[], share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? 0;
}

/** Ticks in all, and those that were stolen, of all cores. */
function ticks(source: Source): { all: number; stolen: number } {
  const numbers = (/^cpu\s+(.*)$/m.exec(source.read('/proc/stat') ?? '')?.[1] ?? '').split(/\s+/).map(Number);
  return { all: numbers.slice(0, 8).reduce((sum, n) => sum + n, 0), stolen: numbers[7] ?? 0 };
}

/** Polls for a slice; the longest gap of each window. */
function poll(sliceMs: number, gaps: number[]): void {
  let last = performance.now();
  const end = last + sliceMs;
  let window = last + WINDOW_MS;
  let longest = 0;
  while (last < end) {
    const now = performance.now();
    if (now - last > longest) longest = now - last;
    last = now;
    if (now < window) continue;
    gaps.push(longest);
    longest = 0;
    window = now + WINDOW_MS;
  }
}

export async function probe(source: Source, durationMs: number): Promise<Probe> {
  const gaps: number[] = [];
  const before = ticks(source);
  const began = performance.now();
  while (performance.now() - began < durationMs) {
    poll(Math.min(SLICE_MS, durationMs), gaps);
    await new Promise((done) => setImmediate(done));
  }
  const after = ticks(source);
  const sorted = gaps.sort((a, b) => a - b);
  return {
    seconds: Math.round(performance.now() - began) / 1_000,
    gapP99Ms: percentile(sorted, 0.99),
    gapMaxMs: sorted.at(-1) ?? 0,
    stealShare: after.all > before.all ? (after.stolen - before.stolen) / (after.all - before.all) : 0,
  };
}
