// `app`: iotepserver's job at saturation: every message is two Redis commands and a reply. Ours over memif; beside it the same job
// on the kernel's TCP, as an epoll server in C with hiredis and on node:net with ioredis. mcc is the generator of all: its stack
// meets the kernel's over a tap in a namespace of its own. Capacity is closed loop, the better of two numbers of messages under
// way; latency is open loop at half of that.
import { Redis } from 'ioredis';
import type { Report, RunReport } from '../mcc/report.js';
import { layoutOf, redisText } from '../start/layout.js';
import { redisCalls, resetRedisStats } from '../start/redis-stats.js';
import { generateToKernel, kernelMost, PEERS, type Peer } from './app-kernel.js';
import {
  type Benchmark,
  type Contender,
  type Context,
  interleaved,
  medianOf,
  type Result,
  type Sample,
} from './benchmark.js';
import { machineBusySeconds } from './machine.js';
import { Namespace } from './namespaces.js';
import { type Aim, aimText } from './priority/aim.js';
import { levelsOf, ms } from './priority/part.js';
import { HIGH_SHARE, Rig } from './priority/rig.js';
import { rounded } from './statistics.js';

const CONNECTIONS = 100_000;
const SMALL_CONNECTIONS = 300;
const UNDER_WAY = [1_024, 16_384];
const SHARE = 50;
/** Redis commands of a message. */
const CALLS = 2;
const TO_NODE = 5;
const MESSAGES_PER_S = 250_000;

type Kind = 'ours' | Peer;
const NAMES: Readonly<Record<Kind, string>> = { ours: 'iotepserver', ...PEERS };

const nameOf = (kind: Kind, connections: number) =>
  `${NAMES[kind]}, ${connections.toLocaleString('en-US')} connections`;

function searches(rig: Rig): string[] {
  const { isSmall, context } = rig;
  const warmUp = `capacity:${UNDER_WAY[0]}/${isSmall ? context.seconds : 1}s`;
  return [warmUp, ...UNDER_WAY.map((n) => `capacity:${n}/${context.seconds}s`)];
}

function phasesOf(rig: Rig): string {
  const pause = `pause:${rig.isSmall ? 0.1 : 0.5}s`;
  return [...searches(rig), pause, `paced:${SHARE}%/${rig.context.seconds}s`].join(',');
}

/** CPU of the whole machine at the end of each phase of mcc. */
class Meter {
  private readonly busyS: number[] = [];

  readonly onRun = (): void => {
    this.busyS.push(machineBusySeconds());
  };

  /** In phase `index`, of which there was one before. */
  cpuUs(index: number): number {
    return ((this.busyS[index] ?? Number.NaN) - (this.busyS[index - 1] ?? Number.NaN)) * 1e6;
  }
}

async function sampleOf(rig: Rig, report: Report, meter: Meter): Promise<Sample> {
  await checkRedisWork(rig, report);
  const { phases } = report;
  const found = phases.slice(1, -1);
  const best = found.reduce((a, b) => (b.answered_per_s > a.answered_per_s ? b : a));
  const index = phases.indexOf(best);
  const answered = levelsOf(best).reduce((sum, level) => sum + level.answered, 0);
  const [high, low] = levelsOf(phases.at(-1) as RunReport);
  return {
    requests_per_s: best.answered_per_s,
    under_way: UNDER_WAY[index - 1] ?? Number.NaN,
    cpu_us_per_request: meter.cpuUs(index) / answered,
    half_load_high_p99_ms: ms(high.p99_us),
    half_load_low_p99_ms: ms(low.p99_us),
    half_load_answered_share: (high.answered + low.answered) / (high.offered + low.offered),
  };
}

/** Empty servers that have counted nothing. */
async function freshRedis(rig: Rig): Promise<void> {
  for (const { socket } of rig.redis) {
    const redis = new Redis(socket);
    await redis.flushall();
    redis.disconnect();
  }
  await resetRedisStats(rig.redis);
}

/** Whoever is compared has asked Redis as often as the others. */
async function checkRedisWork(rig: Rig, { phases }: Report): Promise<void> {
  const answered = phases.flatMap((run) => levelsOf(run)).reduce((sum, level) => sum + level.answered, 0);
  const calls = await redisCalls(rig.redis);
  if (calls < CALLS * answered) throw new Error(`${calls} Redis commands for ${answered} messages, not ${CALLS} each`);
}

async function ours(rig: Rig, connections: number): Promise<Sample> {
  const meter = new Meter();
  const { onRun } = meter;
  const load = { priorities: true, phases: phasesOf(rig), connections, onRun };
  return sampleOf(rig, await rig.serve(load), meter);
}

async function kernel(rig: Rig, kind: Peer, connections: number): Promise<Sample> {
  const meter = new Meter();
  const { onRun } = meter;
  const traffic = { phases: phasesOf(rig), connections, onRun };
  return sampleOf(rig, await generateToKernel(rig, kind, traffic), meter);
}

interface Scale {
  /** Of ours. */
  readonly all: number;
  /** Of those that are compared. */
  readonly common: number;
  readonly missing: string | undefined;
}

function scaleOf(rig: Rig): Scale {
  const all = rig.context.connections[0] ?? (rig.isSmall ? SMALL_CONNECTIONS : CONNECTIONS);
  return { all, common: Math.min(all, kernelMost()), missing: Namespace.missing() };
}

function contenders(rig: Rig, { all, common, missing }: Scale): Contender[] {
  const contender = (kind: Kind, connections: number) => ({
    name: nameOf(kind, connections),
    run: async () => {
      await freshRedis(rig);
      return kind === 'ours' ? ours(rig, connections) : kernel(rig, kind, connections);
    },
  });
  const counts = [...new Set([all, common])];
  const peers = missing === undefined ? (Object.keys(PEERS) as Peer[]) : [];
  return [...counts.map((n) => contender('ours', n)), ...peers.map((kind) => contender(kind, common))];
}

function aimsOf(rows: Result['rows'], { all, common }: Scale): Aim[] {
  const rate = (kind: Kind, n: number) => medianOf(rows, nameOf(kind, n), 'requests_per_s');
  const ratio = rate('ours', common) / rate('node', common);
  return [
    { key: 'ratio_to_node', what: 'messages a second to those of node:net and ioredis', ratio, atLeast: TO_NODE },
    { key: 'requests_per_s', what: 'messages a second', ratio: rate('ours', all), atLeast: MESSAGES_PER_S },
  ];
}

function valuesOf(rows: Result['rows'], { all, common }: Scale): Result['values'] {
  const of = (kind: Kind, column: string, n = common) => medianOf(rows, nameOf(kind, n), column);
  const rate = (kind: Kind) => of(kind, 'requests_per_s');
  return {
    requests_per_s: rounded(of('ours', 'requests_per_s', all)),
    kernel_requests_per_s: rounded(rate('epoll')),
    node_requests_per_s: rounded(rate('node')),
    ratio_to_kernel: rounded(rate('ours') / rate('epoll')),
    ratio_to_node: rounded(rate('ours') / rate('node')),
    cpu_us_per_request: rounded(of('ours', 'cpu_us_per_request', all)),
    kernel_cpu_us_per_request: rounded(of('epoll', 'cpu_us_per_request')),
    node_cpu_us_per_request: rounded(of('node', 'cpu_us_per_request')),
    p99_us: {
      high: rounded(of('ours', 'half_load_high_p99_ms', all) * 1_000),
      low: rounded(of('ours', 'half_load_low_p99_ms', all) * 1_000),
    },
  };
}

function notesOf({ all, common, missing }: Scale, redisServers: number): string[] {
  const counted = (n: number) => n.toLocaleString('en-US');
  const limit =
    common < all
      ? [
          `the ratios are those at ${counted(common)} connections: a process has no more files here, and a kernel's server needs one for each`,
        ]
      : [];
  return [
    `messages of 200 bytes, ${HIGH_SHARE * 100} % high, all answered; ${redisText(redisServers)}; everything on the same cores`,
    `requests_per_s: closed loop, the better of ${UNDER_WAY.map(counted).join(' and ')} under way; p99_us: at half of it, open loop, from the intended time`,
    'ours meets mcc over memif, the kernel over a tap: two copies and a system call for each frame',
    ...limit,
    ...(missing === undefined ? [] : [`without kernel peers: ${missing}`]),
  ];
}

function measure(context: Context): Promise<Result> {
  const layout = layoutOf(undefined, 'generator');
  const work = async (rig: Rig) => {
    const scale = scaleOf(rig);
    const rows = await interleaved(contenders(rig, scale), context);
    const aims = aimsOf(rows, scale).map(aimText);
    return {
      rows,
      values: { ...valuesOf(rows, scale), mismatched: rig.mismatched },
      charts: [],
      notes: [...aims, ...notesOf(scale, rig.redis.length)],
    };
  };
  return Rig.with(context, work, { layout });
}

export const app: Benchmark = {
  name: 'app',
  what: 'iotepserver at saturation, beside its job in C with hiredis and on node:net with ioredis',
  measure,
};
