// From settings to the options of the native stack: the one place where the two vocabularies meet.
import { AF_XDP_STRIDE, DPDK_STRIDE, formatPlan, type Plan, plan, slabBytes } from '../mempool/plan.js';
import { formatMac } from './config/address.js';
import { preparedDevice } from './config/device.js';
import { pinsText } from './config/pods.js';
import type { StackSettings } from './config/settings.js';
import type { FaultOptions, Ipv6Options, RingDevice, StackOptions, TcpOptions } from './native.js';
import { rxBudgets } from './overload.js';
import { type Policy, policyWords, resolvePolicy } from './policy.js';
import { optionsWords } from './socket-options.js';

export function planOf(settings: StackSettings, levels: number): Plan {
  return plan({
    connections: settings.connectionsMax,
    stacks: settings.stackThreads,
    levels,
    apps: settings.appThreads,
    packets: settings.packetsMax,
    ipv6: settings.ipv6 !== undefined,
    stride: settings.device.kind === 'af_xdp' ? AF_XDP_STRIDE : DPDK_STRIDE,
    ordersByLevel: levels > 1,
    sums: settings.tcp.sumsMax,
    limitsSources: settings.tcp.halfOpenPerSource > 0 || settings.tcp.connectionsPerSource > 0,
    memif: settings.device.kind === 'memif',
    mirror: settings.mirror !== undefined,
    redis: settings.redis.length + settings.redisCluster.length > 0,
    inline: settings.arrangement === 'inline',
  });
}

/** For `--plan`: threads and memory. */
export function planText(settings: StackSettings, levels: number): string {
  const { stackThreads, appThreads, cores, poll, arrangement, pins } = settings;
  const threads =
    arrangement === 'inline'
      ? '1 thread: stack and handlers together'
      : arrangement === 'shared'
        ? `${1 + appThreads} threads on ${cores} cores: 1 control, ${appThreads} of a stack and its handlers together`
        : `${1 + stackThreads + appThreads} threads on ${cores} cores: 1 control, ${stackThreads} stack (${poll}), ${appThreads} app`;
  const layout = pins === undefined ? '' : `\n${pinsText(pins)}`;
  return `${threads}${layout}\n${formatPlan(planOf(settings, levels))}`;
}

function faultsOf(settings: StackSettings): { fault?: FaultOptions } {
  const { faults } = settings;
  if (faults === undefined) return {};
  const { seed, rx, tx, delayMinMs, delayMaxMs } = faults;
  const [delayMinUs, delayMaxUs] = [delayMinMs, delayMaxMs].map((ms) => Math.round(ms * 1_000));
  return { fault: { seed, rx, tx, delayMinUs, delayMaxUs } };
}

function mirrorOf({ mirror }: StackSettings): Pick<StackOptions, 'mirror' | 'mirrorSnap'> {
  return mirror === undefined ? {} : { mirror: preparedDevice(mirror.device), mirrorSnap: mirror.snap };
}

function ipv6Of({ ipv6, addressCount }: StackSettings): { ipv6?: Ipv6Options } {
  if (ipv6 === undefined) return {};
  const { gateway, ...rest } = ipv6;
  return { ipv6: { ...rest, addressCount, ...(gateway === undefined ? {} : { gateway }) } };
}

const ECN_MODES = ['off', 'accept', 'on'] as const;

/** Connections of one address are shared out over the stacks as all are; so few that the share is given some more. 0: no limit. */
function sourceLimit(limit: number, stacks: number): number {
  return limit === 0 || stacks === 1 ? limit : Math.ceil(limit / stacks) + 1;
}

function tcpOf({ tcp, stackThreads }: StackSettings): Partial<TcpOptions> {
  return {
    rtoMaxMs: Math.round(tcp.rtoMaxMs),
    retriesMax: tcp.retries,
    synRetriesMax: tcp.synRetries,
    pacing: tcp.pacing,
    ecn: ECN_MODES.indexOf(tcp.ecn),
    synCookies: tcp.synCookies,
    halfOpenPerSource: sourceLimit(tcp.halfOpenPerSource, stackThreads),
    connectionsPerSource: sourceLimit(tcp.connectionsPerSource, stackThreads),
    options: [
      ...optionsWords({
        congestion: tcp.congestion,
        pacingRate: tcp.pacingRate,
        userTimeoutMs: Math.round(tcp.userTimeoutMs),
        keepAlive: {
          ...(tcp.keepaliveMs === 0 ? {} : { idleMs: Math.round(tcp.keepaliveMs) }),
          intervalMs: Math.round(tcp.keepaliveIntervalMs),
          count: tcp.keepaliveCount,
        },
      }),
      ...optionsWords({ keepAlive: tcp.keepaliveMs !== 0 }),
    ],
  };
}

/** What the native queues have to know of the program; `policy`: the one of serve(). */
export function stackOptions(
  settings: StackSettings,
  levels: readonly string[],
  policy?: Policy,
  ring?: RingDevice,
): StackOptions {
  const { slots, rxPackets, txPackets, busy, halfOpen, timeWait, sums } = planOf(settings, levels.length);
  const { stackThreads } = settings;
  return {
    device: ring ?? preparedDevice(settings.device),
    ...faultsOf(settings),
    ...(ring === undefined ? mirrorOf(settings) : {}),
    mtu: settings.mtu,
    ip: {
      address: settings.address,
      addressCount: settings.addressCount,
      prefixLength: settings.prefixLength,
      gateway: settings.gateway,
      vlan: settings.vlan,
      neighbors: settings.neighbors.map(({ first, count, mac }) => ({ first, count, mac: formatMac(mac) })),
      ...ipv6Of(settings),
    },
    tcp: {
      connections: slots,
      halfOpen,
      timeWait,
      busy,
      sums,
      receiveBuffer: settings.receiveBufferBytes,
      sendBuffer: settings.sendBufferBytes,
      rtoMinMs: settings.rtoMinMs,
      delayedAckMs: settings.delayedAckMs,
      timeWaitMs: settings.timeWaitMs,
      idleTimeoutMs: settings.idleTimeoutMs,
      ...tcpOf(settings),
    },
    stacks: stackThreads,
    shared: settings.arrangement === 'shared',
    levels: levels.length,
    apps: settings.appThreads,
    rxPackets,
    txPackets,
    slabBytes: slabBytes(stackThreads * rxPackets),
    policy: policyWords(resolvePolicy(levels, policy, settings).options),
    rxBudgets: rxBudgets(levels, rxPackets, settings.bufferShares),
  };
}
