// Sojourn: how long messages and their replies were in each stage, by level, as histograms, so that a tail shows where it grew.
// In: times in stamps (64 ns). Out: counts by stage, level and cell, and percentiles of them. Cells are those of
// native/abi/log_cells.hh with 4 exact bits: at most an eighth of their value wide.

/** In the order of a message's way. The first and the last three are counted by the stack's thread. */
export const STAGES = ['tcp', 'ring', 'queue', 'handler', 'redis', 'send', 'tx', 'wire'] as const;
export type Stage = (typeof STAGES)[number];

/** In the order of native/abi/sojourn.hh. */
const STACK_STAGES: readonly Stage[] = ['tcp', 'send', 'tx', 'wire'];
const APP_STAGES: readonly Stage[] = ['ring', 'queue', 'handler', 'redis'];
export const RING = 0;
export const QUEUE = 1;
export const HANDLER = 2;
export const REDIS = 3;

const EXACT_BITS = 4;
const EXACT = 1 << EXACT_BITS;
const PER_DOUBLING = EXACT / 2;
export const CELLS = EXACT + (32 - EXACT_BITS) * PER_DOUBLING;
export const US_PER_STAMP = 0.064;

export interface StageTime {
  stage: Stage;
  level: string;
  count: number;
  p50_us: number;
  p99_us: number;
  p999_us: number;
  max_us: number;
}

/** `stamps`: 0 … 2^32 - 1. */
export function cellOf(stamps: number): number {
  if (stamps < EXACT) return stamps;
  const shift = 32 - Math.clz32(stamps) - EXACT_BITS;
  return EXACT + (shift - 1) * PER_DOUBLING + (stamps >>> shift) - PER_DOUBLING;
}

/** The largest value that falls into the cell. */
export function highestOf(cell: number): number {
  if (cell < EXACT) return cell;
  const shift = Math.floor((cell - EXACT) / PER_DOUBLING) + 1;
  return (PER_DOUBLING + ((cell - EXACT) % PER_DOUBLING) + 1) * 2 ** shift - 1;
}

/** The half that one app thread counts. */
export class AppSojourn {
  readonly cells: Float64Array;

  constructor(private readonly levels: number) {
    this.cells = new Float64Array(APP_STAGES.length * levels * CELLS);
  }

  /** Both in stamps. A record may be written after this turn has read the clock: that is no time at all. */
  record(stage: number, level: number, since: number, now: number): void {
    const time = (now - since) | 0;
    const at = (stage * this.levels + level) * CELLS + (time < 0 ? 0 : cellOf(time));
    this.cells[at] = (this.cells[at] as number) + 1;
  }
}

/** Counts of one stage and level, by cell. */
export interface StageCells {
  stage: Stage;
  level: string;
  cells: Float64Array;
}

/** Adds up the app threads; `stack` and `apps` are as native sojourn() and AppSojourn give them. */
export function stageCells(
  levels: readonly string[],
  stack: Float64Array,
  apps: readonly Float64Array[],
): StageCells[] {
  const sum = new Float64Array(APP_STAGES.length * levels.length * CELLS);
  for (const cells of apps) for (let i = 0; i < sum.length; i++) sum[i] = (sum[i] as number) + (cells[i] as number);
  return STAGES.flatMap((stage) => {
    const inApp = APP_STAGES.includes(stage);
    const first = (inApp ? APP_STAGES : STACK_STAGES).indexOf(stage) * levels.length;
    return levels.map((level, index) => {
      const at = (first + index) * CELLS;
      return { stage, level, cells: (inApp ? sum : stack).subarray(at, at + CELLS) };
    });
  });
}

export function stageTimes(levels: readonly string[], stack: Float64Array, apps: readonly Float64Array[]): StageTime[] {
  return stageCells(levels, stack, apps).map(({ stage, level, cells }) => timeOf(stage, level, cells));
}

export function timeOf(stage: Stage, level: string, cells: Float64Array): StageTime {
  let count = 0;
  for (const n of cells) count += n;
  const [p50_us = 0, p99_us = 0, p999_us = 0, max_us = 0] = count === 0 ? [] : quantilesUs(cells, count);
  return { stage, level, count, p50_us, p99_us, p999_us, max_us };
}

const SHARES = [0.5, 0.99, 0.999, 1] as const;

/** The ends of the cells that hold them, in one walk. */
function quantilesUs(cells: Float64Array, count: number): number[] {
  const found: number[] = [];
  let seen = 0;
  for (let cell = 0; cell < CELLS && found.length < SHARES.length; cell++) {
    seen += cells[cell] as number;
    for (let at = found.length; at < SHARES.length; at++) {
      if (seen < Math.max(1, Math.ceil(count * (SHARES[at] as number)))) break;
      found.push(Math.round(highestOf(cell) * US_PER_STAMP * 1000) / 1000);
    }
  }
  return found;
}
