// Report: what monitor prints: one JSON object (docs/schema/monitor.json), or a table for a person.
import Table from 'cli-table3';
import { Histogram, type HistogramJson } from '../histogram/histogram.js';
import { formatUs } from '../mcc/report.js';
import type { Capture, Counts } from './native.js';
import type { Interval, LevelResult, Result } from './results.js';

export interface LevelTimes {
  readonly name: string;
  readonly requests: number;
  readonly responses: number;
  readonly unanswered: number;
  readonly min_us: number | null;
  readonly mean_us: number | null;
  readonly p50_us: number | null;
  readonly p90_us: number | null;
  readonly p99_us: number | null;
  readonly p999_us: number | null;
  readonly max_us: number | null;
}

export interface LevelReport extends LevelTimes {
  /** Nanoseconds; what `monitor merge` adds up. */
  readonly latency: HistogramJson;
}

export interface IntervalReport {
  readonly start: string;
  readonly duration_s: number;
  readonly counts: Counts;
  readonly levels: readonly LevelTimes[];
}

export interface CaptureReport {
  readonly frames: number;
  readonly bytes: number;
  readonly not_tcp: number;
  readonly fragments: number;
  readonly cut: number;
  readonly other_ports: number;
  readonly missed: number;
  readonly dropped: number;
  readonly gap_max_us: number;
}

export interface Report {
  readonly monitors: number;
  readonly source: string;
  readonly start: string;
  readonly duration_s: number;
  readonly capture: CaptureReport;
  readonly counts: Counts;
  readonly levels: readonly LevelReport[];
  readonly intervals: readonly IntervalReport[];
  /** Files of slow responses. */
  readonly captured: readonly string[];
  readonly versions: Readonly<Record<string, string>>;
  readonly command: string;
}

function us(ns: number): number {
  return Math.round(ns) / 1_000;
}

function timesOf(level: LevelResult): LevelTimes {
  const { name, requests, responses, unanswered, latency } = level;
  const at = (share: number) => {
    const ns = latency.percentileNs(share);
    return ns === undefined ? null : us(ns);
  };
  const some = responses > 0;
  return {
    name,
    requests,
    responses,
    unanswered,
    min_us: some ? us(level.leastNs) : null,
    mean_us: some ? us(level.sumNs / responses) : null,
    p50_us: at(0.5),
    p90_us: at(0.9),
    p99_us: at(0.99),
    p999_us: at(0.999),
    max_us: some ? us(latency.maxNs) : null,
  };
}

export function levelReport(level: LevelResult): LevelReport {
  return { ...timesOf(level), latency: level.latency.toJSON() };
}

/** The way back: means and least values are as exact as the report. */
export function levelResult(report: LevelReport): LevelResult {
  const { name, requests, responses, unanswered } = report;
  return {
    name,
    requests,
    responses,
    unanswered,
    leastNs: (report.min_us ?? 0) * 1_000,
    sumNs: (report.mean_us ?? 0) * 1_000 * responses,
    latency: Histogram.from(report.latency),
  };
}

export function intervalReport(interval: Interval): IntervalReport {
  return {
    start: new Date(interval.startMs).toISOString(),
    duration_s: interval.durationMs / 1_000,
    counts: interval.counts,
    levels: interval.levels.map(timesOf),
  };
}

export function captureReport(capture: Capture, gapMaxNs: number): CaptureReport {
  return {
    frames: capture.frames,
    bytes: capture.bytes,
    not_tcp: capture.notTcp,
    fragments: capture.fragments,
    cut: capture.cut,
    other_ports: capture.otherPorts,
    missed: capture.missed,
    dropped: capture.dropped,
    gap_max_us: us(gapMaxNs),
  };
}

const count = (value: number) => value.toLocaleString('en-US');

export function levelTable(levels: readonly LevelTimes[]): string {
  const right = 'right' as const;
  const table = new Table({
    head: ['level', 'requests', 'responses', 'unanswered', 'min', 'mean', 'p50', 'p90', 'p99', 'p99.9', 'max'],
    colAligns: ['left', right, right, right, right, right, right, right, right, right, right],
    style: { head: [], border: [], compact: true },
  });
  for (const level of levels) {
    const counts = [level.requests, level.responses, level.unanswered].map(count);
    const times = [level.min_us, level.mean_us, level.p50_us, level.p90_us, level.p99_us, level.p999_us, level.max_us];
    table.push([level.name, ...counts, ...times.map(formatUs)]);
  }
  return table.toString();
}

/** What a person should know of before trusting the figures. */
function hints(report: Report): string[] {
  const { capture, counts } = report;
  const lost = capture.missed + capture.dropped;
  return [
    ...(lost > 0 ? [`${count(lost)} frames were lost on the way here: what they carried is missing above`] : []),
    ...(capture.cut > 0 ? [`${count(capture.cut)} frames were cut or malformed`] : []),
    ...(counts.unframed > 0
      ? [`${count(counts.unframed)} times the next message was not found: larger --snaplen, or another --framing`]
      : []),
    ...(counts.unmatched > 0 ? [`${count(counts.unmatched)} responses have no request here`] : []),
    ...(counts.evicted + counts.outstanding_full > 0
      ? ['the table of connections was full: larger --connections']
      : []),
    ...(counts.segments === 0 && capture.other_ports > 0
      ? [`${count(capture.other_ports)} segments were of other ports: see --port`]
      : []),
  ];
}

export function formatReport(report: Report): string {
  const { counts, capture } = report;
  const facts = [
    `connections ${count(counts.connections_seen)}`,
    `sent again: requests ${count(counts.request_retransmissions)}, responses ${count(counts.response_retransmissions)}`,
    `late: ${count(counts.request_late)}, ${count(counts.response_late)}`,
    `frames ${count(capture.frames)}`,
  ];
  const files = report.captured.length > 0 ? [`slow responses: ${report.captured.join(' ')}`] : [];
  return [
    `${report.source}, ${report.duration_s} s`,
    levelTable(report.levels),
    facts.join('   '),
    ...hints(report),
    ...files,
  ].join('\n');
}

/** The part of a report that adds up. */
export function resultOfReport(report: Report): Result {
  return { startMs: Date.parse(report.start), counts: report.counts, levels: report.levels.map(levelResult) };
}
