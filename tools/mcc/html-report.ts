// --html: mcc's report as a page. In: what each run measured, its slices, and the report of `--json`. Out: what
// tools/report/report.ts draws.
import { cpus, release } from 'node:os';
import type { Fact, Report as Page, ReportLevel, ReportRun } from '../report/report.js';
import type { Slice } from '../report/timeline.js';
import { formatUs, type LevelReport, type Report, type RunReport } from './report.js';
import type { Measured } from './run.js';
import { SLICE_COUNTS } from './slices.js';

/** A run as it was reported, and its latencies. */
export interface Run {
  readonly report: RunReport;
  readonly measured: Measured;
}

const count = (value: number | null) => (value === null ? '–' : value.toLocaleString('en-US'));

function levelFacts(level: LevelReport): Fact[] {
  return [
    ['offered', count(level.offered)],
    ['sent', count(level.sent)],
    ['answered', count(level.answered)],
    ['lost', count(level.lost)],
    ['errors', count(level.errors)],
    ['failed sends', count(level.failed_sends)],
    ['unsent', count(level.unsent)],
  ];
}

function pageRun({ report, measured }: Run): ReportRun {
  const levels = report.levels.map((level, index): ReportLevel => {
    const latency = measured.levels[index]?.latency;
    if (latency === undefined) throw new Error(`level ${level.name} was reported and not measured`);
    return { name: level.name, latency, facts: levelFacts(level) };
  });
  return {
    name: `${report.phase}, ${report.duration_s} s`,
    startMs: measured.startMs,
    levels,
    facts: [
      ['offered', `${count(report.offered_per_s)}/s`],
      ['answered', `${count(report.answered_per_s)}/s`],
      ['mismatched', count(report.mismatched)],
      ['failed sends', count(report.failed_sends)],
      ['reconnects', count(report.reconnects)],
      ...(report.renewals > 0 ? [['renewals', count(report.renewals)] as const] : []),
      ['late', count(report.late)],
      ['unexpected', count(report.unexpected)],
      ['hiccup p99', formatUs(report.hiccup_p99_us).replace(' us', ' µs')],
      ['hiccup max', formatUs(report.hiccup_max_us).replace(' us', ' µs')],
    ],
  };
}

function machineFacts(): Fact[] {
  const cores = cpus();
  return [
    ['machine', `${cores.length} × ${cores[0]?.model.trim() ?? 'unknown CPU'}`],
    ['kernel', `${process.platform} ${release()}`],
  ];
}

export function htmlReport(report: Report, startMs: number, runs: readonly Run[], slices: readonly Slice[]): Page {
  const stack = Object.entries(report.stack).map(([name, value]): Fact => [name, count(value)]);
  return {
    program: 'mcc',
    startMs,
    command: report.command,
    runs: runs.map(pageRun),
    slices,
    rates: SLICE_COUNTS,
    gauges: [
      { title: 'Connections', names: ['connected'] },
      { title: 'Messages under way', names: ['in flight', 'waiting'] },
    ],
    facts: [
      ['connections', `${count(report.connected)} of ${count(report.connections)}`],
      ['set-up', `${report.setup_s} s`],
      ['retries', count(report.retries)],
      ...(report.capacity_per_s === undefined ? [] : [['capacity', `${count(report.capacity_per_s)}/s`] as const]),
      ['seed', String(report.seed)],
      ...Object.entries(report.versions),
      ...machineFacts(),
    ],
    counters: stack,
  };
}
