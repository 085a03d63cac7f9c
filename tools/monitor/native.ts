// What native/node/monitor.cc exports: control calls of the latency monitor, plain numbers, times in nanoseconds.
// One monitor is a capture thread and its shards. Nothing here is called per packet.
import { loadNative } from '../../stack/native.js';

export interface NativePrefix {
  readonly offset: number;
  readonly width: number;
  readonly littleEndian: boolean;
  readonly adjust: number;
  readonly maximum: number;
}

export interface NativeLevelRule {
  readonly by: 'none' | 'byte' | 'length' | 'rules';
  readonly offset?: number;
  /** Of all levels but the last, which others have. */
  readonly values?: readonly number[];
  /** Messages above it have level 0. */
  readonly length?: number;
  /** Of stack/classifier-table.ts. */
  readonly table?: Uint8Array;
  readonly levels?: number;
  readonly ofResponse: boolean;
}

export interface NativeLabels {
  readonly offset: number;
  readonly request: readonly number[];
  readonly response: readonly number[];
}

export interface NativeMonitorOptions {
  /** One of these three; a device also says how many packets it may hold. */
  readonly file?: string;
  readonly interface?: string;
  readonly device?: string;
  /** What the device brings are a mirror's records. */
  readonly records?: boolean;
  readonly rxPackets?: number;
  readonly txPackets?: number;
  readonly ports: readonly number[];
  readonly framing: 'segment' | 'fixed' | 'lengthPrefix' | 'http' | 'https';
  readonly fixedLength?: number;
  readonly prefix?: NativePrefix;
  readonly labels?: NativeLabels;
  readonly level: NativeLevelRule;
  readonly iot: boolean;
  readonly firstLevelOnly: boolean;
  readonly bursts: boolean;
  /** Of each shard. */
  readonly connections: number;
  readonly outstanding: number;
  readonly idleNs: number;
  readonly tailOverNs: number;
  readonly tailSpanNs: number;
  readonly tailFrames: number;
  readonly shards: number;
  /** Bytes of a frame that are looked at. */
  readonly snapshot: number;
  readonly tickNs: number;
  readonly ticksPerInterval: number;
}

export const COUNT_NAMES = [
  'segments',
  'requests',
  'responses',
  'connections',
  'connections_seen',
  'request_retransmissions',
  'response_retransmissions',
  'request_late',
  'response_late',
  'unanswered',
  'unmatched',
  'unframed',
  'unlabelled',
  'outstanding_full',
  'expired',
  'evicted',
  'tails_skipped',
  'bursts_skipped',
] as const;
export type CountName = (typeof COUNT_NAMES)[number];
export type Counts = Readonly<Record<CountName, number>>;

/** IPv4 as a number, IPv6 as 32 hexadecimal digits. */
export type NativeAddress = number | string;

export interface NativeLevel {
  readonly requests: number;
  readonly responses: number;
  readonly unanswered: number;
  readonly leastNs: number;
  readonly mostNs: number;
  readonly sumNs: number;
  /** Highest value and count by turns. */
  readonly cells: Float64Array;
}

export interface NativeBurst {
  /** Of 5 ms, since the epoch. */
  readonly bucket: number;
  readonly client: NativeAddress;
  readonly requests: number;
}

export interface TailFrame {
  readonly timeNs: bigint;
  /** On the wire. */
  readonly length: number;
  readonly bytes: Uint8Array;
}

export interface NativeTail {
  readonly timeNs: bigint;
  readonly latencyNs: number;
  readonly level: number;
  readonly client: NativeAddress;
  readonly server: NativeAddress;
  readonly clientPort: number;
  readonly serverPort: number;
  readonly frames: readonly TailFrame[];
}

/** What one shard has counted in one tick. */
export interface NativeTick {
  readonly number: number;
  readonly startMs: number;
  /** Connections in the table at its end. */
  readonly followed: number;
  readonly counts: Counts;
  readonly levels: readonly NativeLevel[];
  readonly bursts: readonly NativeBurst[];
  readonly tails: readonly NativeTail[];
}

export interface Capture {
  readonly frames: number;
  readonly bytes: number;
  readonly notTcp: number;
  readonly fragments: number;
  readonly cut: number;
  readonly otherPorts: number;
  /** The device or the kernel had no room. */
  readonly missed: number;
  /** A shard was too slow. */
  readonly dropped: number;
  readonly firstMs: number;
  readonly lastMs: number;
  /** The longest time between two looks at a busy source, since a moment ago. */
  readonly gapMaxNs: number;
}

export interface Taken {
  readonly ticks: readonly NativeTick[];
  readonly capture: Capture;
  /** Frames are looked at from now on. */
  readonly opened: boolean;
  /** The source's other end is there; where it has none, always. */
  readonly connected: boolean;
  readonly ended: boolean;
  /** Why it ended; '' when it did well. */
  readonly fault: string;
}

export interface NativeMonitor {
  createMonitor(options: NativeMonitorOptions): number;
  /** What has become ready since the last call. */
  monitorTake(id: number): Taken;
  /** The capture ends; `ended` says when all of it is counted. */
  monitorStop(id: number): void;
  destroyMonitor(id: number): void;
}

export function loadMonitor(): NativeMonitor {
  return loadNative() as unknown as NativeMonitor;
}
