// Socket options: what a program may set on a connection, on a listener or on an active open.
// In: names and values as a person writes them. Out: numbers of SocketOption with u32 values, and back. A name that is no
// option is thrown as ENOPROTOOPT, a value that an option does not take as QST_ERR_INVALID_ARGUMENT with the accepted range.
// Invariant: everything that is accepted here takes effect in native/tcp; docs/sockets.md has a row for each.
import {
  NO_INDEX,
  SOCKET_OPTION_CONGESTION,
  SOCKET_OPTION_DELAYED_ACK_MS,
  SOCKET_OPTION_DSCP,
  SOCKET_OPTION_KEEPALIVE,
  SOCKET_OPTION_KEEPALIVE_COUNT,
  SOCKET_OPTION_KEEPALIVE_IDLE_MS,
  SOCKET_OPTION_KEEPALIVE_INTERVAL_MS,
  SOCKET_OPTION_LINGER_MS,
  SOCKET_OPTION_MAX_SEGMENT,
  SOCKET_OPTION_NO_DELAY,
  SOCKET_OPTION_PACING_RATE,
  SOCKET_OPTION_QUICK_ACK,
  SOCKET_OPTION_RECEIVE_BUFFER,
  SOCKET_OPTION_RETRIES,
  SOCKET_OPTION_RTO_MIN_MS,
  SOCKET_OPTION_SEND_BUFFER,
  SOCKET_OPTION_SUMS,
  SOCKET_OPTION_SYN_RETRIES,
  SOCKET_OPTION_TTL,
  SOCKET_OPTION_USER_TIMEOUT_MS,
  SOCKET_OPTIONS,
} from './abi.js';
import { didYouMean } from './config/fault.js';
import { QstackError } from './errors.js';

/** What is left out stays as it is. */
export interface KeepAlive {
  /** Silence before the first probe; it begins up to an eighth later. */
  idleMs?: number;
  /** From one probe to the next. */
  intervalMs?: number;
  /** Probes without an answer until the connection is given up. */
  count?: number;
}

export type CongestionName = 'cubic' | 'newreno' | 'dctcp';

/** docs/sockets.md says what each does, when it takes effect and where its default comes from. */
export interface SocketOptions {
  /** False collects small writes (Nagle). */
  noDelay: boolean;
  /** No ACK is delayed. */
  quickAck: boolean;
  delayedAckMs: number;
  /** True: with the times of the configuration. */
  keepAlive: boolean | KeepAlive;
  /** How long data may stay unacknowledged; 0: `retries` decides. */
  userTimeoutMs: number;
  /** close() becomes a reset when it takes longer, with 0 at once; null: FIN, and no hurry. */
  lingerMs: number | null;
  /** Bounds the MSS of both directions, in bytes; 0: only the path does. */
  maxSegment: number;
  congestion: CongestionName;
  /** Bytes of payload per second; 0: no limit. */
  pacingRate: number;
  /** The largest window that we offer, in bytes. */
  receiveBuffer: number;
  /** Bytes that may be on their way, unacknowledged, before what is sent waits in the app thread. */
  sendBuffer: number;
  /** Code point of what we send (RFC 2474). */
  dscp: number;
  /** TTL or hop limit of what we send. */
  ttl: number;
  rtoMinMs: number;
  /** Time-outs in a row until the connection is given up. */
  retries: number;
  /** The same for the SYN of connect(). */
  synRetries: number;
  /** Sums of bytes and segments are kept for info(). */
  sums: boolean;
}

export type SocketOptionName = keyof SocketOptions;

/** Number of an option and its value, one after the other. */
export type OptionWords = number[];

interface Codec {
  encode(name: string, value: unknown): OptionWords;
  /** `word(n)`: value of option number n. */
  decode(word: (number: number) => number): unknown;
}

function refuse(name: string, value: unknown, accepts: string): never {
  throw new QstackError('QST_ERR_INVALID_ARGUMENT', `option ${name}: ${String(value)}; accepted is ${accepts}`);
}

function checked(number: number, name: string, value: unknown, more = ''): number {
  const [, min, max] = SOCKET_OPTIONS[number] as (typeof SOCKET_OPTIONS)[number];
  const right = typeof value === 'number' && Number.isInteger(value) && value >= min && value <= max;
  return right ? value : refuse(name, value, `a whole number from ${min} to ${max}${more}`);
}

function whole(number: number): Codec {
  return {
    encode: (name, value) => [number, checked(number, name, value)],
    decode: (word) => word(number),
  };
}

function wholeOrNull(number: number): Codec {
  return {
    encode: (name, value) => [number, value === null ? NO_INDEX : checked(number, name, value, ', or null')],
    decode: (word) => (word(number) === NO_INDEX ? null : word(number)),
  };
}

function flag(number: number): Codec {
  return {
    encode: (name, value) =>
      typeof value === 'boolean' ? [number, value ? 1 : 0] : refuse(name, value, 'true or false'),
    decode: (word) => word(number) === 1,
  };
}

const CONGESTION: readonly CongestionName[] = ['cubic', 'newreno', 'dctcp'];

const congestion: Codec = {
  encode(name, value) {
    const at = CONGESTION.indexOf(value as CongestionName);
    return at >= 0 ? [SOCKET_OPTION_CONGESTION, at + 1] : refuse(name, value, CONGESTION.join(' | '));
  },
  decode: (word) => CONGESTION[word(SOCKET_OPTION_CONGESTION) - 1],
};

const KEEP_ALIVE = {
  idleMs: SOCKET_OPTION_KEEPALIVE_IDLE_MS,
  intervalMs: SOCKET_OPTION_KEEPALIVE_INTERVAL_MS,
  count: SOCKET_OPTION_KEEPALIVE_COUNT,
} as const;

const keepAlive: Codec = {
  encode(name, value) {
    if (typeof value === 'boolean') return [SOCKET_OPTION_KEEPALIVE, value ? 1 : 0];
    if (typeof value !== 'object' || value === null)
      refuse(name, value, 'true, false or { idleMs, intervalMs, count }');
    const words: OptionWords = [];
    for (const [key, part] of Object.entries(value)) {
      if (!Object.hasOwn(KEEP_ALIVE, key)) refuse(`${name}.${key}`, part, Object.keys(KEEP_ALIVE).join(', '));
      const number = KEEP_ALIVE[key as keyof KeepAlive];
      if (part !== undefined) words.push(number, checked(number, `${name}.${key}`, part));
    }
    return [...words, SOCKET_OPTION_KEEPALIVE, 1];
  },
  decode(word) {
    if (word(SOCKET_OPTION_KEEPALIVE) === 0) return false;
    return Object.fromEntries(Object.entries(KEEP_ALIVE).map(([key, number]) => [key, word(number)]));
  },
};

const CODECS: Readonly<Record<SocketOptionName, Codec>> = {
  noDelay: flag(SOCKET_OPTION_NO_DELAY),
  quickAck: flag(SOCKET_OPTION_QUICK_ACK),
  delayedAckMs: whole(SOCKET_OPTION_DELAYED_ACK_MS),
  keepAlive,
  userTimeoutMs: whole(SOCKET_OPTION_USER_TIMEOUT_MS),
  lingerMs: wholeOrNull(SOCKET_OPTION_LINGER_MS),
  maxSegment: whole(SOCKET_OPTION_MAX_SEGMENT),
  congestion,
  pacingRate: whole(SOCKET_OPTION_PACING_RATE),
  receiveBuffer: whole(SOCKET_OPTION_RECEIVE_BUFFER),
  sendBuffer: whole(SOCKET_OPTION_SEND_BUFFER),
  dscp: whole(SOCKET_OPTION_DSCP),
  ttl: whole(SOCKET_OPTION_TTL),
  rtoMinMs: whole(SOCKET_OPTION_RTO_MIN_MS),
  retries: whole(SOCKET_OPTION_RETRIES),
  synRetries: whole(SOCKET_OPTION_SYN_RETRIES),
  sums: flag(SOCKET_OPTION_SUMS),
};

export const SOCKET_OPTION_NAMES = Object.keys(CODECS) as SocketOptionName[];

function codecOf(name: string): Codec {
  if (Object.hasOwn(CODECS, name)) return CODECS[name as SocketOptionName];
  throw new QstackError(
    'ENOPROTOOPT',
    `"${name}" is no option of a connection${didYouMean(name, SOCKET_OPTION_NAMES)}; there are ${SOCKET_OPTION_NAMES.join(', ')}`,
  );
}

/** One option as words; throws for a name that is none and for a value that it does not take. */
export function optionWords(name: string, value: unknown): OptionWords {
  return codecOf(name).encode(name, value);
}

/** Throws ENOPROTOOPT for a name that is none. */
export function checkOptionName(name: string): void {
  codecOf(name);
}

/** Several, in the order of their numbers, so that equal ones give equal words. */
export function optionsWords(options: Partial<SocketOptions> = {}): OptionWords {
  const values = new Map<number, number>();
  for (const [name, value] of Object.entries(options)) {
    if (value === undefined) continue;
    const words = optionWords(name, value);
    for (let i = 0; i < words.length; i += 2) values.set(words[i] as number, words[i + 1] as number);
  }
  return [...values].sort(([a], [b]) => a - b).flat();
}

export function optionValue(name: string, word: (number: number) => number): unknown {
  return codecOf(name).decode(word);
}
