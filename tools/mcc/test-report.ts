// The report of a whole test: what its runs have in common, around them.
// In: options, what the test has reached, its runs. Out: a Report, or UnfinishedTest where there was no run.
import { isLasting } from './modes.js';
import type { MccOptions } from './options.js';
import type { Report, RunReport } from './report.js';
import { judge } from './thresholds.js';

export interface Facts {
  connected: number;
  setupMs: number;
  retries: number;
  stack: Record<string, number>;
  command: string;
  versions: Record<string, string>;
}

export interface Outcome extends Readonly<Facts> {
  readonly runs: RunReport[];
  readonly capacityPerS: number | undefined;
  readonly wasStopped: boolean;
  /** Of connections. */
  readonly inTheWay: string | undefined;
}

/** What a test that has measured nothing has reached. */
export type Reached = Pick<
  Report,
  'connections' | 'connected' | 'setup_s' | 'retries' | 'seed' | 'stack' | 'versions' | 'command'
>;

/** The test ended before its first run: not all connections stood, or ^C. */
export class UnfinishedTest extends Error {
  constructor(
    message: string,
    readonly reached: Reached,
  ) {
    super(message);
  }
}

export function testReport({ connections, seed, thresholds }: MccOptions, outcome: Outcome): Report {
  const { connected, setupMs, retries, stack, versions, command, runs, capacityPerS } = outcome;
  const reached = { connections, connected, setup_s: Math.round(setupMs) / 1_000, retries, seed };
  // What a single-phase test measured stands at the top; of several phases, the first that is no capacity search.
  const first = runs.find((run) => !run.phase.startsWith('capacity')) ?? runs[0];
  if (first === undefined) {
    throw new UnfinishedTest(whyUnfinished(connections, outcome), { ...reached, stack, versions, command });
  }
  return {
    ...reached,
    ...first,
    ...(capacityPerS === undefined ? {} : { capacity_per_s: capacityPerS }),
    stack,
    versions,
    command,
    phases: runs,
    thresholds: thresholds.map((threshold) => judge(threshold, runs)),
  };
}

function whyUnfinished(connections: number, { connected, wasStopped, inTheWay }: Outcome): string {
  if (connected >= connections || wasStopped) return 'the test was stopped before its first message';
  const why = inTheWay ?? 'is the server at --dest and --port, with room for them?';
  return `only ${connected} of ${connections} connections stood after the set-up time and --connect-limit; ${why}`;
}

/** The test did what it was asked for: all connections stood, or of those that come and go some were served. */
export function isDone(report: Report, options: MccOptions): boolean {
  if ((report.workers_lost ?? 0) > 0) return false;
  const passing = options.loop !== undefined && !isLasting(options.loop);
  return passing ? (report.levels[0]?.answered ?? 0) > 0 : report.connected === options.connections;
}
