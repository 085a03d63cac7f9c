// The benchmarks of iotepserver's job for correctness, without a bound on any figure: redis, app, mirror, c10m in their small forms.
// Some twenty processes are started and ended: watchdog: 240s
import { type ChildProcess, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Redis } from 'ioredis';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { IOT_REPLY_BYTES, makeReplies, STORED_BYTES } from '../../apps/iotepserver/wire.js';
import { memoryFault } from '../../tools/bench/c10m.js';
import { Namespace } from '../../tools/bench/namespaces.js';
import { nodeProgram, peerProgram } from '../../tools/bench/places.js';
import { stateServer } from '../../tools/bench/priority/shard.js';
import { End } from '../../tools/bench/process.js';
import { benchmarkRate } from '../../tools/bench/redis.js';
import { parseThreadSeconds, threadSeconds, usedBetween } from '../../tools/bench/threads.js';
import { type RedisServer, redisDown, redisUp } from '../../tools/redis/servers.js';
import { layoutOf } from '../../tools/start/layout.js';
import { redisCalls, resetRedisStats } from '../../tools/start/redis-stats.js';
import { freePort } from '../free-port.js';

const MAIN = fileURLToPath(new URL('../../tools/bench/main.js', import.meta.url));
const LIMIT_MS = 100_000;
const bench = suite('gateway');

type ByName = Record<string, number>;

function run(...args: string[]) {
  const folder = mkdtempSync(join(tmpdir(), 'qstack-bench-test-'));
  const ran = spawnSync(process.execPath, [MAIN, ...args, '--out', folder], { encoding: 'utf8', timeout: LIMIT_MS });
  rmSync(folder, { recursive: true, force: true });
  return ran;
}

function small(name: string, ...more: string[]): Record<string, unknown> {
  const { status, stdout, stderr } = run(name, '--runs', '1', '--duration', '100ms', '--json', ...more);
  assert.is(status, 0, stderr);
  return JSON.parse(stdout) as Record<string, unknown>;
}

function assertAbove0(figures: Record<string, unknown>, keys: readonly string[]): void {
  for (const key of keys) assert.ok((figures[key] as number) > 0, `${key}: ${figures[key]}`);
}

bench('a thread has worked for its user and system time, whatever its name holds', () => {
  const stat = '7 (a) b (c) S 1 7 7 0 -1 4194560 1 2 3 4 150 50 9 9 20 0 1 0 5';
  assert.is(parseThreadSeconds(stat), 2);
});

bench('threads are told by process and name, and one that is new began at 0', () => {
  const times = threadSeconds({ 'this test': [process.pid] });
  assert.ok((times.get('this test, main thread') ?? 0) > 0);
  const before = new Map([['a', 1]]);
  const after = new Map([
    ['a', 3],
    ['b', 0.5],
  ]);
  assert.equal(
    [...usedBetween(before, after)],
    [
      ['a', 2],
      ['b', 0.5],
    ],
  );
});

bench('the rate that redis-benchmark tells is read behind its heading', () => {
  const csv = '"test","rps","avg_latency_ms"\n"GET bench:__rand_int__","952380.94","0.05"';
  assert.is(benchmarkRate(csv), 952_380.94);
  assert.ok(Number.isNaN(benchmarkRate('"test","rps"')));
});

/** What comes back for these pieces, sent one by one; so many `bytes` are waited for. */
async function ask(port: number, pieces: readonly Buffer[], bytes: number): Promise<{ got: Buffer; key: string }> {
  const socket = connect({ host: '127.0.0.1', port, noDelay: true });
  await once(socket, 'connect');
  const key = `s:{127.0.0.1:${socket.localPort}}`;
  for (const piece of pieces) {
    socket.write(piece);
    await sleep(20);
  }
  let got = Buffer.alloc(0);
  for await (const piece of socket) {
    got = Buffer.concat([got, piece as Buffer]);
    if (got.length >= bytes) break;
  }
  return { got, key };
}

function messageOf(counter: number): Buffer {
  const message = Buffer.alloc(200, counter & 0xff);
  message.writeUInt32LE(counter);
  return message;
}

async function storedIn(servers: readonly RedisServer[], key: string): Promise<Buffer | null> {
  const { socket = '' } = servers[stateServer('127.0.0.1', Number(key.slice(13, -1)), servers.length)] ?? {};
  const redis = new Redis(socket);
  const value = await redis.getBuffer(key);
  redis.disconnect();
  return value;
}

const PEERS = {
  'epoll and hiredis in C': () => [peerProgram('gateway', '-lhiredis')],
  'node:net and ioredis': () => nodeProgram('tools/bench/ends/gateway-node.js'),
};
for (const [name, command] of Object.entries(PEERS)) {
  bench(`${name}: asks Redis and replies as iotepserver does, however messages are cut`, async () => {
    const folder = mkdtempSync(join(tmpdir(), 'qstack-bench-test-'));
    const port = await freePort();
    const processes: ChildProcess[] = [];
    const servers = await redisUp(2, join(folder, 'redis'), { foreground: processes });
    const peer = new End(name, [...command(), `${port}`, ...servers.map(({ socket }) => socket)]);
    try {
      await peer.start();
      await resetRedisStats(servers);
      const counters = [0xabc1, 0xfedcba98, 3];
      const bytes = Buffer.concat(counters.map(messageOf));
      const pieces = [bytes.subarray(0, 50), bytes.subarray(50, 333), bytes.subarray(333)];
      const { got, key } = await ask(port, pieces, counters.length * IOT_REPLY_BYTES);
      const { done } = makeReplies('iot');
      assert.equal(got, Buffer.concat(counters.map((counter) => Buffer.from(done.with(counter)))));
      assert.is(await redisCalls(servers), 2 * counters.length);
      assert.equal(await storedIn(servers, key), messageOf(3).subarray(0, STORED_BYTES));
    } finally {
      await peer.stop();
      await redisDown(join(folder, 'redis'));
      rmSync(folder, { recursive: true, force: true });
    }
  });
}

bench('redis: handlers get right replies natively and by ioredis, as many as there are', () => {
  const keys = ['requests_per_s', 'ratio_to_redis_benchmark', 'ratio_to_ioredis', 'requests_per_s_1024'];
  assertAbove0(small('redis'), keys);
});

bench('app: every way that this machine has does the same work, and every reply is that of its message', () => {
  const report = small('app');
  const peers = Namespace.missing() === undefined ? ['ratio_to_kernel', 'ratio_to_node'] : [];
  assertAbove0(report, ['requests_per_s', ...peers]);
  assertAbove0(report.p99_us as ByName, ['high', 'low']);
  assert.is(report.mismatched, 0);
});

bench('mirror: the same messages with and without one, timed by mcc and by the monitor', () => {
  const report = small('mirror');
  assertAbove0(report, ['requests_per_s', 'mirrored_kept', 'mirrored_kept_at_rate', 'monitored_kept']);
  assertAbove0(report.p99_us as ByName, ['mcc_high', 'monitor_high']);
  assert.is(report.mismatched, 0);
});

bench('c10m: all connections come up and every message is answered, in waves and paced', () => {
  const report = small('c10m');
  assert.equal([report.connections, report.lost, report.mismatched], [2_000, 0, 0]);
  assertAbove0(report, ['all_up_s', 'memory_gib', 'requests_per_s']);
  for (const where of ['wire_p99_us', 'p99_us']) {
    assertAbove0(report[where] as ByName, ['waves_high', 'waves_low', 'paced_high', 'paced_low']);
  }
  const rows = report.rows as { name: string; part?: string }[];
  const threads = rows.filter(({ part }) => part === 'CPU by thread').map(({ name }) => name);
  const { inline } = layoutOf();
  const server = inline ? ['main thread'] : ['qstack-stack0', 'qstack-app0'];
  for (const thread of [...server.map((name) => `iotepserver, ${name}`), 'mcc, mcc']) {
    assert.ok(threads.includes(`paced: ${thread}`), threads.join('; '));
  }
  assert.ok(threads.includes('waves: redis-server, redis-server'));
});

bench('c10m: more connections than there is memory for are refused with the number that fits', () => {
  const gib = 2 ** 30;
  assert.is(memoryFault(10_368_000, 16 * gib), undefined);
  assert.is(
    memoryFault(10_368_000, 8 * gib),
    '10,368,000 connections need about 11.7 GiB, and 8 GiB are available: --connections 5965k fits',
  );
});

bench.run();
