// Thresholds: `--fail-if 'p99(high)>2ms'`. In: expressions, and the reports of the runs. Out: for each expression whether it came
// true, in which run, and with which value. A search for the capacity is no run to judge: it goes to the limit on purpose.
import { parseCount, parseDurationMs, parseRatePerS, parseShare } from '../../stack/config/units.js';
import type { LevelReport, RunReport } from './report.js';

const TIMES = {
  p50: 'p50_us',
  p90: 'p90_us',
  p99: 'p99_us',
  'p99.9': 'p999_us',
  'p99.99': 'p9999_us',
  max: 'max_us',
} as const satisfies Record<string, keyof LevelReport>;
/** Of each level. */
const COUNTS = { lost: 'lost', errors: 'errors', failed: 'failed_sends', unsent: 'unsent' } as const;
/** Of a run as a whole. */
const TOTALS = { mismatched: 'mismatched', reconnects: 'reconnects' } as const;
const OPERATORS = {
  '>': (value: number, limit: number) => value > limit,
  '>=': (value: number, limit: number) => value >= limit,
  '<': (value: number, limit: number) => value < limit,
  '<=': (value: number, limit: number) => value <= limit,
} as const;

const METRICS = [...Object.keys(TIMES), ...Object.keys(COUNTS), ...Object.keys(TOTALS), 'rate'];
export const THRESHOLD_SYNTAX = `METRIC[(LEVEL)] and one of ${Object.keys(OPERATORS).join(' ')} and a value, such as 'p99(high)>2ms', 'lost>0.1%', 'rate<50k/s'; METRIC is one of ${METRICS.join(', ')}`;

export interface Threshold {
  readonly expression: string;
  readonly metric: string;
  readonly level: string | undefined;
  readonly operator: keyof typeof OPERATORS;
  /** Microseconds of a time, messages a second of a rate; otherwise a number of messages, or a share of those sent. */
  readonly limit: number;
  readonly isShare: boolean;
}

export interface Verdict {
  readonly expression: string;
  readonly failed: boolean;
  /** Of the run that failed, or else of the worst; microseconds, messages, a share, or messages a second. */
  readonly value: number | null;
  readonly phase: string | null;
}

const has = <Table extends object>(table: Table, name: string): name is keyof Table & string =>
  Object.hasOwn(table, name);

function limitOf(metric: string, text: string): { limit: number; isShare: boolean } | undefined {
  if (has(TIMES, metric)) {
    const ms = parseDurationMs(text);
    return ms === undefined ? undefined : { limit: ms * 1_000, isShare: false };
  }
  const isShare = text.endsWith('%');
  const limit = metric === 'rate' ? parseRatePerS(text) : isShare ? parseShare(text) : parseCount(text);
  return limit === undefined ? undefined : { limit, isShare };
}

/** Or the sentence that says what is wrong. */
export function parseThreshold(expression: string, levels: readonly string[]): Threshold | string {
  const parts = /^\s*([a-z][\w.]*?)\s*(?:\(\s*([\w-]+)\s*\))?\s*(>=|<=|>|<)\s*([^\s<>=][^<>=]*?)\s*$/i.exec(expression);
  if (parts === null) return `"${expression}" is no condition; ${THRESHOLD_SYNTAX}`;
  const [, metric = '', level, operator = '>', text = ''] = parts;
  if (!METRICS.includes(metric)) return `"${metric}" in "${expression}" is not known; ${THRESHOLD_SYNTAX}`;
  if (level !== undefined && has(TOTALS, metric)) return `"${metric}" is counted for all levels together`;
  if (level !== undefined && !levels.includes(level)) return `there is no level "${level}", but ${levels.join(', ')}`;
  const limit = limitOf(metric, text);
  if (limit === undefined) {
    const unit = has(TIMES, metric)
      ? 'a time with its unit, such as 2ms'
      : metric === 'rate'
        ? 'a rate'
        : 'a number or a percentage';
    return `"${text}" in "${expression}" is not accepted; ${unit}`;
  }
  return { expression, metric, level, operator: operator as keyof typeof OPERATORS, ...limit };
}

const sum = (levels: readonly LevelReport[], of: (level: LevelReport) => number) =>
  levels.reduce((total, level) => total + of(level), 0);

/** Undefined: the run has nothing of the kind. Null: there should be a time, and nothing was answered. */
function measured({ metric, level, operator, isShare }: Threshold, run: RunReport): number | null | undefined {
  const levels = run.levels.filter(({ name, sent }) => sent > 0 && (level === undefined || name === level));
  if (has(TIMES, metric)) {
    const awaited = levels.filter(({ lost }) => lost !== null).map((report) => report[TIMES[metric]]);
    if (awaited.length === 0) return undefined;
    if (awaited.includes(null)) return null;
    return (operator.startsWith('>') ? Math.max : Math.min)(...(awaited as number[]));
  }
  const answered = sum(levels, (report) => report.answered);
  const all = sum(run.levels, (report) => report.answered);
  if (metric === 'rate') return all === 0 ? 0 : (run.answered_per_s * answered) / all;
  const count = has(TOTALS, metric)
    ? run[TOTALS[metric]]
    : sum(levels, (report) => report[COUNTS[metric as keyof typeof COUNTS]] ?? 0);
  return isShare
    ? count /
        Math.max(
          1,
          sum(levels, ({ sent }) => sent),
        )
    : count;
}

export function judge(threshold: Threshold, runs: readonly RunReport[]): Verdict {
  const { expression, operator, limit } = threshold;
  let worst: Verdict = { expression, failed: false, value: null, phase: null };
  for (const run of runs) {
    if (run.phase.startsWith('capacity')) continue;
    const value = measured(threshold, run);
    if (value === undefined) continue;
    const verdict = { expression, value, phase: run.phase };
    if (value === null || OPERATORS[operator](value, limit)) return { ...verdict, failed: true };
    const isWorse = worst.value === null || (operator.startsWith('>') ? value > worst.value : value < worst.value);
    if (isWorse) worst = { ...verdict, failed: false };
  }
  return worst;
}

function formatValue({ metric, isShare }: Threshold, value: number): string {
  if (has(TIMES, metric)) return `${value} us`;
  if (metric === 'rate') return `${Math.round(value)}/s`;
  return isShare ? `${Number((value * 100).toPrecision(3))}%` : String(value);
}

/** `p99(high)>2ms failed: 3210 us in paced:50000`, or nothing. */
export function failureLine(threshold: Threshold, { failed, value, phase }: Verdict): string | undefined {
  if (!failed) return undefined;
  const what = value === null ? 'nothing was answered' : formatValue(threshold, value);
  return `${threshold.expression} came true: ${what} in ${phase}`;
}
