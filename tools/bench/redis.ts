// `redis`: one Redis operation from a handler, a GET of 32 bytes: how many a second with so many handlers under way, natively and
// on ioredis in the same app thread; beside redis-benchmark with as many commands in its pipeline, one connection, the same server.
import { Redis } from 'ioredis';
import { Child } from '../start/child.js';
import { UNPINNED } from '../start/layout.js';
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
import { nodeProgram } from './places.js';
import { type Aim, aimText } from './priority/aim.js';
import { Rig } from './priority/rig.js';
import { End, type WindowReport } from './process.js';
import { KEYS, keyOf, VALUE_BYTES } from './redis-keys.js';
import { rounded } from './statistics.js';

const WARM_UP_MS = 500;
const LIMIT_MS = 60_000;
const UNDER_WAY = [64, 1_024] as const;
/** The one that the plain keys of the report mean. */
const [HEADLINE] = UNDER_WAY;
/** Of redis-benchmark, for each second of the window: about as long as that on a core of its own. */
const COMMANDS_PER_S = 1_000_000;
const COMMANDS_MIN = 50_000;
const RATIO = 0.6;

type Client = 'native' | 'ioredis';

async function fill(socket: string): Promise<void> {
  const redis = new Redis(socket);
  try {
    const value = 'v'.repeat(VALUE_BYTES);
    await redis.mset(...Array.from({ length: KEYS }, (_, index) => [keyOf(index), value]).flat());
  } finally {
    redis.disconnect();
  }
}

async function handlers(rig: Rig, socket: string, client: Client, underWay: number): Promise<Sample> {
  const windowMs = Math.round(rig.context.seconds * 1_000);
  const device = `memif:${rig.folder}/redis-bench.sock?server`;
  const numbers = [underWay, Math.min(WARM_UP_MS, windowMs), windowMs].map(String);
  const end = new End<WindowReport>('the handlers', [
    ...nodeProgram('tools/bench/ends/redis-asker.js'),
    ...[device, socket, client, ...numbers],
  ]);
  return rig.run(
    () => void end.stop(),
    async () => {
      await end.start();
      const { amount, nanoseconds, busy_s } = await end.report(LIMIT_MS + 2 * windowMs);
      return { requests_per_s: (amount * 1e9) / nanoseconds, cpu_us_per_request: (busy_s * 1e6) / amount };
    },
  );
}

/** Requests a second of `"GET …","<rate>",…`, the line behind the heading. */
export function benchmarkRate(csv: string): number {
  return Number(/^"GET [^"]*","([\d.]+)"/m.exec(csv)?.[1] ?? Number.NaN);
}

async function redisBenchmark(rig: Rig, socket: string, pipeline: number): Promise<Sample> {
  const commands = Math.max(COMMANDS_MIN, Math.round(COMMANDS_PER_S * rig.context.seconds));
  const shape = { '-s': socket, '-c': '1', '-P': `${pipeline}`, '-n': `${commands}`, '-r': `${KEYS}` };
  const flags = Object.entries(shape).flat();
  const lines: string[] = [];
  const busyS = machineBusySeconds();
  const child = new Child({
    name: 'redis-benchmark',
    command: ['redis-benchmark', ...flags, '--csv', 'GET', 'bench:__rand_int__'],
    onLine: (line) => lines.push(line),
  });
  return rig.run(
    (signal) => child.signal(signal),
    async () => {
      const code = await child.ended;
      const rate = benchmarkRate(lines.join('\n'));
      if (code !== 0 || !Number.isFinite(rate)) throw new Error(child.failure());
      return { requests_per_s: rate, cpu_us_per_request: ((machineBusySeconds() - busyS) * 1e6) / commands };
    },
  );
}

const nameOf = (who: string, underWay: number) => `${who}, ${underWay.toLocaleString('en-US')} under way`;
const [NATIVE, IOREDIS, BENCHMARK] = ['native', 'ioredis', 'redis-benchmark'];

function contenders(rig: Rig, socket: string): Contender[] {
  return UNDER_WAY.flatMap((n) => [
    { name: nameOf(NATIVE, n), run: () => handlers(rig, socket, 'native', n) },
    { name: nameOf(BENCHMARK, n), run: () => redisBenchmark(rig, socket, n) },
    { name: nameOf(IOREDIS, n), run: () => handlers(rig, socket, 'ioredis', n) },
  ]);
}

function resultOf(rows: Result['rows']): Result {
  const rate = (who: string, n: number) => medianOf(rows, nameOf(who, n), 'requests_per_s');
  const ratio = (who: string, n: number) => rate(NATIVE, n) / rate(who, n);
  const aim: Aim = {
    key: 'ratio_to_redis_benchmark',
    what: `operations of handlers to those of redis-benchmark, ${HEADLINE} under way`,
    ratio: ratio(BENCHMARK, HEADLINE),
    atLeast: RATIO,
  };
  const [, many] = UNDER_WAY;
  const values = {
    requests_per_s: rate(NATIVE, HEADLINE),
    ratio_to_redis_benchmark: aim.ratio,
    ratio_to_ioredis: ratio(IOREDIS, HEADLINE),
    cpu_us_per_request: medianOf(rows, nameOf(NATIVE, HEADLINE), 'cpu_us_per_request'),
    [`requests_per_s_${many}`]: rate(NATIVE, many),
    [`ratio_to_redis_benchmark_${many}`]: ratio(BENCHMARK, many),
    [`ratio_to_ioredis_${many}`]: ratio(IOREDIS, many),
  };
  return {
    rows,
    values: Object.fromEntries(Object.entries(values).map(([key, value]) => [key, rounded(value)])),
    charts: [],
    notes: [
      aimText(aim),
      `GET of ${VALUE_BYTES} bytes, ${KEYS.toLocaleString('en-US')} keys, one connection over a unix socket; the keys without a number have ${HEADLINE} under way`,
      'native: pooled handlers in an app thread; ioredis: async functions in such a thread, auto-pipelining on',
    ],
  };
}

function measure(context: Context): Promise<Result> {
  return Rig.with(
    context,
    async (rig) => {
      const socket = rig.redis[0]?.socket ?? '';
      await fill(socket);
      return resultOf(await interleaved(contenders(rig, socket), context));
    },
    { servers: 1, layout: UNPINNED },
  );
}

export const redis: Benchmark = {
  name: 'redis',
  what: 'a Redis operation from a handler, natively and by ioredis, beside redis-benchmark',
  measure,
};
