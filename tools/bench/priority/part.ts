// What a part of `priority` is: rows, charts, and ratios that were aimed at.

import type { LevelReport, RunReport } from '../../mcc/report.js';
import { medianOf, type Row, type Sample } from '../benchmark.js';
import type { Chart } from '../svg.js';
import type { Aim } from './aim.js';
import type { Rig } from './rig.js';

export interface PartResult {
  readonly rows: readonly Row[];
  readonly aims: readonly Aim[];
  readonly charts: readonly Chart[];
}

export interface Part {
  readonly name: string;
  readonly what: string;
  /** Of Redis; absent: as many as suit the cores. */
  readonly servers?: number;
  measure(rig: Rig): Promise<PartResult>;
}

export function levelsOf(run: RunReport | undefined): [high: LevelReport, low: LevelReport] {
  const [high, low] = run?.levels ?? [];
  if (high === undefined || low === undefined) throw new Error('mcc was stopped before its last phase');
  return [high, low];
}

/** Without a figure there is no point in a chart. */
export const ms = (us: number | null) => (us ?? Number.NaN) / 1_000;

/** What is told of any load. */
export function loadSample(run: RunReport | undefined): Sample {
  const [high, low] = levelsOf(run);
  return {
    offered_per_s: run?.offered_per_s ?? Number.NaN,
    answered_per_s: run?.answered_per_s ?? Number.NaN,
    high_answered_share: high.answered / high.offered,
    high_p50_ms: ms(high.p50_us),
    high_p99_ms: ms(high.p99_us),
    low_p50_ms: ms(low.p50_us),
    low_p99_ms: ms(low.p99_us),
    hiccup_p99_us: run?.hiccup_p99_us ?? Number.NaN,
  };
}

/** The x axis of a chart over a level's messages, if nothing else is said. */
const QUANTILES = ['p50', 'p90', 'p99', 'max'];
type Quantiles = Readonly<Record<string, unknown>>;

export function quantileColumns(high: object, quantiles: readonly string[] = QUANTILES): Sample {
  const us = (name: string) => (high as Quantiles)[`${name}_us`] as number | null;
  return Object.fromEntries(quantiles.map((name) => [`high_${name}_ms`, ms(us(name))]));
}

/** The high level of each row, from the columns of quantileColumns(). */
export function quantileChart(
  name: string,
  title: string,
  rows: readonly Row[],
  quantiles: readonly string[] = QUANTILES,
): Chart {
  return {
    ...{ name, title },
    x: 'messages of the high level',
    y: 'answered within, ms',
    logarithmicY: true,
    ticks: quantiles,
    series: rows.map((row) => ({
      name: row.name,
      points: quantiles.map((quantile, index) => [index, medianOf(rows, row.name, `high_${quantile}_ms`)] as const),
    })),
  };
}
