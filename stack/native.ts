// The typed interface of the addon, and the one file that knows where it is built.
// In: control calls and options in plain numbers (IPv4 addresses in host order). Out: what native/node exports.
// Invariant: nothing here is called per packet or per message; data crosses in the arena alone (stack/abi.ts).
// Faults are thrown as Error with a `code`: EADDRINUSE, EADDRNOTAVAIL, or a QST_ERR_* of stack/errors.ts.
// The addon must be loaded in the main thread before a worker loads it: one that only a worker holds is unmapped with it.
import { createRequire } from 'node:module';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { QstackError } from './errors.js';

/** Number of a stack, valid in every thread of the process. */
export type StackId = number;

export interface EalOptions {
  /** Hugepages reserved by the system; otherwise transparent ones. */
  readonly hugepages?: boolean;
  /** DPDK's own heap (rings, device queues), not the packets. */
  readonly memoryMb?: number;
  readonly verbose?: boolean;
  /** Addresses of the NICs that may be used; none: the PCI bus is not looked at. */
  readonly pci?: readonly string[];
}

/** One end of a pair of stacks in one process: both sides give the same name. */
export interface RingDevice {
  readonly ring: string;
  readonly side: 0 | 1;
}

/** Probabilities 0 … 1, for frames of one direction. */
export interface FaultRates {
  readonly drop?: number;
  readonly duplicate?: number;
  readonly reorder?: number;
  readonly corrupt?: number;
  readonly delay?: number;
}

export interface FaultOptions {
  readonly seed: number;
  readonly rx?: FaultRates;
  readonly tx?: FaultRates;
  readonly delayMinUs?: number | undefined;
  readonly delayMaxUs?: number | undefined;
}

/** IPv4 as a number in host order, IPv6 as text. */
export type IpAddress = number | string;

/** `count` addresses from `first` share one MAC. */
export interface NeighborOptions {
  readonly first: IpAddress;
  readonly count: number;
  readonly mac: string;
}

/** native/ip/config.hh says more. */
export interface Ipv6Options {
  /** The stack owns `addressCount` addresses from here. */
  readonly address: string;
  readonly addressCount?: number;
  readonly prefixLength?: number;
  readonly gateway?: string;
  readonly routerAdvertisements?: boolean;
  readonly dadTransmits?: number;
}

export interface IpOptions {
  /** The stack owns `addressCount` addresses from here; 0, with `ipv6` only: no IPv4. */
  readonly address: number;
  readonly addressCount?: number;
  readonly prefixLength?: number;
  readonly gateway?: number;
  /** 802.1Q; 0 or absent: frames are untagged. */
  readonly vlan?: number;
  readonly neighbors?: readonly NeighborOptions[];
  readonly neighborsMax?: number;
  readonly ipv6?: Ipv6Options;
}

/** native/tcp/config.hh has the defaults. */
export interface TcpOptions {
  readonly connections?: number;
  readonly halfOpen?: number;
  readonly timeWait?: number;
  readonly busy?: number;
  readonly receiveBuffer?: number;
  readonly sendBuffer?: number;
  readonly rtoMinMs?: number;
  readonly rtoMaxMs?: number;
  readonly delayedAckMs?: number;
  readonly timeWaitMs?: number;
  readonly idleTimeoutMs?: number;
  readonly retriesMax?: number;
  readonly synRetriesMax?: number;
  readonly timestamps?: boolean;
  readonly sack?: boolean;
  readonly synCookies?: boolean;
  readonly pacing?: boolean;
  /** 0 never, 1 when the peer asks for it, 2 also asked for by us. */
  readonly ecn?: number;
  readonly halfOpenPerSource?: number;
  readonly connectionsPerSource?: number;
  /** Connections that may have the option `sums`. */
  readonly sums?: number;
  /** As in ListenOptions: of connections whose listener says nothing else. */
  readonly options?: readonly number[];
}

/** A policy as the native queues take it: stamps of 64 ns, values by level. */
export interface PolicyWords {
  readonly kind: 'strict' | 'weighted' | 'deadline';
  /** `strict`: 0: a lower level may wait for ever. */
  readonly bound: number;
  readonly weights: readonly number[];
  readonly budgets: readonly number[];
}

export interface StackOptions {
  /** memif, tap, af_packet or any other device string of DPDK; or one end of a pair inside the process. */
  readonly device: string | RingDevice;
  /** Descriptors per queue; 0 or absent: the device's own choice. */
  readonly descriptors?: number;
  readonly fault?: FaultOptions;
  /** A device that gets a record of each frame, with its first `mirrorSnap` bytes. */
  readonly mirror?: string;
  readonly mirrorSnap?: number;
  /** `02:00:00:00:00:01`; otherwise made from the address. */
  readonly mac?: string;
  readonly mtu?: number;
  readonly ip: IpOptions;
  readonly tcp?: TcpOptions;
  readonly levels: number;
  readonly apps: number;
  /** Each stack is driven by the poller of the app of its number, and its passive opens are that app's; as many apps as stacks. */
  readonly shared?: boolean;
  /** Stacks that share the device and its addresses; default 1. All numbers of connections, packets and budgets are of each. */
  readonly stacks?: number;
  readonly rxPackets: number;
  readonly txPackets: number;
  /** Bytes of the arena kept for suspended messages; default 0. */
  readonly slabBytes?: number;
  /** RX packets that messages of each level may hold while they are with apps; default: all. */
  readonly rxBudgets?: readonly number[];
  /** Which level goes next at the receive lanes and the TX queue; default: strict, 20 ms. */
  readonly policy?: PolicyWords;
  /** Records of each empty ring, a power of two; default 4096. */
  readonly emptyRecords?: number;
  readonly rxBurst?: number;
  /** 32 bytes that key the flow hash and the initial sequence numbers; random unless a test gives them. */
  readonly secret?: Uint8Array;
}

export type FramingName = 'stream' | 'segment' | 'fixed' | 'lengthPrefix';

export interface ListenOptions {
  /** 0 or absent: every address of the stack, of both families. */
  readonly address?: IpAddress;
  /** 0: not a listener; its framing applies to active opens that name its number. */
  readonly port: number;
  readonly framing: FramingName;
  readonly fixedLength?: number;
  /** Framing lengthPrefix: offset, width, 1 for little-endian, adjust, maximum. */
  readonly prefix?: readonly number[];
  /** Messages above the lowest level do not wait for what was lost before them. */
  readonly unordered?: boolean;
  /** Numbers of SocketOption with their values, one after the other. */
  readonly options?: readonly number[];
}

export type PollMode = 'yield' | 'busy' | 'sleep';

export interface RunOptions {
  /** Of the threads, followed by the number of each. */
  readonly name: string;
  /** By stack. The threads set their own affinity; absent: they may run where this process may (taskset). */
  readonly cores?: readonly number[];
  readonly poll?: PollMode;
}

export interface PoolLevels {
  readonly rxFree: number;
  readonly rxPackets: number;
  readonly txFree: number;
  readonly txPackets: number;
  /** TX packets in empty rings and with apps. */
  readonly txWithApps: number;
  /** RX packets that apps hold. */
  readonly rxWithApps: number;
  /** In use: one for each connection. */
  readonly controlBlocks: number;
  /** In use by connections with bytes in flight. */
  readonly busyBlocks: number;
  /** In use by connections whose app has messages beyond the next byte. */
  readonly earlyRanges: number;
  /** In use by IPv6 connections, half open and in TIME-WAIT as well. */
  readonly ipv6Pairs: number;
  /** Different sets of options and framings in use. */
  readonly optionSets: number;
}

/** One stack's part of what all count together. */
export interface StackShare {
  readonly connections: number;
  readonly framesIn: number;
  readonly framesOut: number;
  readonly rxFree: number;
  readonly txFree: number;
}

/** By the names of native/abi/counters.hh (`rx_packets`, `drop_paws`, …), and what the app rings count. */
export interface StackCounters {
  readonly counters: Readonly<Record<string, number>>;
  readonly messagesByLevel: readonly number[];
  /** Segments not accepted because memory for their level was short: part of `rx_deferred`. */
  readonly deferredByLevel: readonly number[];
  readonly pools: PoolLevels;
  readonly stacks: readonly StackShare[];
  /** What the fault port did to frames; absent without one. */
  readonly fault?: Readonly<Record<string, number>>;
  /** Counters of the device. */
  readonly device: Readonly<Record<string, number>>;
  readonly linkUp: boolean;
}

/** Largest gap between two idle turns in each window of 1 ms, since the last call with `reset`. */
export interface Hiccups {
  readonly windows: number;
  readonly p50Us: number;
  readonly p99Us: number;
  readonly p999Us: number;
  readonly maxUs: number;
}

export interface PollerOptions {
  readonly stack: StackId;
  readonly app: number;
  /** Also runs the turns of the stack in this thread (`inline`). */
  readonly drive?: boolean;
  /**
   * Entered once per non-empty turn, after stamps are written. Returns true when it has more to do at once
   * (ready coroutines, events left over): the poller then comes back after one turn of libuv.
   */
  readonly onTurn: () => boolean;
  /** How long it polls on after the last work; default 75. */
  readonly lingerUs?: number;
}

export interface PollerStats {
  readonly turns: number;
  readonly entered: number;
  readonly sleeps: number;
  readonly wakeups: number;
  readonly stackTurns: number;
  readonly hiccups: Hiccups;
}

export interface NativePoller {
  /** Comes back to JavaScript after one turn of libuv although no ring has anything. Only in the poller's own thread. */
  kick(): void;
  stats(): PollerStats;
  /** Keeps the process alive or lets it end; a poller starts as `ref`. */
  ref(): void;
  unref(): void;
  /** No entry into JavaScript after this. */
  close(): void;
}

export interface CapturedFrame {
  /** As much of it as was captured. */
  readonly bytes: Uint8Array;
  /** On the wire. */
  readonly length: number;
  readonly seconds: number;
  readonly microseconds: number;
}

export interface NativeAddon {
  readonly abiVersion: number;
  readonly counterNames: readonly string[];

  /** Once per process, in the main thread. */
  startEal(options: EalOptions): void;
  /**
   * Arena, pools, port, stack and rings. Nothing runs yet. All memory that is in use from the start on is touched, by as many
   * threads as there are cores; `progress` is told every two seconds, while the call lasts, how many bytes are.
   */
  createStack(options: StackOptions, progress?: (bytes: number) => void): StackId;
  /** Each thread's own ArrayBuffer over the same memory; a second call in the same thread gives the same buffer. */
  attachArena(stack: StackId): ArrayBuffer;
  /** Number of the listener. EADDRINUSE, EADDRNOTAVAIL. */
  listen(stack: StackId, options: ListenOptions): number;
  unlisten(stack: StackId, listener: number): void;
  /**
   * Replaces the classifier between two bursts. The table comes from stack/classifier.ts. Returns how often each rule of
   * the version of before has matched, and last its default.
   */
  classify(stack: StackId, table: Uint8Array): number[];
  /** Another policy for RX lanes, send rings and TX queue, from the next turn on. */
  schedule(stack: StackId, policy: PolicyWords): void;
  /** The same of the version that judges now. */
  ruleHits(stack: StackId): number[];
  /** Level of one frame by that table, without any stack. */
  classifyFrame(table: Uint8Array, frame: Uint8Array): number;
  /** The rule of each frame: its number in the table, the number of rules for the default, -1: no TCP segment. */
  matchFrames(table: Uint8Array, frames: readonly Uint8Array[]): number[];
  /** Nanoseconds per frame, headers located before; the fastest of several runs. */
  classifyCost(table: Uint8Array, frames: readonly Uint8Array[]): number;
  /** What libpcap says against a pcap-filter expression. */
  filterFault(expression: string): string | undefined;
  filterFrame(expression: string, frame: Uint8Array): boolean;
  /** Frames of a capture file, at most so many. QST_ERR_CAPTURE. */
  captureFrames(path: string, framesMax?: number): CapturedFrame[];

  /** The calling thread, and those that it makes from now on. QST_ERR_NATIVE_OPTION where it may not run on one of them. */
  pinThread(options: { readonly cores: readonly number[] }): void;

  /** Starts a thread for each of its stacks. */
  run(stack: StackId, options: RunOptions): void;
  /** Stops and joins them; the stack can be run again, or driven inline. */
  stop(stack: StackId): void;
  /** Frees everything but the arena's address range, which stays for buffers that JavaScript still holds. */
  destroy(stack: StackId): void;
  /** A turn of each of its stacks in the calling thread; only while no thread and no driving poller runs it. Packets and commands handled. */
  turn(stack: StackId): number;

  counters(stack: StackId): StackCounters;
  /** Counts of native/abi/sojourn.hh: by stage, level and cell. */
  sojourn(stack: StackId): Float64Array;
  hiccups(stack: StackId, reset?: boolean): Hiccups;
  /** An app thread died: its connections are reset, its buffers taken back, its rings start anew. Connections reset. */
  reclaimApp(stack: StackId, app: number): number;

  createPoller(options: PollerOptions): NativePoller;
  /** Wakes the poller of an app thread from any thread; it enters JavaScript once. */
  wake(stack: StackId, app: number): void;
  /** Transparent huge pages for memory of JavaScript, as far as whole ones fit into it; before its first use, or it is of no use. */
  adviseHugePages(buffer: ArrayBuffer): void;
  /** Monotonic nanoseconds / 64, modulo 2^32. */
  stamp(): number;
  /** How long the calling thread was ready to run while others had its core, since it began; 0 where the kernel does not count it. */
  waitedForCoreUs(): number;
}

const ROOT = resolve(dirname(fileURLToPath(import.meta.url)), '../..');

/** Where the addon is looked for, in this order. */
export function nativePaths(env: Readonly<Record<string, string | undefined>> = process.env): string[] {
  const override = env.QSTACK_NATIVE;
  return override === undefined || override === ''
    ? [join(ROOT, 'build/release/node/qstack.node'), join(ROOT, 'dist/native/qstack.node')]
    : [resolve(override)];
}

let addon: NativeAddon | undefined;

/** Loads the addon once. QST_ERR_NATIVE_MISSING when it was not built, or cannot be loaded (the sentence says why). */
export function loadNative(): NativeAddon {
  addon ??= load(nativePaths());
  return addon;
}

function load(paths: readonly string[]): NativeAddon {
  const require = createRequire(import.meta.url);
  const faults: string[] = [];
  for (const path of paths) {
    try {
      return require(path) as NativeAddon;
    } catch (error) {
      faults.push(`${path}: ${(error as Error).message.split('\n')[0]}`);
    }
  }
  throw new QstackError(
    'QST_ERR_NATIVE_MISSING',
    `the native addon cannot be loaded (${faults.join('; ')}); build it with \`npm run build\``,
  );
}
