// Percentiles of histograms whose cells are those of sojourn.ts, and of differences of two of them.
// In: counts by cell. Out: counts of an interval, percentiles, and the cells that are not empty.
import { CELLS, highestOf, type StageCells, timeOf, US_PER_STAMP } from '../sojourn.js';
import type { LevelCells, StageFigures } from './snapshot.js';

/** What was counted between the two. A count that is smaller than before began anew: it is taken as it is. */
export function differenceOf(now: Float64Array, before: Float64Array | undefined): Float64Array {
  const difference = now.slice();
  for (let cell = 0; before !== undefined && cell < now.length; cell++) {
    const gained = (now[cell] as number) - (before[cell] ?? 0);
    if (gained < 0) return now.slice();
    difference[cell] = gained;
  }
  return difference;
}

export function intervalOf(now: readonly StageCells[], before: readonly StageCells[] | undefined): StageCells[] {
  return now.map((one, index) => ({ ...one, cells: differenceOf(one.cells, before?.[index]?.cells) }));
}

/** Stages and levels that anything has passed. */
export function stageFigures(cells: readonly StageCells[]): StageFigures[] {
  return cells.map(({ stage, level, cells: counts }) => timeOf(stage, level, counts)).filter(({ count }) => count > 0);
}

const toUs = (stamps: number) => Math.round(stamps * US_PER_STAMP * 1_000) / 1_000;

export function sparse(cells: Float64Array): number[] {
  const pairs: number[] = [];
  cells.forEach((count, cell) => {
    if (count > 0) pairs.push(toUs(highestOf(cell)), count);
  });
  return pairs;
}

export function levelCells(cells: readonly StageCells[], stage: string): LevelCells[] {
  return cells
    .filter((one) => one.stage === stage)
    .map(({ level, cells: counts }) => ({ level, cells: sparse(counts) }));
}

/** Adds up histograms of the same kind. */
export function sumOfCells(all: readonly Float64Array[]): Float64Array {
  const [first, ...rest] = all;
  const sum = first?.slice() ?? new Float64Array(CELLS);
  for (const one of rest)
    for (let cell = 0; cell < sum.length; cell++) sum[cell] = (sum[cell] as number) + (one[cell] ?? 0);
  return sum;
}
