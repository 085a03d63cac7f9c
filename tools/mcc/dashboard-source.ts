// MccSource: a load generator as the dashboard sees it. In: its views, as they come, and its histograms, when they are asked
// for. Out: snapshots and metrics. Views come once a second; rates are differences of the last two, by the generator's own clock.
// Latencies count from the intended send time; those of a snapshot are what the histograms gained since the one before. A run begins
// its counts anew.
import { busyCores, busyThreads, type CpuTimes, readCpu } from '../../stack/dashboard/cpu.js';
import { exposition, type Family, type MetricType } from '../../stack/dashboard/exposition.js';
import { sparse } from '../../stack/dashboard/percentiles.js';
import type { LevelCells, LevelRates, ProgramFacts, Snapshot, StageFigures } from '../../stack/dashboard/snapshot.js';
import type { DashboardSource, Reading } from '../../stack/dashboard/source.js';
import { CELLS, cellOf } from '../../stack/sojourn.js';
import { Histogram } from '../histogram/histogram.js';
import { type LevelView, PHASES, type View } from './native.js';

const STAGE = 'response';

interface MccReading extends Reading {
  view: View | null;
  before: View | null;
  /** Of the run so far, by level. */
  latencies: readonly Histogram[];
  cpu: CpuTimes;
}

const NS_PER_STAMP = 64;
const STAMPS_MAX = 2 ** 32 - 1;

const us = (ns: number) => Math.round(ns / 10) / 100;

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
      latency_stage: STAGE,
      stages: gained.flatMap((latency, index) => figuresOf(this.levels[index] ?? String(index), latency)),
      spectrum: gained.map((latency, index) => cellsOf(this.levels[index] ?? String(index), latency)),
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

function figuresOf(level: string, latency: Histogram): StageFigures[] {
  const { count, maxNs } = latency;
  const at = (share: number) => us(latency.percentileNs(share) ?? 0);
  if (count === 0) return [];
  return [{ stage: STAGE, level, count, p50_us: at(0.5), p99_us: at(0.99), p999_us: at(0.999), max_us: us(maxNs) }];
}

/** In the cells of the stages: five minutes of finer ones would be too much for a page. */
function cellsOf(level: string, latency: Histogram): LevelCells {
  const cells = new Float64Array(CELLS);
  for (const [ns, count] of latency) {
    const cell = cellOf(Math.min(STAMPS_MAX, Math.ceil(ns / NS_PER_STAMP)));
    cells[cell] = (cells[cell] as number) + count;
  }
  return { level, cells: sparse(cells) };
}

const LEVEL_COUNTS: readonly [name: string, help: string, of: (level: LevelView) => number][] = [
  ['offered', 'messages that were due', ({ offered }) => offered],
  ['sent', 'messages sent', ({ sent }) => sent],
  ['answered', 'messages with the right answer', ({ answered }) => answered],
  ['errors', 'messages answered by an error', ({ errors }) => errors],
  ['failed', 'messages due while their connection was not open', ({ failed }) => failed],
];

export function mccFamilies(view: View | null, names: readonly string[], program: ProgramFacts): Family[] {
  const family = (name: string, type: MetricType, help: string, samples: Family['samples']): Family => ({
    name: `qstack_${name}`,
    type,
    help,
    samples,
  });
  const levels = view?.levels ?? [];
  const one = (value: number) => [{ labels: {}, value }];
  const quantiles = levels.flatMap(({ p50Ns, p99Ns, maxNs }, index) =>
    [['0.5', p50Ns] as const, ['0.99', p99Ns] as const, ['1', maxNs] as const].map(([quantile, ns]) => ({
      labels: { level: names[index] ?? String(index), quantile },
      value: ns / 1e9,
    })),
  );
  return [
    family('build_info', 'gauge', 'always 1; the program and its versions', [
      { labels: { program: program.name, version: program.version, node: process.versions.node }, value: 1 },
    ]),
    ...LEVEL_COUNTS.map(([name, help, of]) =>
      family(
        `mcc_${name}_total`,
        'counter',
        `${help}, in the present run`,
        levels.map((level, index) => ({ labels: { level: names[index] ?? String(index) }, value: of(level) })),
      ),
    ),
    family('mcc_response_seconds', 'gauge', 'from the intended send to the answer, in the last second', quantiles),
    family('mcc_connections', 'gauge', 'connections that stand', one(view?.connected ?? 0)),
    family('mcc_reconnects_total', 'counter', 'connections opened again', one(view?.reconnects ?? 0)),
    family('mcc_retries_total', 'counter', 'opens tried again', one(view?.retries ?? 0)),
    family(
      'mcc_mismatched_total',
      'counter',
      'answers that belong to no request, in the present run',
      one(view?.mismatched ?? 0),
    ),
    family('mcc_in_flight', 'gauge', 'messages that wait for their answer', one(view?.inFlight ?? 0)),
  ];
}
