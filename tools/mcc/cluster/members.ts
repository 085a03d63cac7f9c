// Members: the workers of one test, as the coordinator sees them. In: reports and heartbeats. Out: who is there, what each has said
// last, and who was lost. Invariant: who is lost stays lost for this test, and its last word is kept.
import type { LevelResult, NativeRun, RunResult, View, WorkerResult } from '../native.js';
import { NOTHING } from '../process-group.js';
import type { ShareState } from '../share.js';
import type { Trace } from '../trace.js';
import type { Presence } from './protocol.js';

/** Without a heartbeat for so long a worker is lost. */
export const LOST_MS = 3_000;
/** A worker that makes its memory says nothing meanwhile. */
const CREATING_MS = 300_000;

export interface Lost {
  /** `lost`: no heartbeat, or its generator failed; `left`: it said so. */
  readonly how: 'lost' | 'left';
  readonly why: string;
}

export class Member {
  state: ShareState | undefined;
  clockErrorUs = 0;
  lost: Lost | undefined;
  /** What it was to send in the run that is under way, or was last. */
  run: NativeRun | undefined;
  private beatMs = 0;
  private seenMs: number;

  constructor(
    readonly presence: Presence,
    readonly index: number,
    readonly connections: number,
    nowMs: number,
  ) {
    this.seenMs = nowMs;
  }

  get name(): string {
    return this.presence.name;
  }

  /** A word of it is worth a heartbeat. */
  heard(state: ShareState, clockErrorUs: number, nowMs: number): void {
    this.state = state;
    this.clockErrorUs = clockErrorUs;
    this.seenMs = nowMs;
  }

  /** `beatMs`: its last heartbeat, if there is one. `sinceMs`: since when Redis has answered without a break. */
  look(beatMs: number | undefined, nowMs: number, sinceMs: number): void {
    if (beatMs !== undefined && beatMs !== this.beatMs) {
      this.beatMs = beatMs;
      this.seenMs = nowMs;
    }
    if (this.lost !== undefined) return;
    const limitMs = this.state === undefined ? CREATING_MS : LOST_MS;
    const silentMs = nowMs - Math.max(this.seenMs, sinceMs);
    if (silentMs >= limitMs) this.lost = { how: 'lost', why: `no heartbeat for ${Math.round(silentMs / 100) / 10} s` };
  }

  /**
   * The view of its share; of the phase that is `meanwhile` until it has done the last of `calls`. Counts are those of the run that
   * began with call `runNumber`: of one that it has not told of, none. A lost one has no connections.
   */
  view(calls: number, runNumber: number, meanwhile: View): View {
    if (this.state === undefined) return meanwhile;
    const { number, view } = this.state;
    const known = number < runNumber ? { ...view, ...NOTHING } : view;
    if (this.lost !== undefined) return { ...known, connected: 0, inFlight: 0, waiting: 0 };
    return number === calls ? known : { ...known, phase: meanwhile.phase };
  }
}

function playedWithin({ times, cycleNs }: Trace, ns: number): number {
  const rest = ns % cycleNs;
  return Math.floor(ns / cycleNs) * times.length + times.filter((time) => time < rest).length;
}

/** Messages that a run asks for within `elapsedNs`; 0 where the answers decide. */
export function plannedMessages(run: NativeRun, connections: number, elapsedNs: number): number {
  const ns = Math.min(run.durationNs, elapsedNs);
  if (run.kind === 'paced' || run.kind === 'poisson') return Math.round((run.rate * ns) / 1e9);
  if (run.kind === 'wave') return Math.floor((connections * ns) / run.epochNs);
  if (run.kind === 'replay' && run.trace !== undefined) return playedWithin(run.trace, ns);
  return 0;
}

/** What its generator had said last, as a result: counts and latencies until then. */
function lastResult({ view, cells, hiccups }: ShareState): RunResult {
  const none = { p50Ns: 0, p90Ns: 0, p99Ns: 0, p999Ns: 0, sendDelayNs: 0, silenceNs: Number.POSITIVE_INFINITY };
  const levels = view.levels.map((level, index): LevelResult => {
    const known = cells[index] ?? new Float64Array();
    return { ...level, ...none, maxNs: known.at(-2) ?? 0, cells: known };
  });
  return { levels, hiccupP99Ns: hiccups.p99Ns, hiccupMaxNs: hiccups.maxNs };
}

/** Of the run that began with command `runNumber`; undefined when it had said nothing of this run. */
export function lastWord({ state }: Member, runNumber: number): RunResult | undefined {
  if (state === undefined || state.number < runNumber) return undefined;
  return state.result ?? lastResult(state);
}

export function workerResult(member: Member, runNumber: number, elapsedNs: number): WorkerResult {
  const { presence, state, lost, run, connections, clockErrorUs } = member;
  const levels = lastWord(member, runNumber)?.levels ?? [];
  const offered = levels.reduce((sum, level) => sum + level.offered, 0);
  const due = lost === undefined || run === undefined ? offered : plannedMessages(run, connections, elapsedNs);
  return {
    name: presence.name,
    host: presence.host,
    state: lost?.how ?? 'done',
    ...(lost === undefined ? {} : { why: lost.why }),
    connections,
    connected: lost === undefined ? (state?.view.connected ?? 0) : 0,
    notOffered: Math.max(0, due - offered),
    clockErrorUs,
    levels,
  };
}
