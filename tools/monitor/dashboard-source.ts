// MonitorSource: a monitor as the dashboard sees it. In: its sums, with each tick. Out: snapshots and metrics.
// Times are those of the capture: what a snapshot shows came between the last tick before its reading and that of the reading before,
// and rates are by the time that ticks are long, so a file that is read in a moment has the rates of its traffic. Histograms are looked
// at where a snapshot is made, and sums are never copied: a tick costs nothing here.
import { busyCores, busyThreads, type CpuTimes, readCpu } from '../../stack/dashboard/cpu.js';
import { exposition } from '../../stack/dashboard/exposition.js';
import type { Count, LevelRates, ProgramFacts, Snapshot } from '../../stack/dashboard/snapshot.js';
import type { DashboardSource, Reading } from '../../stack/dashboard/source.js';
import { latencyCells, latencyFigures, RESPONSE } from '../dashboard/latencies.js';
import { Histogram } from '../histogram/histogram.js';
import { monitorFamilies } from './metrics.js';
import type { Capture } from './native.js';
import type { MonitorOptions } from './options.js';
import { noResult, type Result, type Sums, type WholeTick } from './results.js';

interface MonitorReading extends Reading {
  readonly sums: Sums;
  /** One tick earlier. */
  readonly previous: Sums;
  readonly cpu: CpuTimes;
}

const NO_FRAMES: Capture = {
  ...{ frames: 0, bytes: 0, notTcp: 0, fragments: 0, cut: 0, otherPorts: 0, missed: 0, dropped: 0 },
  ...{ firstMs: 0, lastMs: 0, gapMaxNs: 0 },
};

/** What a page and `qstack top` show besides levels. */
const COUNTS: readonly [what: string, of: (sums: Sums) => number][] = [
  ['frames', ({ capture }) => capture.frames],
  ['request_retransmissions', ({ total }) => total.counts.request_retransmissions],
  ['response_retransmissions', ({ total }) => total.counts.response_retransmissions],
  ['request_late', ({ total }) => total.counts.request_late],
  ['response_late', ({ total }) => total.counts.response_late],
  ['unmatched', ({ total }) => total.counts.unmatched],
  ['unframed', ({ total }) => total.counts.unframed],
  ['cut', ({ capture }) => capture.cut],
  ['other_ports', ({ capture }) => capture.otherPorts],
];

const LOST: readonly [reason: string, of: (capture: Capture) => number][] = [
  ['missed', ({ missed }) => missed],
  ['dropped', ({ dropped }) => dropped],
];

/** Two moments, and what passed between them. */
class Span {
  /** 0: no tick has ended. */
  readonly seconds: number;

  constructor(
    readonly now: Sums,
    readonly since: Sums,
    tickMs: number,
  ) {
    this.seconds = ((now.ticks - since.ticks) * tickMs) / 1_000;
  }

  perS(of: (sums: Sums) => number): number {
    return this.seconds > 0 ? Math.round((of(this.now) - of(this.since)) / this.seconds) : 0;
  }

  /** By level. */
  latencies(): { name: string; latency: Histogram }[] {
    return this.now.total.levels.map(({ name, latency }, index) => ({
      name,
      latency: latency.since(this.since.total.levels[index]?.latency ?? Histogram.empty),
    }));
  }
}

export class MonitorSource implements DashboardSource<MonitorReading> {
  private readonly levels: readonly string[];
  private readonly tickMs: number;
  private readonly capacity: number;
  private readonly isLive: boolean;
  private sums: Sums;
  private previous: Sums;

  constructor(
    readonly program: ProgramFacts,
    { levels, tickMs, connections, source }: MonitorOptions,
  ) {
    this.levels = levels.names;
    this.tickMs = tickMs;
    this.capacity = connections;
    this.isLive = source.kind !== 'file';
    this.sums = { ticks: 0, total: noResult(this.levels), capture: NO_FRAMES, followed: 0 };
    this.previous = this.sums;
  }

  /** Call with each tick, and the sums with it. */
  show(tick: WholeTick, total: Result, capture: Capture): void {
    this.previous = this.sums;
    this.sums = { ticks: tick.number + 1, total, capture, followed: tick.followed };
  }

  async read(): Promise<MonitorReading> {
    return { atMs: Date.now(), sums: this.sums, previous: this.previous, cpu: readCpu() };
  }

  snapshot(now: MonitorReading, before: MonitorReading): Omit<Snapshot, 'number'> {
    const gained = new Span(now.sums, before.sums, this.tickMs);
    // A second of ours may lie between two ticks of a live source: the last one is shown again, but never counted twice.
    const shown = gained.seconds > 0 || !this.isLive ? gained : new Span(now.sums, now.previous, this.tickMs);
    const passedS = Math.max(0.001, (now.atMs - before.atMs) / 1_000);
    return {
      at_ms: now.atMs,
      interval_s: shown.seconds > 0 ? shown.seconds : passedS,
      program: this.program,
      levels: [...this.levels],
      connections: this.connectionFigures(shown),
      latency_stage: RESPONSE,
      stages: shown.latencies().flatMap(({ name, latency }) => latencyFigures(name, latency)),
      spectrum: gained.latencies().map(({ name, latency }) => latencyCells(name, latency)),
      rates: this.levels.map((level, index) => ratesOf(shown, level, index)),
      counts: COUNTS.map(([what, of]): Count => ({ what, per_s: shown.perS(of), total: of(now.sums) })),
      drops: dropsOf(gained),
      cores: busyCores(now.cpu, before.cpu),
      threads: busyThreads(now.cpu, before.cpu, passedS),
      more: {
        frames_per_s: shown.perS(({ capture }) => capture.frames),
        frame_bytes_per_s: shown.perS(({ capture }) => capture.bytes),
        retransmits_per_s: shown.perS(retransmissions),
        resident_bytes: process.memoryUsage.rss(),
      },
    };
  }

  private connectionFigures(span: Span) {
    const seen = ({ total }: Sums) => total.counts.connections_seen;
    return {
      open: span.now.followed,
      capacity: this.capacity,
      opened_per_s: span.perS(seen),
      closed_per_s: span.perS((sums) => seen(sums) - sums.followed),
    };
  }

  async metrics(): Promise<string> {
    return exposition(monitorFamilies(this.sums, this.program));
  }
}

function retransmissions({ total }: Sums): number {
  return total.counts.request_retransmissions + total.counts.response_retransmissions;
}

function ratesOf(span: Span, level: string, index: number): LevelRates {
  const perS = (what: 'requests' | 'responses' | 'unanswered') =>
    span.perS(({ total }) => total.levels[index]?.[what] ?? 0);
  return {
    level,
    offered_per_s: perS('requests'),
    answered_per_s: perS('responses'),
    more: { unanswered_per_s: perS('unanswered') },
  };
}

function dropsOf(span: Span): Record<string, number> {
  const rates = LOST.map(([reason, of]) => [reason, span.perS(({ capture }) => of(capture))] as const);
  return Object.fromEntries(rates.filter(([, perS]) => perS > 0));
}
