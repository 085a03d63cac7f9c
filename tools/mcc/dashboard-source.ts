// MccSource: a load generator as the dashboard sees it. In: its views, as they come. Out: snapshots and metrics.
// Views come once a second; rates are differences of the last two, by the generator's own clock. Latencies count from the
// intended send time, and are those of the last view's second. A run begins its counts anew.
import { busyCores, busyThreads, type CpuTimes, readCpu } from '../../stack/dashboard/cpu.js';
import { exposition, type Family, type MetricType } from '../../stack/dashboard/exposition.js';
import type { LevelRates, ProgramFacts, Snapshot, StageFigures } from '../../stack/dashboard/snapshot.js';
import type { DashboardSource, Reading } from '../../stack/dashboard/source.js';
import { type LevelView, PHASES, type View } from './native.js';

const STAGE = 'response';

interface MccReading extends Reading {
  view: View | null;
  before: View | null;
  cpu: CpuTimes;
}

const us = (ns: number) => Math.round(ns / 10) / 100;

/** Of the same run; a level counts from 0 in each. */
function oldOf(view: View, before: View | null, level: number): LevelView | undefined {
  return before?.run === view.run ? before.levels[level] : undefined;
}

export class MccSource implements DashboardSource<MccReading> {
  readonly program: ProgramFacts;
  private readonly planned: number;
  private readonly levels: readonly string[];
  private view: View | null = null;
  private before: View | null = null;

  /** `levels`: their names, the highest first. */
  constructor(program: ProgramFacts, connections: number, levels: readonly string[]) {
    this.program = program;
    this.planned = connections;
    this.levels = levels;
  }

  /** Call with each new view. */
  take(view: View): void {
    this.before = this.view;
    this.view = view;
  }

  async read(): Promise<MccReading> {
    return { atMs: Date.now(), view: this.view, before: this.before, cpu: readCpu() };
  }

  snapshot(now: MccReading, before: MccReading): Omit<Snapshot, 'number'> {
    const { view } = now;
    const interval_s = Math.max(0.001, (now.atMs - before.atMs) / 1_000);
    return {
      at_ms: now.atMs,
      interval_s,
      program: this.program,
      levels: [...this.levels],
      connections: this.connectionFigures(now, before, interval_s),
      latency_stage: STAGE,
      stages: view === null ? [] : stagesOf(view, now.before, this.levels),
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

function stagesOf(view: View, before: View | null, names: readonly string[]): StageFigures[] {
  if (!isRunning(view)) return [];
  return view.levels.flatMap((level, index) => {
    const count = level.answered - (oldOf(view, before, index)?.answered ?? 0);
    const { p50Ns, p99Ns, maxNs } = level;
    return count <= 0
      ? []
      : [
          {
            stage: STAGE,
            level: names[index] ?? String(index),
            count,
            p50_us: us(p50Ns),
            p99_us: us(p99Ns),
            max_us: us(maxNs),
          },
        ];
  });
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
