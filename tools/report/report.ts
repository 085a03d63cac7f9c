// A report of latencies as one HTML file, for mcc and the monitor: nothing in it comes from elsewhere, so it can be mailed.
// In: what was measured. Out: the page: figures by level, spectrum and table of each run, plots over time, how it was made.
import { escaped } from '../plot/text.js';
import { gaugesOverTime, latencyOverTime, type Named, ratesOverTime, spectrumChart, timeText } from './charts.js';
import { page } from './page.js';
import type { Slice } from './timeline.js';

/** A name and what is said of it. */
export type Fact = readonly [name: string, value: string];

export interface ReportLevel extends Named {
  /** Beside the latencies: `answered`, `lost` … */
  readonly facts: readonly Fact[];
}

export interface ReportRun {
  readonly name: string;
  readonly startMs: number;
  readonly facts: readonly Fact[];
  /** Highest first. */
  readonly levels: readonly ReportLevel[];
}

export interface Report {
  /** `mcc`, `monitor`. */
  readonly program: string;
  readonly startMs: number;
  /** As it was typed. */
  readonly command: string;
  readonly runs: readonly ReportRun[];
  readonly slices: readonly Slice[];
  /** Counts by level that are plotted as rates, in this order. */
  readonly rates: readonly string[];
  /** Gauges, each group in a plot of its own. */
  readonly gauges: readonly { readonly title: string; readonly names: readonly string[] }[];
  /** How it was made: versions, seed, machine. */
  readonly facts: readonly Fact[];
  /** Shown when they are asked for. */
  readonly counters: readonly Fact[];
}

const SHARES = [
  ['p50', 0.5],
  ['p90', 0.9],
  ['p99', 0.99],
  ['p99.9', 0.999],
] as const;

function factList(facts: readonly Fact[]): string {
  const items = facts.map(([name, value]) => `<div><dt>${escaped(name)}</dt><dd>${escaped(value)}</dd></div>`);
  return `<dl class="facts">${items.join('')}</dl>`;
}

function timeOf(level: Named, share: number): string {
  const ns = level.latency.percentileNs(share);
  return ns === undefined ? '–' : timeText(ns);
}

/** The figures that one looks for first. */
function tile(level: ReportLevel, index: number): string {
  const more: Fact[] = [
    ['p50', timeOf(level, 0.5)],
    ['p99.9', timeOf(level, 0.999)],
    ['max', timeOf(level, 1)],
  ];
  const name = `<h3><i class="s${index % 8}"></i>${escaped(level.name)}</h3>`;
  return `<div class="tile">${name}<p class="big">${timeOf(level, 0.99)} <small>p99</small></p>${factList(more)}</div>`;
}

function table(levels: readonly ReportLevel[]): string {
  const names = [...new Set(levels.flatMap(({ facts }) => facts.map(([name]) => name)))];
  const head = ['level', ...names, ...SHARES.map(([name]) => name), 'max'];
  const rows = levels.map((level) => {
    const facts = names.map((name) => level.facts.find(([other]) => other === name)?.[1] ?? '–');
    const cells = [...facts, ...SHARES.map(([, share]) => timeOf(level, share)), timeOf(level, 1)];
    return `<tr><th scope="row">${escaped(level.name)}</th>${cells.map((cell) => `<td>${escaped(cell)}</td>`).join('')}</tr>`;
  });
  const heads = head.map((name) => `<th scope="col">${escaped(name)}</th>`).join('');
  return `<div class="wide"><table><thead><tr>${heads}</tr></thead><tbody>${rows.join('')}</tbody></table></div>`;
}

function runSection(run: ReportRun): string {
  return [
    `<section><h2>${escaped(run.name)}</h2>`,
    factList(run.facts),
    `<div class="run"><div class="tiles">${run.levels.map(tile).join('')}</div>`,
    `${spectrumChart('Latency by percentile', run.levels)}</div>`,
    table(run.levels),
    '</section>',
  ].join('\n');
}

/** With a number, where there are several. */
function numbered(runs: readonly ReportRun[]): readonly ReportRun[] {
  if (runs.length < 2) return runs;
  return runs.map((run, index) => ({ ...run, name: `${index + 1}. ${run.name}` }));
}

function timeSection({ runs, slices, rates, gauges }: Report): string {
  if (slices.length === 0) return '';
  const starts = runs.map(({ startMs, name }) => [startMs, name] as const);
  const what = (title: string) => ({ title, slices, runs: starts });
  const names = (runs[0]?.levels ?? []).map(({ name }) => name);
  const byLevel = names.flatMap((name, level) => [
    latencyOverTime(what(`${name}: latency`), level),
    ratesOverTime(what(`${name}: messages a second`), level, rates),
  ]);
  const others = gauges.map(({ title, names }) => gaugesOverTime(what(title), names));
  return `<section><h2>Over time</h2><div class="charts">${[...byLevel, ...others].join('\n')}</div></section>`;
}

function counterList(counters: readonly Fact[]): string {
  if (counters.length === 0) return '';
  return `<details><summary>Counters</summary>${factList(counters)}</details>`;
}

export function reportHtml(all: Report): string {
  const report = { ...all, runs: numbered(all.runs) };
  const date = new Date(report.startMs).toISOString().replace('T', ' ').slice(0, 19);
  const title = `${report.program}, ${date} UTC`;
  return page(title, [
    `<header><h1>${escaped(report.program)}</h1><p>${date} UTC</p><pre>${escaped(report.command)}</pre></header>`,
    ...report.runs.map(runSection),
    timeSection(report),
    `<section><h2>How it was made</h2>${factList(report.facts)}${counterList(report.counters)}</section>`,
  ]);
}
