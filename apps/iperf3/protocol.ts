// What iperf3 programs say to each other on the control connection of a test: cookies, states, parameters and results.
// In: parsed JSON of a peer. Out: checked values, and the same as JSON of ours. The client opens, says its cookie, and sends
// parameters when the server's state asks for them; then it opens the data connections, each with the same cookie.
// States are one byte; JSON comes behind its length in four bytes, big-endian.
import { randomBytes } from 'node:crypto';

export const STATE = {
  testStart: 1,
  testRunning: 2,
  testEnd: 4,
  paramExchange: 9,
  createStreams: 10,
  serverTerminate: 11,
  clientTerminate: 12,
  exchangeResults: 13,
  displayResults: 14,
  done: 16,
  serverError: 254,
  accessDenied: 255,
} as const;

/** With its final zero. */
export const COOKIE_BYTES = 37;
export const DEFAULT_PORT = 5_201;
export const DEFAULT_BLOCK = 128 * 1024;
export const BLOCK_MAX = 1024 * 1024;
export const STREAMS_MAX = 128;
/** Results of STREAMS_MAX streams take some 30 KiB. */
export const JSON_MAX = 256 * 1024;
/** iperf3's numbers of faults, as far as a server says them here. */
export const FAULT = { blockSize: 7, unimplemented: 13 } as const;

const COOKIE_LETTERS = 'abcdefghijklmnopqrstuvwxyz234567';

export interface Parameters {
  /** 0: `bytes` decides. */
  seconds: number;
  /** Over all streams; 0: `seconds` decides. */
  bytes: number;
  streams: number;
  /** Bytes of one write. */
  block: number;
  /** The server sends. */
  reverse: boolean;
  /** Seconds at the beginning that do not count. */
  omitSeconds: number;
}

export interface CpuShare {
  total: number;
  user: number;
  system: number;
}

export interface StreamResult {
  id: number;
  bytes: number;
  seconds: number;
}

export interface Results {
  cpu: CpuShare;
  streams: StreamResult[];
}

/** A parameter that this side does not take. */
export class ParameterFault extends Error {
  readonly number: number;

  constructor(sentence: string, number: number = FAULT.unimplemented) {
    super(sentence);
    this.number = number;
  }
}

export function makeCookie(): string {
  return Array.from(randomBytes(COOKIE_BYTES - 1), (byte) => COOKIE_LETTERS[byte % 32]).join('');
}

/** iperf3 numbers streams 1, 3, 4, 5 …, and finds results by these numbers. */
export function streamId(index: number): number {
  return index === 0 ? 1 : index + 2;
}

function record(value: unknown, what: string): Record<string, unknown> {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  throw new Error(`the peer's ${what} are no JSON object`);
}

function number(from: Record<string, unknown>, name: string, fallback: number, max = Number.MAX_SAFE_INTEGER): number {
  const value = from[name] ?? fallback;
  if (typeof value === 'number' && value >= 0 && value <= max) return value;
  throw new ParameterFault(`"${name}" is ${JSON.stringify(value)}; 0 to ${max} is accepted`);
}

/** Asked for by other iperf3 programs, and not to be had here. */
const UNAVAILABLE = ['udp', 'sctp', 'bidirectional', 'authtoken', 'bandwidth', 'fqrate', 'blockcount'];

export function readParameters(value: unknown): Parameters {
  const from = record(value, 'parameters');
  for (const name of UNAVAILABLE) {
    if (from[name]) throw new ParameterFault(`"${name}" is not available; TCP with -t, -n, -l, -P, -R and -O is`);
  }
  const block = number(from, 'len', DEFAULT_BLOCK);
  if (block < 1 || block > BLOCK_MAX) throw new ParameterFault(`blocks of ${block} bytes`, FAULT.blockSize);
  return {
    seconds: number(from, 'time', 10, 86_400),
    bytes: number(from, 'num', 0),
    streams: Math.max(1, number(from, 'parallel', 1, STREAMS_MAX)),
    block,
    reverse: from.reverse === true,
    omitSeconds: number(from, 'omit', 0, 600),
  };
}

export function writeParameters(parameters: Parameters): object {
  const { seconds, bytes, streams, block, reverse, omitSeconds } = parameters;
  return {
    tcp: true,
    omit: omitSeconds,
    time: seconds,
    num: bytes,
    blockcount: 0,
    parallel: streams,
    ...(reverse ? { reverse } : {}),
    len: block,
    client_version: '3.12',
  };
}

export function readResults(value: unknown): Results {
  const from = record(value, 'results');
  const streams = Array.isArray(from.streams) ? from.streams : [];
  return {
    cpu: {
      total: number(from, 'cpu_util_total', 0),
      user: number(from, 'cpu_util_user', 0),
      system: number(from, 'cpu_util_system', 0),
    },
    streams: streams.map((stream) => {
      const one = record(stream, 'streams');
      return { id: number(one, 'id', 0), bytes: number(one, 'bytes', 0), seconds: number(one, 'end_time', 0) };
    }),
  };
}

/** The stack does not tell an app how often a connection retransmitted: the peer is told that we do not know. */
export function writeResults({ cpu, streams }: Results): object {
  return {
    cpu_util_total: cpu.total,
    cpu_util_user: cpu.user,
    cpu_util_system: cpu.system,
    sender_has_retransmits: 0,
    streams: streams.map(({ id, bytes, seconds }) => ({
      id,
      bytes,
      retransmits: 0,
      jitter: 0,
      errors: 0,
      packets: 0,
      start_time: 0,
      end_time: seconds,
    })),
  };
}
