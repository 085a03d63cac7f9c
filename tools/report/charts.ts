// The plots of a report: percentile spectrum, latencies and rates over time. In: histograms and slices. Out: HTML.
// Latencies are on a logarithmic axis, because levels and percentiles differ by powers of ten.
import type { Histogram } from '../histogram/histogram.js';
import { linearAxis, logAxis, percentileAxis, percentText, timeAxis } from '../plot/axis.js';
import { type Line, lineChart, type Point } from '../plot/line-chart.js';
import { clockText, shortCount } from '../plot/text.js';
import { isPause, type Slice } from './timeline.js';

export interface Named {
  readonly name: string;
  readonly latency: Histogram;
}

/** A time in the unit that fits, at most three digits. */
export function timeText(ns: number): string {
  for (const [unit, size] of [
    ['s', 1e9],
    ['ms', 1e6],
    ['µs', 1e3],
  ] as const) {
    if (ns >= size) return `${Number((ns / size).toPrecision(3))} ${unit}`;
  }
  return `${Math.round(ns)} ns`;
}

/** As many points for each halving of the distance to 100 % as `.hgrm` has; the last one is the maximum. */
function spectrumShares(count: number): number[] {
  if (count === 0) return [];
  const shares: number[] = [];
  const last = 0.5 / count;
  for (let distance = 1; distance > last; distance /= 2 ** 0.2) shares.push(1 - distance);
  return [...shares, 1 - last];
}

function spectrumLine({ name, latency }: Named, index: number): Line {
  const points = spectrumShares(latency.count).map((share): Point => {
    const ns = latency.percentileNs(share) ?? 0;
    return { x: share, y: ns, text: `${percentText(share)}: ${timeText(ns)}` };
  });
  return { name, look: `s${index % 8}`, points };
}

/** Latency by percentile, a line for each level that was answered; '' where none was. */
export function spectrumChart(title: string, levels: readonly Named[]): string {
  const lines = levels.map(spectrumLine).filter(({ points }) => points.length > 0);
  if (lines.length === 0) return '';
  const y = logAxis(
    lines.flatMap(({ points }) => points.map((point) => (point as Point).y)),
    timeText,
  );
  const most = Math.max(...levels.map(({ latency }) => latency.count));
  return lineChart({ title, x: percentileAxis(0.5 / most), y, lines });
}

export interface OverTime {
  readonly title: string;
  readonly slices: readonly Slice[];
  /** Where runs begin: milliseconds since the epoch and name. */
  readonly runs: readonly (readonly [startMs: number, name: string])[];
}

type Value = (slice: Slice) => number | undefined;

function overTime(what: OverTime, name: string, look: string, value: Value, text: (value: number) => string): Line {
  const startMs = what.slices[0]?.startMs ?? 0;
  const points = what.slices.flatMap((slice, index) => {
    const y = value(slice);
    const x = (slice.endMs - startMs) / 1_000;
    const point = y === undefined ? undefined : { x, y, text: `${text(y)} at ${clockText(x)}` };
    return isApart(what, what.slices[index - 1], slice) ? [undefined, point] : [point];
  });
  return { name, look, points };
}

/** Two slices that no line joins. */
function isApart({ runs }: OverTime, before: Slice | undefined, after: Slice): boolean {
  if (before === undefined) return false;
  return isPause(before, after) || runs.some(([startMs]) => startMs > before.startMs && startMs <= after.startMs);
}

/** So far apart that most of them would lie on the axis. */
function areFarApart(values: readonly number[]): boolean {
  const positive = values.filter((value) => value > 0).sort((a, b) => a - b);
  const [median = 0, most = 0] = [positive[Math.floor(positive.length / 2)], positive.at(-1)];
  const [least = 0] = positive;
  return most > 30 * median || median > 30 * least;
}

function timeChart(
  what: OverTime,
  lines: readonly Line[],
  isLatency: boolean,
  format: (value: number) => string,
): string {
  const values = lines.flatMap(({ points }) => points.flatMap((point) => (point === undefined ? [] : [point.y])));
  const [first, last] = [what.slices[0], what.slices.at(-1)];
  if (values.length === 0 || first === undefined || last === undefined) return '';
  const seconds = (ms: number) => (ms - first.startMs) / 1_000;
  const bounds = what.runs.length < 2 ? [] : what.runs.map(([ms, name]) => [seconds(ms), name] as const);
  const y = isLatency || areFarApart(values) ? logAxis(values, format) : linearAxis(values, format);
  return lineChart({ title: what.title, x: timeAxis(0, seconds(last.endMs), clockText), y, lines, bounds });
}

/** p50, p99 and maximum of one level. */
export function latencyOverTime(what: OverTime, level: number): string {
  const latency = (slice: Slice) => slice.levels[level]?.latency;
  const lines = [
    overTime(what, 'max', 'muted', (slice) => (latency(slice)?.count ? latency(slice)?.maxNs : undefined), timeText),
    overTime(what, 'p99', 's1', (slice) => latency(slice)?.percentileNs(0.99), timeText),
    overTime(what, 'p50', 's0', (slice) => latency(slice)?.percentileNs(0.5), timeText),
  ];
  return timeChart(what, lines, true, timeText);
}

const LOOKS: Readonly<Record<string, string>> = { offered: 'muted dashed', sent: 's0', answered: 's2', errors: 's1' };

/** Counts of one level a second, as many lines as there are names that occur. */
export function ratesOverTime(what: OverTime, level: number, names: readonly string[]): string {
  const rate = (name: string) => (slice: Slice) => {
    const seconds = (slice.endMs - slice.startMs) / 1_000;
    return seconds > 0 ? (slice.levels[level]?.counts[name] ?? 0) / seconds : undefined;
  };
  const perSecond = (value: number) => `${shortCount(value)}/s`;
  const occurs = names.filter((name) => what.slices.some((slice) => (slice.levels[level]?.counts[name] ?? 0) > 0));
  const lines = occurs.map((name, index) => overTime(what, name, LOOKS[name] ?? `s${index}`, rate(name), perSecond));
  return timeChart(what, lines, false, perSecond);
}

export function gaugesOverTime(what: OverTime, names: readonly string[]): string {
  const lines = names.map((name, index) =>
    overTime(what, name, `s${index}`, (slice) => slice.gauges[name], shortCount),
  );
  return timeChart(what, lines, false, shortCount);
}
