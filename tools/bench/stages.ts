// Stages: how long messages took on their way through a running server, from two readings with nothing read between them: a
// snapshot each second, which the live page wants, is work on a core that the server needs, and part of every tail.
// In: `/api/stages` before and after. Out: a percentile of what came between.
import type { StageSpectrum } from '../../stack/dashboard/snapshot.js';
import type { ProgramClient } from '../qstack/program-client.js';

/** From the poll of a frame to the port that has taken its reply. */
const WHOLE_WAY = 'wire';

export function readStages(client: ProgramClient): Promise<StageSpectrum[]> {
  return client.get<StageSpectrum[]>('/api/stages');
}

function wayCells(stages: readonly StageSpectrum[], level: string): Map<number, number> {
  const cells = stages.find((one) => one.stage === WHOLE_WAY && one.level === level)?.cells ?? [];
  return new Map(
    Array.from({ length: cells.length / 2 }, (_, at) => [cells[2 * at], cells[2 * at + 1]] as [number, number]),
  );
}

/** p99 in milliseconds of a level on all of its way through the server; NaN: nothing of it came. */
export function wayP99Ms(before: readonly StageSpectrum[], after: readonly StageSpectrum[], level: string): number {
  const old = wayCells(before, level);
  const gained = [...wayCells(after, level)].map(([us, count]) => [us, count - (old.get(us) ?? 0)] as const);
  const sorted = gained.filter(([, count]) => count > 0).sort(([a], [b]) => a - b);
  let left = 0.99 * sorted.reduce((sum, [, count]) => sum + count, 0);
  for (const [us, count] of sorted) {
    left -= count;
    if (left <= 0) return us / 1_000;
  }
  return Number.NaN;
}
