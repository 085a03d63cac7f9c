// Run: opens the connections, makes the phases one after the other, closes, and reports.
// In: options and the native generator. Out: a Report; events for whoever watches (a terminal, a parent process).
// The engine does all timing; this file only polls its snapshots, so a busy event loop cannot shift a send.
import { setTimeout as sleep } from 'node:timers/promises';
import { formatDevice } from '../../stack/config/device.js';
import { formatDuration, formatSize } from '../../stack/config/units.js';
import { Histogram } from '../histogram/histogram.js';
import type { Slice } from '../report/timeline.js';
import { capacityOf } from './capacity.js';
import { refusals } from './kernel.js';
import { type Hiccups, type NativeMcc, PHASES, type PhaseName, type View } from './native.js';
import { nativeOptions, nativeRun } from './native-options.js';
import type { MccOptions } from './options.js';
import type { Phase, Run } from './phases.js';
import { planOf } from './plan.js';
import { phaseName, type Report, type RunReport, runReport } from './report.js';
import { SliceTaker } from './slices.js';
import { type Facts, testReport } from './test-report.js';
import { workersReport } from './workers-report.js';

const POLL_MS = 20;
const LINK_NOTE_MS = 1_000;
/** A server that answers so much more than its capacity was measured too low: the machine was busy elsewhere. */
const CAPACITY_DOUBT = 1.1;
const OVERLOADS_MAX = 3;

/** The latencies of a run. Times are milliseconds since the epoch. */
export interface Measured {
  readonly startMs: number;
  /** Highest first. */
  readonly levels: readonly { readonly name: string; readonly latency: Histogram }[];
}

export interface Events {
  /** A run begins. */
  begin?: (plan: { name: string; durationMs: number }) => void;
  view: (view: View) => void;
  /** About once a second while a run lasts. Where nobody listens, the engine is not asked. */
  slice?: ((slice: Slice) => void) | undefined;
  run: (report: RunReport, measured: Measured) => void;
  note: (sentence: string) => void;
}

/** One run; `answeredPerS` is 0 when it was too short to tell. */
interface Load {
  report: RunReport;
  measured: Measured;
  answeredPerS: number;
}

export class Runner {
  private readonly id: number;
  private lastView = 0;
  private stopped = false;
  private wasStopped = false;
  private over = false;
  private inTheWay: string | undefined;
  private readonly runs: RunReport[] = [];
  private capacityPerS: number | undefined;
  private floodPerS = 0;
  /** Of the run that is under way. */
  private slices: SliceTaker | undefined;

  constructor(
    private readonly native: NativeMcc,
    private readonly options: MccOptions,
    private readonly events: Events,
  ) {
    const startedMs = performance.now();
    const bytes = planOf(options).bytes;
    const touched = (so: number) => events.note(`${formatSize(so)} of ${formatSize(bytes)} of memory are in place`);
    this.id = native.createMcc(nativeOptions(options), touched);
    // That of a cluster is its workers' affair.
    if (options.cluster === undefined)
      events.note(`${formatSize(bytes)} of memory in place after ${formatDuration(performance.now() - startedMs)}`);
    this.capacityPerS = options.capacityPerS || undefined;
  }

  /** Ends the current phase and leaves out the rest; the summary follows. */
  stop(): void {
    this.stopped = true;
    this.wasStopped = true;
    this.native.mccStopRun(this.id);
  }

  async measure(command: string, versions: Record<string, string>): Promise<Report> {
    const facts: Facts = { connected: 0, setupMs: 0, retries: 0, stack: {}, command, versions };
    try {
      await this.linkUp();
      const startMs = Date.now();
      this.flood(this.options.floodPerS);
      this.native.mccConnect(this.id);
      const stand = await this.connected();
      facts.setupMs = Date.now() - startMs;
      facts.connected = this.native.mccView(this.id).connected;
      if (stand) {
        await this.pause(this.options.waitMs);
        for (const phase of this.options.phases) await this.make(phase);
      }
      facts.retries = this.native.mccView(this.id).retries;
      const counters = Object.entries(this.native.mccCounters(this.id)).filter(([, count]) => count > 0);
      facts.stack = Object.fromEntries(counters);
      await this.close();
      return this.report(facts);
    } finally {
      this.over = true;
      this.native.destroyMcc(this.id);
    }
  }

  /** Opening before the server's end is there would only fill the retry list. */
  private async linkUp(): Promise<void> {
    const noteMs = Date.now() + LINK_NOTE_MS;
    let noted = false;
    while (this.native.mccCounters(this.id).link_up === 0 && !this.stopped) {
      if (!noted && Date.now() >= noteMs) {
        noted = true;
        const end = this.native.mccWaitsFor?.() ?? formatDevice(this.options.device);
        this.events.note(`waiting for the other end of ${end}`);
      }
      await sleep(POLL_MS);
    }
  }

  /** False: the time was over, or the test stopped, before all of them stood. */
  private async connected(): Promise<boolean> {
    const { batches, connectLimitMs } = this.options;
    const endMs = Date.now() + batches * 1_000 + connectLimitMs;
    const noteMs = Date.now() + LINK_NOTE_MS;
    let noted = false;
    await this.until((phase) => {
      if (!noted && Date.now() >= noteMs) noted = this.noteRefusals();
      return phase !== 'connecting' || Date.now() >= endMs;
    });
    const isStanding = PHASES[this.native.mccView(this.id).phase] !== 'connecting';
    if (!isStanding && !this.wasStopped) this.inTheWay = this.refusals();
    return isStanding;
  }

  /** What stands in the way of connections on kernel sockets. */
  private refusals(): string | undefined {
    return refusals(this.native.mccCounters(this.id), this.options.destination, this.options.port);
  }

  /** True: there was something to say. */
  private noteRefusals(): boolean {
    const why = this.refusals();
    if (why !== undefined) this.events.note(why);
    return why !== undefined;
  }

  private async make(phase: Phase): Promise<void> {
    if (this.stopped) return;
    if (phase.kind === 'pause') return this.pause(phase.durationMs);
    if (phase.kind === 'flood') return this.flood(phase.ratePerS);
    const { report, measured } =
      'ofCapacity' in phase && phase.ofCapacity > 1 ? await this.overload(phase) : await this.load(phase);
    this.runs.push(report);
    this.events.run(report, measured);
  }

  /** Again while the server shows that it can do more than what the load is a share of. */
  private async overload(phase: Run): Promise<Load> {
    for (let tries = 1; ; tries += 1) {
      const load = await this.load(phase);
      const { report, answeredPerS } = load;
      const known = this.capacityPerS ?? 0;
      if (this.stopped || tries === OVERLOADS_MAX || answeredPerS < known * CAPACITY_DOUBT) return load;
      this.events.note(
        `${answeredPerS} messages a second were answered, more than the capacity of ${known}: ${report.phase} again`,
      );
      this.capacityPerS = answeredPerS;
    }
  }

  private async load(phase: Run): Promise<Load> {
    const before = this.native.mccView(this.id);
    this.events.begin?.({ name: phaseName(phase), durationMs: phase.durationMs });
    const startMs = Date.now();
    this.native.mccRun(this.id, nativeRun(phase, this.options, this.capacityPerS ?? 0));
    this.slices = new SliceTaker(startMs);
    const views = await this.until((name) => name !== 'running' && name !== 'draining', true);
    const view = this.native.mccView(this.id);
    // A closed loop of so many connections ends with the last of them.
    const early = (this.options.loop?.flows ?? 0) > 0 ? view.answeredNs / 1e6 : Number.POSITIVE_INFINITY;
    const madeMs = Math.min(phase.durationMs, early);
    const durationMs = this.stopped ? Math.min(madeMs, Date.now() - startMs) : madeMs;
    const { answeredAll, levels } = this.options;
    const context = { phase, durationMs, answeredAll, levels, before };
    const result = this.native.mccResult(this.id);
    const latencies = result.levels.map(({ cells, maxNs }) => Histogram.of(cells, maxNs));
    this.slice(view, latencies);
    this.slices = undefined;
    const report = { ...runReport(result, view, context), ...workersReport(result, answeredAll) };
    const named = latencies.map((latency, level) => ({ name: report.levels[level]?.name ?? String(level), latency }));
    const answeredPerS = capacityOf(views) ?? 0;
    if (phase.kind === 'capacity') {
      report.answered_per_s = answeredPerS || report.answered_per_s;
      this.capacityPerS = Math.max(this.capacityPerS ?? 0, report.answered_per_s);
    }
    return { report, measured: { startMs, levels: named }, answeredPerS };
  }

  /** What came since the slice before, for whoever listens. */
  private slice(view: View, latencies?: readonly Histogram[]): void {
    const { slice } = this.events;
    if (slice === undefined || this.slices === undefined) return;
    const taken = this.slices.take(view, latencies ?? this.latencies());
    if (taken !== undefined) slice(taken);
  }

  /** Of the run so far, by level; none once the test is over. */
  latencies(): Histogram[] {
    return this.over ? [] : this.native.mccCells(this.id).map((level) => Histogram.of(level));
  }

  /** Of the run so far. */
  hiccups(): Hiccups {
    return this.native.mccHiccups(this.id);
  }

  private async close(): Promise<void> {
    this.flood(0);
    this.native.mccClose(this.id);
    this.stopped = false;
    await this.until((phase) => phase === 'closed', true);
  }

  private flood(perS: number): void {
    if (perS !== this.floodPerS) this.native.mccFlood(this.id, perS);
    this.floodPerS = perS;
  }

  private async pause(ms: number): Promise<void> {
    const endMs = Date.now() + ms;
    await this.until(() => Date.now() >= endMs);
  }

  /** Polls snapshots until one satisfies `over`, or a stop unless `throughStop`. Returns what was seen. */
  private async until(over: (phase: PhaseName) => boolean, throughStop = false): Promise<View[]> {
    const views: View[] = [];
    for (;;) {
      const view = this.native.mccView(this.id);
      if (view.number !== this.lastView) {
        this.lastView = view.number;
        views.push(view);
        this.events.view(view);
        const phase = PHASES[view.phase];
        if (phase === 'running' || phase === 'draining') this.slice(view);
      }
      if (over(PHASES[view.phase] ?? 'closed') || (this.stopped && !throughStop)) return views;
      await sleep(POLL_MS);
    }
  }

  private report(facts: Facts): Report {
    const { runs, capacityPerS, wasStopped, inTheWay } = this;
    return testReport(this.options, { ...facts, runs, capacityPerS, wasStopped, inTheWay });
  }
}
