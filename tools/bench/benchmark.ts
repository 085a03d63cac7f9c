// What a member of the suite is: a name, and a way to measure it that gives rows, medians and charts.
// Contenders of one comparison are measured in turns, so that a slow minute of the machine hits them all.

import { rounded, type Summary, summarize } from './statistics.js';
import type { Chart } from './svg.js';

export interface Context {
  readonly runs: number;
  /** Length of each measured window. */
  readonly seconds: number;
  readonly seed: number;
  /** Also the charts that take many runs. */
  readonly sweep: boolean;
  /** Of a member that has parts: those that were asked for. */
  readonly parts: readonly string[];
  /** Of a member that is measured at numbers of connections: those that were asked for; none: its own. */
  readonly connections: readonly number[];
  readonly say: (line: string) => void;
}

/** Figures of one run of one contender, under the names of their columns. */
export type Sample = Readonly<Record<string, number>>;

export interface Contender {
  readonly name: string;
  run(): Promise<Sample>;
}

/** One whose run gives several rows. */
export interface Survey {
  readonly name: string;
  run(): Promise<Readonly<Record<string, Sample>>>;
}

export interface Row {
  readonly name: string;
  readonly figures: Readonly<Record<string, Summary>>;
  /** Whose table it stands in; rows of no part have one of their own. */
  readonly part?: string;
}

export interface Result {
  readonly rows: readonly Row[];
  /** Medians and ratios under plain keys; by contender where a key has several. */
  readonly values: Readonly<Record<string, number | Readonly<Record<string, number>>>>;
  readonly charts: readonly Chart[];
  /** What a reader has to know beside the figures. */
  readonly notes: readonly string[];
  /** Length of its windows, where that is not what was asked for. */
  readonly seconds?: number;
  /** Of parts that failed, while the others did not. */
  readonly faults?: readonly string[];
}

export interface Benchmark {
  readonly name: string;
  readonly what: string;
  /** What can be measured alone. */
  readonly parts?: readonly string[];
  /** Why it cannot be measured here; undefined: it can. */
  missing?(): string | undefined;
  measure(context: Context): Promise<Result>;
}

/** Each contender once, then each of them again. */
export function interleaved(contenders: readonly Contender[], context: Context): Promise<Row[]> {
  const surveys = contenders.map(({ name, run }) => ({ name, run: async () => ({ [name]: await run() }) }));
  return interleavedSurveys(surveys, context);
}

/** The same, of contenders that give rows. */
export async function interleavedSurveys(surveys: readonly Survey[], context: Context): Promise<Row[]> {
  const samples = new Map<string, Sample[]>();
  for (let run = 1; run <= context.runs; ++run) {
    for (const survey of surveys) {
      for (const [name, sample] of Object.entries(await survey.run())) {
        samples.set(name, [...(samples.get(name) ?? []), sample]);
        const figures = Object.entries(sample).map(([column, value]) => `${column} ${rounded(value, 3)}`);
        context.say(`run ${run}/${context.runs}: ${name}: ${figures.join(', ')}`);
      }
    }
  }
  return [...samples].map(([name, all]) => ({ name, figures: summaries(all) }));
}

function summaries(samples: readonly Sample[]): Record<string, Summary> {
  const columns = Object.keys(samples[0] ?? {});
  return Object.fromEntries(
    columns.map((column) => [column, summarize(samples.map((one) => one[column] ?? Number.NaN))]),
  );
}

export function medianOf(rows: readonly Row[], name: string, column: string): number {
  return rows.find((row) => row.name === name)?.figures[column]?.median ?? Number.NaN;
}
