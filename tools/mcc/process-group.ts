// ProcessGroup: several processes as one generator: each has its share of connections and load, and what they say is merged.
// In: the calls of NativeMcc. Out: the same views and results that one process would give. Invariant: a view is never older than
// the last call, so that whoever waits for a phase does not see the one of before. A process that ends early ends the test.
import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { mergeCells, mergeHiccups, mergeResults, mergeViews, shareOf } from './merge.js';
import {
  type Hiccups,
  type NativeMcc,
  type NativeMccOptions,
  type NativeRun,
  PHASES,
  type RunResult,
  type View,
} from './native.js';
import type { ShareCall, ShareReply, ShareState } from './share.js';
import { shareOfTrace } from './trace.js';

const MAIN = fileURLToPath(new URL('share-process.js', import.meta.url));
/** From the call to the first send: all processes have heard of it by then. */
const START_IN_NS = 100_000_000n;

interface Member {
  readonly child: ChildProcess;
  state: ShareState | undefined;
  fault: string | undefined;
}

/** What one of `count` processes opens. Levels and order differ from process to process. */
export function shareOfOptions(options: NativeMccOptions, index: number, count: number): NativeMccOptions {
  const connections = shareOf(options.connections, index, count);
  // 0 has a meaning of its own: no bound, no process.
  const share = (whole: number) => (whole === 0 ? 0 : Math.max(1, shareOf(whole, index, count)));
  return {
    ...options,
    connections,
    slots: connections + Math.ceil((options.slots - options.connections) / count),
    seed: (options.seed + index * 0x9e3779b9) % Number.MAX_SAFE_INTEGER,
    ...(options.flows === undefined ? {} : { flows: share(options.flows) }),
    ...(options.opensPerS === undefined ? {} : { opensPerS: share(options.opensPerS) }),
  };
}

/** What one of `count` processes sends; messages of a constant rate take turns. */
export function shareOfRun(run: NativeRun, index: number, count: number, startNs: number): NativeRun {
  const share = (whole: number) => Math.max(1, shareOf(whole, index, count));
  const turn = run.kind === 'paced' ? Math.round((index * 1e9) / run.rate) : 0;
  const trace = run.trace === undefined ? {} : { trace: shareOfTrace(run.trace, index, count) };
  const shares = { burst: share(run.burst), rate: share(run.rate), window: share(run.window) };
  return { ...run, ...shares, ...trace, startNs: startNs + turn };
}

/** What a run counts, before it has. */
export const NOTHING = {
  ...{ elapsedNs: 0, answeredNs: 0, mismatched: 0, late: 0, unexpected: 0, inFlight: 0, waiting: 0 },
  levels: [] as const,
};

export function idleView(): View {
  const counts = { number: 0, phase: PHASES.indexOf('idle'), run: 0, connected: 0, retries: 0, reconnects: 0 };
  return { ...counts, renewals: 0, ...NOTHING };
}

export class ProcessGroup implements NativeMcc {
  private members: Member[] = [];
  private calls = 0;
  /** What a member is in until it says something newer than the last call. */
  private meanwhile: View = idleView();
  private views = 0;

  constructor(private readonly count: number) {}

  createMcc(options: NativeMccOptions): number {
    this.members = Array.from({ length: this.count }, (_, index) => this.start(index));
    this.tell('idle', (index) => ({ call: 'create', options: shareOfOptions(options, index, this.count) }));
    return 1;
  }

  mccConnect(): void {
    this.tell('connecting', () => ({ call: 'connect' }));
  }

  mccRun(_id: number, run: NativeRun): void {
    const startNs = Number(process.hrtime.bigint() + START_IN_NS);
    this.tell('running', (index) => ({ call: 'run', run: shareOfRun(run, index, this.count, startNs) }));
  }

  mccStopRun(): void {
    // The run goes on to drain: no phase begins anew.
    this.send(() => ({ call: 'stop' }));
  }

  mccClose(): void {
    this.tell('closing', () => ({ call: 'close' }));
  }

  mccFlood(): void {
    throw new Error('kernel sockets send no floods');
  }

  mccView(): View {
    const fault = this.members.find((member) => member.fault !== undefined)?.fault;
    if (fault !== undefined) throw new Error(fault);
    const merged = mergeViews(this.members.map((member) => this.viewOf(member)));
    return { ...merged, number: merged.number + this.views };
  }

  mccCells(): readonly Float64Array[] {
    const parts = this.members.flatMap(({ state }) => (state?.number === this.calls ? [state.cells] : []));
    return (parts[0] ?? []).map((_, level) => mergeCells(parts.map((cells) => cells[level] ?? [])));
  }

  mccHiccups(): Hiccups {
    return mergeHiccups(this.members.flatMap(({ state }) => (state === undefined ? [] : [state.hiccups])));
  }

  mccResult(): RunResult {
    return mergeResults(this.members.flatMap(({ state }) => (state?.result === undefined ? [] : [state.result])));
  }

  mccCounters(): Readonly<Record<string, number>> {
    const sums: Record<string, number> = {};
    for (const { state } of this.members) {
      for (const [name, count] of Object.entries(state?.counters ?? {})) sums[name] = (sums[name] ?? 0) + count;
    }
    return sums;
  }

  destroyMcc(): void {
    for (const member of this.members) {
      member.child.removeAllListeners('exit');
      if (member.child.connected) member.child.disconnect();
    }
  }

  private viewOf({ state }: Member): View {
    if (state === undefined) return this.meanwhile;
    if (state.number === this.calls) return state.view;
    const { phase } = this.meanwhile;
    // Counts are those of the run: of one that it has not told of yet, none.
    return PHASES[phase] === 'running' ? { ...state.view, ...NOTHING, phase } : { ...state.view, phase };
  }

  private start(index: number): Member {
    const child = fork(MAIN, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'], serialization: 'advanced' });
    const member: Member = { child, state: undefined, fault: undefined };
    child.on('message', (reply: ShareReply) => {
      if ('fault' in reply) member.fault ??= reply.fault;
      else member.state = reply;
    });
    child.on('exit', (code, signal) => {
      const how = signal === null ? `with exit code ${code}` : `by ${signal}`;
      member.fault ??= `process ${index + 1} of ${this.count} ended ${how}; its connections are gone`;
    });
    child.on('error', (error) => {
      member.fault ??= `process ${index + 1} of ${this.count}: ${error.message}`;
    });
    return member;
  }

  private tell(phase: (typeof PHASES)[number], callFor: (index: number) => ShareCall): void {
    this.calls += 1;
    // A change of phase is a new view.
    this.views += 1;
    this.meanwhile = { ...this.meanwhile, phase: PHASES.indexOf(phase) };
    this.send(callFor);
  }

  private send(callFor: (index: number) => ShareCall): void {
    this.members.forEach(({ child }, index) => {
      if (child.connected) child.send({ ...callFor(index), number: this.calls });
    });
  }
}
