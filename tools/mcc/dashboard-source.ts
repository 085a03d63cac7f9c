// MccSource: a load generator as the dashboard sees it. In: its views, as they come, and its histograms, when they are asked
// for. Out: snapshots and metrics. Views come once a second; rates are differences of the last two, by the generator's own clock.
// Latencies count from the intended send time; those of a snapshot are what the histograms gained since the one before. A run begins
// its counts anew.
import { busyCores, busyThreads, type CpuTimes, readCpu } from '../../stack/dashboard/cpu.js';
import { exposition, type Family } from '../../stack/dashboard/exposition.js';
import type { LevelRates, ProgramFacts, Snapshot } from '../../stack/dashboard/snapshot.js';
import type { DashboardSource, Reading } from '../../stack/dashboard/source.js';
import { buildInfo, family, single } from '../dashboard/families.js';
import { latencyCells, latencyFigures, RESPONSE } from '../dashboard/latencies.js';
import { Histogram } from '../histogram/histogram.js';
import { type LevelView, PHASES, type View } from './native.js';

interface MccReading extends Reading {
  view: View | null;
  before: View | null;
  /** Of the run so far, by level. */
  latencies: readonly Histogram[];
  cpu: CpuTimes;
}

/** Of the same run; a level counts from 0 in each. */
function oldOf(view: View, before: View | null, level: number): LevelView | undefined {
  return before?.run === view.run ? before.levels[level] : undefined;
}

export class MccSource implements DashboardSource<MccReading> {
  readonly program: ProgramFacts;
  private readonly planned: number;
  private readonly levels: readonly string[];
  private readonly latencies: () => readonly Histogram[];
  private view: View | null = null;
  private before: View | null = null;

  /** `levels`: their names, the highest first. `latencies`: of the run so far; asked for only while somebody looks. */
  constructor(
    program: ProgramFacts,
    connections: number,
    levels: readonly string[],
    latencies: () => readonly Histogram[],
  ) {
    this.program = program;
    this.latencies = latencies;
    this.planned = connections;
    this.levels = levels;
  }

  /** Call with each new view. */
  take(view: View): void {
    this.before = this.view;
    this.view = view;
  }

  async read(): Promise<MccReading> {
    return { atMs: Date.now(), view: this.view, before: this.before, latencies: this.latencies(), cpu: readCpu() };
  }

  snapshot(now: MccReading, before: MccReading): Omit<Snapshot, 'number'> {
    const { view } = now;
    const interval_s = Math.max(0.001, (now.atMs - before.atMs) / 1_000);
    const gained = gainedBetween(now, before);
    return {
      at_ms: now.atMs,
      interval_s,
      program: this.program,
      levels: [...this.levels],
      connections: this.connectionFigures(now, before, interval_s),
      latency_stage: RESPONSE,
      stages: gained.flatMap((latency, index) => latencyFigures(this.levels[index] ?? String(index), latency)),
      spectrum: gained.map((latency, index) => latencyCells(this.levels[index] ?? String(index), latency)),
      rates: view === null ? [] : ratesOf(view, now.before, this.levels),
      cores: busyCores(now.cpu, before.cpu),
      threads: busyThreads(now.cpu, before.cpu, interval_s),
      more: {
        in_flight: view?.inFlight ?? 0,
        waiting: view?.waiting ?? 0,
        mismatched: view?.mismatched ?? 0,
        retries: view?.retries ?? 0,
        resident_bytes: process.memoryUsage.rss(),
      },
    };
  }

  private connectionFigures({ view }: MccReading, before: MccReading, seconds: number) {
    const open = view?.connected ?? 0;
    const grown = (open - (before.view?.connected ?? 0)) / seconds;
    return {
      open,
      capacity: this.planned,
      opened_per_s: Math.max(0, Math.round(grown)),
      closed_per_s: Math.max(0, Math.round(-grown)),
      reconnects: view?.reconnects ?? 0,
    };
  }

  async metrics(): Promise<string> {
    return exposition(mccFamilies(this.view, this.levels, this.program));
  }
}

function secondsBetween(view: View, before: View | null): number {
  const since = before?.run === view.run ? before.elapsedNs : 0;
  return Math.max(0.001, (view.elapsedNs - since) / 1e9);
}

function isRunning(view: View): boolean {
  return ['running', 'draining'].includes(PHASES[view.phase] ?? '');
}

function ratesOf(view: View, before: View | null, names: readonly string[]): LevelRates[] {
  const seconds = secondsBetween(view, before);
  return view.levels.map((level, index) => {
    const old = oldOf(view, before, index);
    const perS = (of: (counts: LevelView) => number) =>
      isRunning(view) ? Math.max(0, Math.round((of(level) - (old === undefined ? 0 : of(old))) / seconds)) : 0;
    return {
      level: names[index] ?? String(index),
      offered_per_s: perS(({ offered }) => offered),
      answered_per_s: perS(({ answered }) => answered),
      more: {
        sent_per_s: perS(({ sent }) => sent),
        errors_per_s: perS(({ errors }) => errors),
        failed_per_s: perS(({ failed }) => failed),
      },
    };
  });
}

/** By level: what came in between; a run that began meanwhile has all that it has so far. */
function gainedBetween(now: MccReading, before: MccReading): Histogram[] {
  const isSame = now.view?.run === before.view?.run;
  return now.latencies.map((latency, level) => latency.since((isSame && before.latencies[level]) || Histogram.empty));
}

const LEVEL_COUNTS: readonly [name: string, help: string, of: (level: LevelView) => number][] = [
  ['offered', 'messages that were due', ({ offered }) => offered],
  ['sent', 'messages sent', ({ sent }) => sent],
  ['answered', 'messages with the right answer', ({ answered }) => answered],
  ['errors', 'messages answered by an error', ({ errors }) => errors],
  ['failed', 'messages due while their connection was not open', ({ failed }) => failed],
];

/** Of the last view, in nanoseconds. */
const QUANTILES: readonly [quantile: string, of: (level: LevelView) => number][] = [
  ['0.5', ({ p50Ns }) => p50Ns],
  ['0.99', ({ p99Ns }) => p99Ns],
  ['0.999', ({ p999Ns }) => p999Ns],
  ['1', ({ maxNs }) => maxNs],
];

export function mccFamilies(view: View | null, names: readonly string[], program: ProgramFacts): Family[] {
  const levels = (view?.levels ?? []).map((level, index) => ({ level, name: names[index] ?? String(index) }));
  const quantiles = levels.flatMap(({ level, name }) =>
    QUANTILES.map(([quantile, of]) => ({ labels: { level: name, quantile }, value: of(level) / 1e9 })),
  );
  return [
    buildInfo(program),
    ...LEVEL_COUNTS.map(([name, help, of]) =>
      family(
        `mcc_${name}_total`,
        'counter',
        `${help}, in the present run`,
        levels.map(({ level, name: label }) => ({ labels: { level: label }, value: of(level) })),
      ),
    ),
    family('mcc_response_seconds', 'gauge', 'from the intended send to the answer, in the last second', quantiles),
    single('mcc_connections', 'gauge', 'connections that stand', view?.connected ?? 0),
    single('mcc_reconnects_total', 'counter', 'connections opened again', view?.reconnects ?? 0),
    single('mcc_retries_total', 'counter', 'opens tried again', view?.retries ?? 0),
    single(
      'mcc_mismatched_total',
      'counter',
      'answers that belong to no request, in the present run',
      view?.mismatched ?? 0,
    ),
    single('mcc_in_flight', 'gauge', 'messages that wait for their answer', view?.inFlight ?? 0),
  ];
}
