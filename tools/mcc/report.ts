// Report: what a run measured, as the object of `--json` and as a table for a person.
// In: the engine's result and last view. Out: microseconds, highest level first. Nothing is estimated: a level without an
// answer has no percentiles.
import Table from 'cli-table3';
import { formatSize } from '../../stack/config/units.js';
import { Histogram } from '../histogram/histogram.js';
import type { Level } from './levels.js';
import type { LevelResult, RunResult, View } from './native.js';
import type { Run } from './phases.js';
import type { Verdict } from './thresholds.js';

export interface LevelReport {
  name: string;
  offered: number;
  sent: number;
  answered: number;
  /** Sent, and neither answered nor answered by an error; null where the server is not expected to answer. */
  lost: number | null;
  errors: number;
  /** Due while the connection was not open. */
  failed_sends: number;
  /** Never left: the stack had no room until the drain was over. Connections: not opened before the end of the run. */
  unsent: number;
  p50_us: number | null;
  p90_us: number | null;
  p99_us: number | null;
  p999_us: number | null;
  p9999_us: number | null;
  max_us: number | null;
  /** How long after its intended time a message left at the latest: of a wave, when the last of it had. */
  send_delay_max_us: number;
  /** The longest time without an answer while the load lasted; null where there was none. */
  silence_max_us: number | null;
}

/** One worker of a cluster in a run: counts of all its levels. */
export interface WorkerReport {
  name: string;
  host: string;
  /** `lost`: no heartbeat, or its generator failed; `left`: it was stopped. */
  state: 'done' | 'lost' | 'left';
  why?: string;
  connections: number;
  connected: number;
  offered: number;
  sent: number;
  answered: number;
  lost: number;
  /** Of its share, what it had still to send when it was lost. */
  not_offered: number;
  p50_us: number | null;
  p99_us: number | null;
  /** How far its clock may have been off at the start. */
  clock_error_us: number;
}

export interface RunReport {
  phase: string;
  duration_s: number;
  offered_per_s: number;
  /** Over the time to the last answer, where that came behind the last send. */
  answered_per_s: number;
  levels: LevelReport[];
  mismatched: number;
  /** Replies to messages of an earlier run. */
  late: number;
  /** Replies to messages that the server should not answer, see --answer. */
  unexpected: number;
  failed_sends: number;
  /** Connections that were lost and opened again. */
  reconnects: number;
  /** Connections that were closed and opened anew, see --reconnect-after. */
  renewals: number;
  hiccup_p99_us: number;
  hiccup_max_us: number;
  /** Of a closed loop: connections a second that made all their requests, where they end; and bytes of replies. */
  connections_per_s?: number;
  received_bytes_per_s?: number;
  /** Of a cluster: a row for each worker, how many of them did not get to the end, and what they had still to send. */
  workers?: WorkerReport[];
  workers_lost?: number;
  not_offered?: number;
}

export interface Report extends RunReport {
  connections: number;
  connected: number;
  setup_s: number;
  retries: number;
  seed: number;
  capacity_per_s?: number;
  /** Counters of the generator's own stack and device that are not 0, before its connections were closed. */
  stack: Record<string, number>;
  versions: Record<string, string>;
  command: string;
  phases: RunReport[];
  /** Of --fail-if, in their order. */
  thresholds: readonly Verdict[];
}

export function us(ns: number): number {
  return Math.round(ns / 10) / 100;
}

function levelReport(level: LevelResult, name: string, awaited: boolean): LevelReport {
  const some = level.answered > 0;
  return {
    name,
    offered: level.offered,
    sent: level.sent,
    answered: level.answered,
    lost: awaited ? level.sent - level.answered - level.errors : null,
    errors: level.errors,
    failed_sends: level.failed,
    unsent: level.unsent,
    p50_us: some ? us(level.p50Ns) : null,
    p90_us: some ? us(level.p90Ns) : null,
    p99_us: some ? us(level.p99Ns) : null,
    p999_us: some ? us(level.p999Ns) : null,
    p9999_us: some ? us(Histogram.of(level.cells, level.maxNs).percentileNs(0.9999) ?? level.maxNs) : null,
    max_us: some ? us(level.maxNs) : null,
    send_delay_max_us: us(level.sendDelayNs),
    silence_max_us: some ? us(level.silenceNs) : null,
  };
}

function total(levels: readonly LevelResult[], of: (level: LevelResult) => number): number {
  return levels.reduce((sum, level) => sum + of(level), 0);
}

export function phaseName(phase: Run): string {
  if (phase.kind === 'wave') return `wave:${phase.burst}/${phase.intervalMs}ms`;
  if (phase.kind === 'closed') return phase.name;
  if (phase.kind === 'capacity') return `capacity:${phase.window}`;
  if (phase.kind === 'replay') return `replay:${phase.name}`;
  const { kind } = phase;
  return 'ratePerS' in phase ? `${kind}:${phase.ratePerS}` : `${kind}:${Math.round(phase.ofCapacity * 100)}%`;
}

export interface RunContext {
  phase: Run;
  /** How long messages were due; shorter than planned when the run was stopped. */
  durationMs: number;
  answeredAll: boolean;
  levels: readonly Level[];
  /** The view before the run. */
  before: Pick<View, 'reconnects' | 'renewals'>;
}

/** Of a closed loop: level 1 counts connections, where they end. */
function closedFacts({ levels, bytesReceived = 0 }: RunResult, seconds: number): Partial<RunReport> {
  const connections = levels[1];
  return {
    ...(connections === undefined ? {} : { connections_per_s: Math.round(connections.answered / seconds) }),
    received_bytes_per_s: Math.round(bytesReceived / seconds),
  };
}

export function runReport(result: RunResult, view: View, context: RunContext): RunReport {
  const seconds = Math.max(context.durationMs, 1) / 1_000;
  const isClosed = context.phase.kind === 'closed';
  // Rates are those of requests.
  const counted = isClosed ? result.levels.slice(0, 1) : result.levels;
  const answering = Math.max(seconds, view.answeredNs / 1e9);
  return {
    phase: phaseName(context.phase),
    duration_s: Math.round(seconds * 1_000) / 1_000,
    offered_per_s: Math.round(total(counted, (level) => level.offered) / seconds),
    answered_per_s: Math.round(total(counted, (level) => level.answered) / answering),
    levels: result.levels.map((level, index) => {
      const name = context.levels[index]?.name ?? String(index);
      return levelReport(level, name, context.answeredAll || index === 0);
    }),
    mismatched: view.mismatched,
    late: view.late,
    unexpected: view.unexpected,
    failed_sends: total(result.levels, (level) => level.failed),
    reconnects: view.reconnects - context.before.reconnects,
    renewals: view.renewals - context.before.renewals,
    hiccup_p99_us: us(result.hiccupP99Ns),
    hiccup_max_us: us(result.hiccupMaxNs),
    ...(isClosed ? closedFacts(result, answering) : {}),
  };
}

/** `950 us`, `3.21 ms`, `1.2 s`: at most three digits. */
export function formatUs(value: number | null): string {
  if (value === null) return '-';
  if (value >= 1_000_000) return `${Number((value / 1_000_000).toPrecision(3))} s`;
  return value >= 1_000 ? `${Number((value / 1_000).toPrecision(3))} ms` : `${Number(value.toPrecision(3))} us`;
}

const count = (value: number | null) => (value === null ? '-' : value.toLocaleString('en-US'));

/** Columns without lines between them: ten of them fit into a terminal of 80. */
const BARE = Object.fromEntries(
  ['top', 'bottom', 'left', 'right', 'mid', 'middle'].flatMap((side) =>
    ['', '-mid', '-left', '-right'].map((corner) => [`${side}${corner}`, '']),
  ),
);

/** What of the latencies is the generator's and the machine's own. */
function machineText({ levels, hiccup_p99_us, hiccup_max_us }: RunReport): string {
  const delay = Math.max(...levels.map((level) => level.send_delay_max_us));
  return `send delay max ${formatUs(delay)}   hiccup p99 ${formatUs(hiccup_p99_us)}, max ${formatUs(hiccup_max_us)}`;
}

function connectionText({ failed_sends, reconnects, renewals }: RunReport): string {
  const parts = [`failed sends ${count(failed_sends)}`, `reconnects ${count(reconnects)}`];
  return [...parts, ...(renewals > 0 ? [`renewals ${count(renewals)}`] : [])].join('   ');
}

/** A closed loop's own line. */
function closedText({ received_bytes_per_s: bytes, connections_per_s: connections }: RunReport): string[] {
  if (bytes === undefined) return [];
  const opened = connections === undefined ? [] : [`connections ${count(connections)}/s`];
  return [[...opened, `received ${formatSize(bytes)}/s`].join('   ')];
}

/** Of a closed loop only connections are due at times of their own. */
function unsentText({ connections_per_s: connections }: RunReport): string {
  if (connections === undefined) return 'messages never left the generator: the stack had no room for them';
  return 'connections were due and found no place before the end: -c is how many there may be at a time';
}

export function formatRun(run: RunReport): string {
  const head = ['level', 'sent', 'answered', 'lost', 'errors', 'p50', 'p90', 'p99', 'p99.9', 'max'];
  const table = new Table({
    head,
    chars: BARE,
    colAligns: head.map((_, column) => (column === 0 ? 'left' : 'right')),
    style: { head: [], border: [], compact: true, 'padding-left': 0, 'padding-right': 1 },
  });
  for (const level of run.levels) {
    const counts = [level.sent, level.answered, level.lost, level.errors].map(count);
    const times = [level.p50_us, level.p90_us, level.p99_us, level.p999_us, level.max_us].map(formatUs);
    table.push([level.name, ...counts, ...times]);
  }
  const facts = [
    `offered ${count(run.offered_per_s)}/s`,
    `answered ${count(run.answered_per_s)}/s`,
    `mismatched ${count(run.mismatched)}`,
  ];
  const hints = run.unexpected > 0 ? [`${count(run.unexpected)} heartbeats were answered: say --answer all`] : [];
  const unsent = run.levels.reduce((sum, level) => sum + level.unsent, 0);
  if (unsent > 0) hints.push(`${count(unsent)} ${unsentText(run)}`);
  return [
    `${run.phase}, ${run.duration_s} s`,
    table.toString(),
    facts.join('   '),
    ...closedText(run),
    connectionText(run),
    machineText(run),
    ...hints,
  ].join('\n');
}
