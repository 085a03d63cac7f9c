// What native/node/mcc.cc exports: control calls of the load generator, plain numbers, times in nanoseconds.
// One generator is one engine thread with its own stack and port. Nothing here is called per message.
import { loadNative } from '../../stack/native.js';
import type { MessageTemplate, ReplyForm } from './message-options.js';
import type { Trace } from './trace.js';

export interface NativeMccOptions {
  readonly device: string;
  readonly mac?: string;
  readonly firstAddress: number;
  readonly addressCount: number;
  readonly prefixLength: number;
  readonly gateway: number;
  readonly vlan: number;
  readonly destination: number;
  readonly port: number;
  readonly connections: number;
  /** Batches of opens, one a second. */
  readonly batches: number;
  readonly connectingMax: number;
  /** Control blocks of the stack, and blocks of connections with something under way. */
  readonly slots: number;
  readonly busy: number;
  /** Of MCC's messages. */
  readonly messageLength: number;
  /** Others, one for each level. */
  readonly templates?: readonly MessageTemplate[];
  readonly reply: ReplyForm;
  /** Messages on a connection before it is closed and opened anew; 0: it stays. */
  readonly reconnectAfter: number;
  /** Of each level, highest first. */
  readonly levelShares: readonly number[];
  readonly levelPerMessage: boolean;
  readonly answeredAll: boolean;
  readonly seed: number;
  readonly thinkNs: number;
  readonly pendingMax: number;
  /** How long an ACK may wait for a message; 0: not at all. */
  readonly delayedAckMs: number;
  readonly rxPackets: number;
  readonly txPackets: number;
  readonly core: number;
  /** SYNs of the flood come from these addresses. */
  readonly floodAddress: number;
  readonly floodAddresses: number;
  /** On kernel sockets: local addresses, 0 where the kernel chooses. Without them the generator has its own stack. */
  readonly kernelSources?: readonly number[];
  /** `closed`: what follows counts (native/mcc/closed_loop.hh), and levels are requests and connections. */
  readonly mode?: 'open' | 'closed';
  readonly messages?: number;
  readonly flows?: number;
  readonly opensPerS?: number;
  readonly randomLength?: boolean;
  readonly request?: string;
}

export type RunKind = 'wave' | 'paced' | 'poisson' | 'replay' | 'window';

export interface NativeRun {
  readonly kind: RunKind;
  readonly burst: number;
  readonly epochNs: number;
  readonly rate: number;
  readonly window: number;
  readonly durationNs: number;
  /** CLOCK_MONOTONIC of the first send; 1 ms from now where that is later, or without it. */
  readonly startNs?: number;
  /** replay */
  readonly trace?: Trace;
}

export const PHASES = ['idle', 'connecting', 'ready', 'running', 'draining', 'closing', 'closed'] as const;
export type PhaseName = (typeof PHASES)[number];

/** Counts of one level since the start of the run. Once it is over: sent = answered + errors + lost. */
export interface LevelCounts {
  readonly offered: number;
  readonly sent: number;
  readonly answered: number;
  readonly errors: number;
  /** Due while the connection was not open. */
  readonly failed: number;
  /** Still waiting for room in the stack when the drain was over. */
  readonly unsent: number;
}

export interface LevelView extends LevelCounts {
  readonly p50Ns: number;
  readonly p99Ns: number;
  readonly p999Ns: number;
  readonly maxNs: number;
}

/** Published once a second and at each change of phase; `number` counts them. Latencies are of the last interval. */
export interface View {
  readonly number: number;
  readonly phase: number;
  /** Changes with each run. */
  readonly run: number;
  readonly elapsedNs: number;
  /** From the run's start to its last answer. */
  readonly answeredNs: number;
  readonly connected: number;
  readonly retries: number;
  readonly reconnects: number;
  readonly renewals: number;
  readonly mismatched: number;
  readonly late: number;
  readonly unexpected: number;
  readonly inFlight: number;
  readonly waiting: number;
  readonly levels: readonly LevelView[];
}

export interface LevelResult extends LevelCounts {
  readonly p50Ns: number;
  readonly p90Ns: number;
  readonly p99Ns: number;
  readonly p999Ns: number;
  readonly maxNs: number;
  /** The longest time from an intended send to the send: of a wave, until the last of it had left. */
  readonly sendDelayNs: number;
  /** The longest time without an answer. */
  readonly silenceNs: number;
  /** The histogram's cells that are not empty: highest value, count, highest value, count … */
  readonly cells: Float64Array;
}

/** Gaps in which the engine's thread did not run, the largest of each millisecond. */
export interface Hiccups {
  readonly p99Ns: number;
  readonly maxNs: number;
}

export interface RunResult {
  readonly levels: readonly LevelResult[];
  /** Of replies, where they are counted: in closed loops. */
  readonly bytesReceived?: number;
  readonly hiccupP99Ns: number;
  readonly hiccupMaxNs: number;
  /** Of a cluster. */
  readonly workers?: readonly WorkerResult[];
}

/** What one worker of a cluster did in a run. */
export interface WorkerResult {
  readonly name: string;
  readonly host: string;
  readonly state: 'done' | 'lost' | 'left';
  /** Of one that did not get to the end. */
  readonly why?: string;
  readonly connections: number;
  readonly connected: number;
  /** Messages that it was to send when it was lost. */
  readonly notOffered: number;
  readonly clockErrorUs: number;
  /** None when it was lost before the run. */
  readonly levels: readonly LevelResult[];
}

export interface NativeMcc {
  /** All its memory is touched; `progress` is told every two seconds, while the call lasts, how many bytes are. */
  createMcc(options: NativeMccOptions, progress?: (bytes: number) => void): number;
  mccConnect(id: number): void;
  /** Starts a run; its first send is intended 1 ms from now. */
  mccRun(id: number, run: NativeRun): void;
  /** SYNs a second from random addresses, from now on; 0: none. */
  mccFlood(id: number, ratePerS: number): void;
  mccStopRun(id: number): void;
  mccClose(id: number): void;
  mccView(id: number): View;
  /** The current run's latencies so far, by level, as LevelResult.cells; the engine is not stopped. */
  mccCells(id: number): readonly Float64Array[];
  /** Of the current or last run so far. */
  mccHiccups(id: number): Hiccups;
  /** Of the last run; only when no run is under way. */
  mccResult(id: number): RunResult;
  /** Whose other end is missing, where that is not one device. */
  mccWaitsFor?(): string | undefined;
  mccCounters(id: number): Readonly<Record<string, number>>;
  /** Stops and joins the thread, closes the port, frees the memory. */
  destroyMcc(id: number): void;
}

export function loadMcc(): NativeMcc {
  return loadNative() as unknown as NativeMcc;
}
