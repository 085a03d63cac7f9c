// Cluster: many mccs as one generator. In: the calls of NativeMcc, which become commands to each worker. Out: the views and results
// that one mcc would give, merged. Invariant: a worker that is lost ends nothing: its last word is kept, its share counts as lost,
// and the rest goes on. All begin a run at the same time of Redis' clock.
import { setTimeout as sleep } from 'node:timers/promises';
import type { FlagTexts } from '../flag-reader.js';
import { mergeCells, mergeHiccups, mergePhases, mergeResults, mergeViews } from '../merge.js';
import {
  type Hiccups,
  type NativeMcc,
  type NativeRun,
  PHASES,
  type PhaseName,
  type RunResult,
  type View,
} from '../native.js';
import type { MccOptions } from '../options.js';
import { idleView, shareOfRun } from '../process-group.js';
import type { Clock } from './clock.js';
import { lastWord, Member, workerResult } from './members.js';
import { type Command, decodeReport, encode, type Presence, VERSION, versionFault, versionOf } from './protocol.js';
import { sharesOf } from './shares.js';
import type { Store } from './store.js';

const POLL_MS = 250;
const READ_MS = 500;
/** From the call to the first send: every worker has heard of it by then. */
const START_IN_US = 500_000;
/** Redis was silent for so long: heartbeats could not arrive either. */
const SILENT_MS = 1_000;
const END_MS = 5_000;

export interface ClusterTest {
  readonly id: string;
  readonly texts: FlagTexts;
  readonly options: MccOptions;
  note(sentence: string): void;
}

export class Cluster implements NativeMcc {
  private readonly members: Member[];
  private calls = 0;
  private runNumber = 0;
  private meanwhile: View = idleView();
  private views = 0;
  private over = false;
  private redisSinceMs = performance.now();
  private polledMs = performance.now();
  private fault: string | undefined;
  private readonly loops: Promise<void>[];

  constructor(
    private readonly store: Store,
    private readonly clock: Clock,
    private readonly test: ClusterTest,
    presences: readonly Presence[],
  ) {
    const shares = sharesOf(test.texts, test.options, presences.length);
    this.members = presences.map((presence, index) => {
      const connections = Number(shares[index]?.flags.conn);
      return new Member(presence, index, connections, performance.now());
    });
    this.loops = [this.loop(() => this.poll()), this.loop(() => this.read())];
  }

  private get reports(): string {
    return this.store.key('reports', this.test.id);
  }

  private get present(): Member[] {
    return this.members.filter(({ lost }) => lost === undefined);
  }

  createMcc(): number {
    const shares = sharesOf(this.test.texts, this.test.options, this.members.length);
    this.tell('idle', ({ index }) => shares[index] as Command);
    return 1;
  }

  mccConnect(): void {
    this.tell('connecting', () => ({ call: 'connect' }));
  }

  mccRun(_id: number, run: NativeRun): void {
    const startUs = this.clock.nowUs() + START_IN_US;
    this.tell('running', (member) => {
      member.run = shareOfRun(run, member.index, this.members.length, 0);
      return { call: 'run', run: member.run, startUs };
    });
    this.runNumber = this.calls;
  }

  mccFlood(_id: number, ratePerS: number): void {
    const each = Math.ceil(ratePerS / this.members.length);
    this.tell(this.phase(), () => ({ call: 'flood', ratePerS: each }));
  }

  mccStopRun(): void {
    this.tell(this.phase(), () => ({ call: 'stop' }));
  }

  mccClose(): void {
    this.tell('closing', () => ({ call: 'close' }));
  }

  private viewOf(member: Member): View {
    return member.view(this.calls, this.runNumber, this.meanwhile);
  }

  private phase(): PhaseName {
    return PHASES[this.mccView().phase] ?? 'idle';
  }

  mccView(): View {
    if (this.fault !== undefined) throw new Error(this.fault);
    if (this.present.length === 0) throw new Error('all workers are lost');
    const known = this.members.filter(({ lost, state }) => lost === undefined || state !== undefined);
    const views = known.map((member) => this.viewOf(member));
    const phase = mergePhases(this.present.map((member) => this.viewOf(member).phase));
    const merged = mergeViews(views);
    return { ...merged, phase, number: merged.number + this.views };
  }

  mccCells(): readonly Float64Array[] {
    const parts = this.members.flatMap(({ state }) =>
      state !== undefined && state.number >= this.runNumber ? [state.cells] : [],
    );
    return (parts[0] ?? []).map((_, level) => mergeCells(parts.map((cells) => cells[level] ?? [])));
  }

  mccHiccups(): Hiccups {
    return mergeHiccups(this.members.flatMap(({ state }) => (state === undefined ? [] : [state.hiccups])));
  }

  /** Of the whole, with what lost workers had said of it, and a row for each worker. */
  mccResult(): RunResult {
    const elapsedNs = this.mccView().elapsedNs;
    const words = this.members.map((member) => lastWord(member, this.runNumber));
    const results = words.filter((result): result is RunResult => result !== undefined);
    const workers = this.members.map((member) => workerResult(member, this.runNumber, elapsedNs));
    return { ...mergeResults(results), workers };
  }

  mccCounters(): Readonly<Record<string, number>> {
    const sums: Record<string, number> = {};
    for (const { state } of this.present) {
      for (const [name, count] of Object.entries(state?.counters ?? {})) sums[name] = (sums[name] ?? 0) + count;
    }
    return this.mccWaitsFor() === undefined ? sums : { ...sums, link_up: 0 };
  }

  /** Workers that have no generator yet, or one whose device has no peer. */
  mccWaitsFor(): string | undefined {
    if (this.fault !== undefined) throw new Error(this.fault);
    const late = this.present.filter(({ state }) => state === undefined || state.counters.link_up === 0);
    return late.length === 0 ? undefined : `the devices of ${late.map(({ name }) => name).join(', ')}`;
  }

  destroyMcc(): void {
    this.tell('closed', () => ({ call: 'end' }));
  }

  /** Lets the workers go and gives the key up. */
  async end(): Promise<void> {
    this.over = true;
    await Promise.race([this.release(), sleep(END_MS, undefined, { ref: false })]);
    this.store.close();
  }

  /** The loops renew the key, so they end first; the last command of each worker is on its way before that. */
  private async release(): Promise<void> {
    await Promise.allSettled(this.loops);
    await this.store.remove(this.store.key('coordinator'), this.reports);
  }

  private tell(phase: PhaseName, commandFor: (member: Member) => Command): void {
    this.calls += 1;
    // A change of phase is a new view.
    this.views += 1;
    this.meanwhile = { ...this.meanwhile, phase: PHASES.indexOf(phase) };
    const head = { version: VERSION, test: this.test.id, number: this.calls };
    for (const member of this.present) {
      const stream = this.store.key('commands', member.presence.id);
      this.store.append(stream, encode({ ...head, ...commandFor(member) })).catch((error: Error) => this.failed(error));
    }
  }

  private failed(error: Error): void {
    if (!this.over) this.fault ??= `Redis at ${this.store.where}: ${error.message}`;
  }

  private async loop(step: () => Promise<void>): Promise<void> {
    while (!this.over && this.fault === undefined) await step().catch((error: Error) => this.failed(error));
  }

  private async poll(): Promise<void> {
    await sleep(POLL_MS);
    await this.clock.sample();
    const beats = await this.store.beats();
    await this.store.hold('coordinator', `running ${this.test.id}`, this.reports);
    const nowMs = performance.now();
    if (nowMs - this.polledMs > SILENT_MS) this.redisSinceMs = nowMs;
    this.polledMs = nowMs;
    for (const member of this.present) {
      member.look(beats.get(member.presence.id), nowMs, this.redisSinceMs);
      if (member.lost !== undefined) this.lose(member);
    }
  }

  private lose({ name, lost, connections }: Member): void {
    this.views += 1;
    const rest = this.present.length === 0 ? 'nobody is left' : `${this.present.length} go on`;
    const how = lost?.how === 'left' ? 'has left' : `is lost: ${lost?.why}`;
    this.test.note(`worker ${name} ${how}; its ${connections} connections count as lost, ${rest}`);
  }

  private async read(): Promise<void> {
    const entries = await this.store.read(this.reports, 'coordinator', READ_MS, false);
    for (const { text } of entries) this.take(text);
    await this.store.acknowledge(
      this.reports,
      'coordinator',
      entries.map(({ id }) => id),
    );
  }

  private take(text: string): void {
    if (versionOf(text) !== VERSION) return this.test.note(versionFault('a worker', versionOf(text)));
    const report = decodeReport(text);
    const member = this.members.find(({ presence }) => presence.id === report.worker);
    if (member === undefined || member.lost !== undefined) return;
    if ('state' in report) {
      return member.heard(report.state, report.clockErrorUs, performance.now());
    }
    // What cannot even begin is a mistake of whoever started it, not a loss.
    if ('fault' in report && member.state === undefined) {
      this.fault = `worker ${member.name}: ${report.fault}`;
      return;
    }
    member.lost = 'left' in report ? { how: 'left', why: 'it was stopped' } : { how: 'lost', why: report.fault };
    this.lose(member);
  }
}
