// StackSettings: one validated configuration, complete, in units that the names say.
// In: values by key. Out: settings with every default filled in. What spans several keys is judged in checks.ts.
import { join } from 'node:path';
import type { Framing } from '../framing.js';
import type { HandlerOrder } from '../handler.js';
import type { NeighborRange } from './address.js';
import type { DashboardAddress } from './dashboard.js';
import type { Device } from './device.js';
import type { RedisAddress, Values } from './keys.js';
import type { Pins } from './pods.js';
import { runtimeDir } from './runtime-dir.js';

/** Shares of frames that a middleware port damages on purpose. */
export interface FaultShares {
  drop: number;
  duplicate: number;
  reorder: number;
  corrupt: number;
  delay: number;
}

export interface Ipv6Settings {
  /** Canonical text, as all IPv6 addresses. */
  address: string;
  prefixLength: number;
  gateway: string | undefined;
  routerAdvertisements: boolean;
  dadTransmits: number;
}

export interface StackSettings {
  cores: number;
  /** Own addresses: `addressCount` of them from `address` on, in host order; 0: no IPv4. */
  address: number;
  prefixLength: number;
  addressCount: number;
  /** 0: none. */
  gateway: number;
  /** Undefined: no IPv6. Its addresses are `addressCount`, too. */
  ipv6: Ipv6Settings | undefined;
  neighbors: NeighborRange[];
  /** Bytes of an IP packet. */
  mtu: number;
  /** 802.1Q; 0: frames are untagged. */
  vlan: number;
  connectionsMax: number;
  stackThreads: number;
  appThreads: number;
  appNice: number;
  workersPerApp: number;
  /** Undefined: threads run where the process may. */
  pins: Pins | undefined;
  statPrint: boolean;
  priorities: boolean;
  /** Packets of the receive pool, and as many of the send pool; 0: the planner chooses. */
  packetsMax: number;
  receiveBufferBytes: number;
  sendBufferBytes: number;
  device: Device;
  /** The port that tells a monitor of every frame. */
  mirror: { device: Device; snap: number } | undefined;
  hugepages: boolean;
  /** Highest first; undefined: those of the module. */
  levels: string[] | undefined;
  classify: ClassifyLine[];
  /** Where payload begins, from the start of the TCP header; 0: after the parsed header. */
  payloadAt: number;
  /** What is undefined here and in the next five is as the program says. */
  policy: 'strict' | 'weighted' | 'deadline' | undefined;
  /** 0: lower levels may wait for ever. */
  starvationBoundMs: number | undefined;
  /** By name of the level. */
  maxAgesMs: Record<string, number> | undefined;
  weights: Record<string, number> | undefined;
  deadlinesMs: Record<string, number> | undefined;
  /** In percent of the RX packets. */
  bufferShares: Record<string, number> | undefined;
  /** Of listeners; what is undefined is as the program says. */
  framing: Framing | undefined;
  order: HandlerOrder | undefined;
  unordered: boolean | undefined;
  /** 0: never. */
  idleTimeoutMs: number;
  timeWaitMs: number;
  rtoMinMs: number;
  delayedAckMs: number;
  tcp: TcpSettings;
  redis: RedisAddress[];
  /** Some servers of a Redis Cluster; then `redis` is empty. */
  redisCluster: RedisAddress[];
  redisClient: 'hiredis' | 'ioredis';
  answer: 'requests' | 'all';
  reply: 'iot' | 'http';
  port: number;
  /** Undefined: only the control socket is there. */
  dashboard: DashboardAddress | undefined;
  /** Undefined: a random one. */
  dashboardToken: string | undefined;
  drainTimeoutMs: number;
  /** 0: handlers are not timed. */
  slowHandlerMs: number;
  traceOps: boolean;
  poll: 'busy' | 'yield' | 'sleep';
  arrangement: 'separate' | 'shared' | 'inline';
  logLevel: 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'fatal' | 'silent';
  /** Undefined: the device is used as it is. */
  faults: { seed: number; delayMinMs: number; delayMaxMs: number; rx: FaultShares; tx: FaultShares } | undefined;
}

export interface TcpSettings {
  rtoMaxMs: number;
  retries: number;
  synRetries: number;
  /** 0: `retries` decides. */
  userTimeoutMs: number;
  /** 0: nobody is probed unless a connection asks for it. */
  keepaliveMs: number;
  keepaliveIntervalMs: number;
  keepaliveCount: number;
  congestion: 'cubic' | 'newreno' | 'dctcp';
  ecn: 'off' | 'accept' | 'on';
  pacing: boolean;
  /** Bytes per second; 0: no limit. */
  pacingRate: number;
  synCookies: boolean;
  /** 0: no limit. */
  halfOpenPerSource: number;
  connectionsPerSource: number;
  /** Connections that may have `sums`. */
  sumsMax: number;
}

/** A rule as it was written; stack/classifier.ts parses it, and names `where` in its own faults. */
export interface ClassifyLine {
  text: string;
  where: string;
}

function faultShares(values: Values): StackSettings['faults'] {
  const side = (name: 'rx' | 'tx'): FaultShares => ({
    drop: values[`fault_${name}_drop`] ?? 0,
    duplicate: values[`fault_${name}_duplicate`] ?? 0,
    reorder: values[`fault_${name}_reorder`] ?? 0,
    corrupt: values[`fault_${name}_corrupt`] ?? 0,
    delay: values[`fault_${name}_delay`] ?? 0,
  });
  const [rx, tx] = [side('rx'), side('tx')];
  const some = [...Object.values(rx), ...Object.values(tx)].some((part) => part > 0);
  if (!some) return undefined;
  const { fault_seed: seed = 1, fault_delay_min: delayMinMs = 0.001, fault_delay: delayMaxMs = 1 } = values;
  return { seed, delayMinMs, delayMaxMs, rx, tx };
}

function defaultDevice(): Device {
  return { kind: 'memif', path: join(runtimeDir(), 'memif', 'qstack.sock'), role: 'server' };
}

function ipv6(values: Values): Ipv6Settings | undefined {
  const own = values.host_ip?.ipv6;
  if (own === undefined) return undefined;
  return {
    address: own.address,
    prefixLength: own.length,
    gateway: values.gateway?.ipv6,
    routerAdvertisements: values.router_advertisements ?? false,
    dadTransmits: values.dad_transmits ?? 1,
  };
}

function network(values: Values) {
  const { ipv4 } = values.host_ip ?? { ipv4: { address: 0x0a000001, length: 16 } };
  return {
    address: ipv4?.address ?? 0,
    prefixLength: ipv4?.length ?? 16,
    addressCount: values.address_count ?? 1,
    gateway: values.gateway?.ipv4 ?? 0,
    ipv6: ipv6(values),
    neighbors: values.arp ?? [],
    mtu: values.mtu ?? 1_500,
    vlan: values.vlan ?? 0,
    device: values.device ?? defaultDevice(),
    mirror: values.mirror === undefined ? undefined : { device: values.mirror, snap: values.mirror_snap ?? 256 },
    faults: faultShares(values),
  };
}

function threads(values: Values, cores: number) {
  return {
    cores: Math.min(values.num_cores ?? cores, cores),
    stackThreads: values.stack_thread ?? (values.arrangement === 'shared' ? (values.app_thread ?? 1) : 1),
    appThreads: values.app_thread ?? 1,
    appNice: values.app_nice ?? 3,
    workersPerApp: values.workers ?? 0,
    pins: undefined, // of checks.ts, which knows the machine
    poll: values.poll ?? 'yield',
    arrangement: values.arrangement ?? 'separate',
  };
}

function tcp(values: Values) {
  return {
    connectionsMax: values.max_concurrency ?? 10_000,
    packetsMax: values.max_num_buffers ?? 0,
    receiveBufferBytes: values.rcvbuf ?? 65_536,
    sendBufferBytes: values.sndbuf ?? 262_144,
    idleTimeoutMs: values.tcp_timeout ?? 0,
    timeWaitMs: values.tcp_timewait ?? 60_000,
    rtoMinMs: values.rto_min ?? 200,
    delayedAckMs: values.delayed_ack ?? 40,
    tcp: {
      rtoMaxMs: values.rto_max ?? 60_000,
      retries: values.tcp_retries ?? 15,
      synRetries: values.syn_retries ?? 7,
      userTimeoutMs: values.user_timeout ?? 0,
      keepaliveMs: values.keepalive ?? 0,
      keepaliveIntervalMs: values.keepalive_interval ?? 75_000,
      keepaliveCount: values.keepalive_count ?? 9,
      congestion: values.congestion ?? 'cubic',
      ecn: values.ecn ?? 'accept',
      pacing: values.pacing ?? false,
      pacingRate: values.pacing_rate ?? 0,
      synCookies: values.syn_cookies ?? true,
      halfOpenPerSource: values.half_open_per_source ?? 0,
      connectionsPerSource: values.connections_per_source ?? 0,
      sumsMax: values.sums_max ?? 1_024,
    } satisfies TcpSettings,
  };
}

export type PolicyPart = Pick<StackSettings, 'policy' | 'starvationBoundMs' | 'maxAgesMs' | 'weights' | 'deadlinesMs'>;

export function policyOf(values: Values): PolicyPart {
  return {
    policy: values.policy,
    starvationBoundMs: values.starvation_bound,
    maxAgesMs: values.max_age,
    weights: values.weights,
    deadlinesMs: values.deadlines,
  };
}

function priority(values: Values, lines: ClassifyLine[]) {
  return {
    priorities: values.pri_enable ?? true,
    levels: values.levels,
    classify: lines,
    payloadAt: values.payload_at ?? 0,
    ...policyOf(values),
    bufferShares: values.buffer_share,
    framing: values.framing,
    order: values.order,
    unordered: values.unordered,
  };
}

/** Fills in every default; `cores` is the machine's number. */
export function completeSettings(values: Values, classify: ClassifyLine[], cores: number): StackSettings {
  return {
    ...network(values),
    ...threads(values, cores),
    ...tcp(values),
    ...priority(values, classify),
    statPrint: (values.stat_print ?? 0) > 0,
    hugepages: values.hugepages ?? false,
    redis: values.redis ?? [],
    redisCluster: values.redis_cluster ?? [],
    redisClient: values.redis_client ?? 'hiredis',
    answer: values.answer ?? 'requests',
    reply: values.reply ?? 'iot',
    port: values.port ?? 80,
    dashboard: values.dashboard,
    dashboardToken: values.dashboard_token,
    drainTimeoutMs: values.drain_timeout ?? 5_000,
    slowHandlerMs: values.slow_handler ?? 100,
    traceOps: values.trace_ops ?? false,
    logLevel: values.log_level ?? 'info',
  };
}
