// The Redis client's part of the addon, typed. In: servers and templates. Out: the shared block and where its rings lie.
// Nothing here is called per command: commands and completions pass by the rings (stack/abi.ts).
import type { RingPlace } from '../mempool/ring.js';
import { loadNative, type NativePoller, type PolicyWords, type StackId } from './native.js';

/** A unix socket's path, or a numeric address. */
export type RedisServer = { readonly path: string } | { readonly host: string; readonly port: number };

export interface NativeRedisOptions {
  readonly servers: readonly RedisServer[];
  /** They are some of a Redis Cluster: MOVED and ASK are followed; default false. */
  readonly cluster?: boolean;
  /** Commands may point into this stack's arena. */
  readonly stack?: StackId;
  /** Commands taken and not completed, a power of two; default 16384. */
  readonly commands?: number;
  readonly scratchBytes?: number;
  /** Commands of lower levels in flight per server, at most; by other policies than `strict` of all levels. Default 4096. */
  readonly inflightLowMax?: number;
  /** Priority levels; default 8. */
  readonly levels?: number;
  /** Which level's commands go to a server first; default strict. */
  readonly policy?: PolicyWords;
}

export interface RedisLayout {
  readonly commands: RingPlace;
  readonly completions: RingPlace;
  readonly releases: RingPlace;
  readonly scratchAt: number;
  readonly scratchBytes: number;
}

export interface RedisServerStats {
  readonly sent: number;
  readonly replied: number;
  /** Replies that were errors. */
  readonly errors: number;
  /** Replies that sent their commands on: for good, and for once. No errors; a Redis Cluster alone has them. */
  readonly moved: number;
  readonly asked: number;
  /** Replies after which their commands were sent again: TRYAGAIN, CLUSTERDOWN. */
  readonly retried: number;
  readonly lost: number;
  readonly timeouts: number;
  /** Replies that came after their time-out. */
  readonly discarded: number;
  readonly tooBig: number;
  readonly connects: number;
  readonly disconnects: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
  readonly inFlight: number;
  /** A path, or host:port. */
  readonly address: string;
  readonly connected: boolean;
  /** errno of the last fault of the connection. */
  readonly lastError: number;
  readonly waiting: readonly number[];
}

export interface NativeRedisStats {
  readonly servers: readonly RedisServerStats[];
  readonly refused: number;
  readonly placesInUse: number;
}

/** Parts of an argument: bytes as they are; 0 to 3: an argument of the command; -1: the peer; -2: the number. */
export type NativePart = string | number;

export interface NativeRedis {
  readonly block: ArrayBuffer;
  readonly layout: RedisLayout;
  /** Number of the template. `key` is the index of the argument that is the key; 0: none. */
  addTemplate(args: readonly (readonly NativePart[])[], key: number): number;
  /** The server of each of the 16384 slots, as an index of `servers`, of which those that are new are added. */
  setTopology(servers: readonly RedisServer[], slots: Uint16Array): void;
  /** Which level's commands go first, from the next poll on. */
  schedule(policy: PolicyWords): void;
  /** From now on this poller polls it. */
  attach(poller: NativePoller): void;
  /** Commands were published, where no poller looks for them. */
  published?(): void;
  /** Takes commands out of the ring now. */
  take(): void;
  poll(): number;
  stats(): NativeRedisStats;
  close(): void;
}

export type MakeNativeRedis = (options: NativeRedisOptions) => NativeRedis;

export function createNativeRedis(options: NativeRedisOptions): NativeRedis {
  const native = loadNative() as unknown as { createRedis(options: NativeRedisOptions): NativeRedis };
  return native.createRedis(options);
}
