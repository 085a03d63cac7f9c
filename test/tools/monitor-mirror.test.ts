// A server's mirror port, end to end: Redis, iotepserver with the key `mirror`, mcc, and a monitor that reads what the server tells
// of, all over memif and without root.
// watchdog: 240s
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { Report as LoadReport } from '../../tools/mcc/report.js';
import type { Report } from '../../tools/monitor/report.js';
import { redisDown, redisUp } from '../../tools/redis/servers.js';
import { Program } from '../apps/program.js';

interface Context {
  folder: string;
  server: Program;
  /** Where its metrics are. */
  origin: string;
}

const METRICS_PAGE = readFileSync(new URL('../../../docs/metrics.md', import.meta.url), 'utf8');

const mirror = suite<Context>('a mirror of a server');
const device = (folder: string) => join(folder, 'memif', 'q.sock');
const socket = (folder: string) => join(folder, 'mirror', 'm.sock');

mirror.before(async (context) => {
  context.folder = mkdtempSync(join(tmpdir(), 'qstack-mirror-'));
  const { folder } = context;
  const [redis] = await redisUp(1, join(folder, 'redis'));
  const place = ['--device', `memif:${device(folder)}?server`, '--mirror', `memif:${socket(folder)}`];
  const keys =
    '--host-ip 10.0.0.1/16 --max-concurrency 1000 --answer all --max-num-buffers 8192 --drain-timeout 1s --dashboard 127.0.0.1:0';
  const flags = [...place, ...keys.split(' '), '--redis', redis?.socket ?? ''];
  context.server = new Program('apps/iotepserver/main.js', flags);
  await context.server.said('listening 10.0.0.1:80');
  await context.server.said('dashboard http');
  context.origin = /^dashboard (http:\/\/\S+)\/#token=/m.exec(context.server.out)?.[1] ?? '';
});
mirror.after(async ({ folder, server }) => {
  await server.stop('SIGKILL');
  await redisDown(join(folder, 'redis'));
  rmSync(folder, { recursive: true, force: true });
});

async function load(folder: string, rate = '--rate 1k/s -d 1s'): Promise<LoadReport> {
  const flags = `-c 50 -s 1 -w 0 -l 200 -r 0.2 --answer all ${rate} --json --quiet`;
  const mcc = new Program('tools/mcc/main.js', [...flags.split(' '), '--socket', device(folder)]);
  assert.is(await mcc.ended, 0, mcc.err);
  return JSON.parse(mcc.out) as LoadReport;
}

/** What the server's device has counted, by name. */
async function deviceCounts(origin: string): Promise<Record<string, number>> {
  const text = await (await fetch(`${origin}/metrics`)).text();
  const samples = text.matchAll(/^qstack_device_total\{counter="(\w+)"\} (\d+)$/gm);
  return Object.fromEntries([...samples].map(([, name, value]) => [name, Number(value)]));
}

function answeredOf({ levels }: LoadReport): number {
  return levels.reduce((sum, { answered }) => sum + answered, 0);
}

mirror(
  '--mirror: the monitor counts what mcc counts, by level, and its latencies lie below those of mcc',
  async (context) => {
    const { folder } = context;
    const monitor = new Program('tools/monitor/main.js', ['--mirror', socket(folder), '--iot', '--json']);
    await monitor.said('watching the mirror');
    // All its frames, four a message at most, find room in the ring of 2,048 records, however long the monitor stands still.
    const sent = await load(folder, '--rate 250/s -d 1s');
    assert.is(await monitor.stop('SIGINT'), 0, monitor.err);
    const seen = JSON.parse(monitor.out) as Report;
    assert.is(seen.capture.missed + seen.capture.dropped + seen.capture.cut + seen.counts.unframed, 0);
    for (const [index, level] of sent.levels.entries()) {
      const watched = seen.levels[index];
      assert.ok(level.answered > 0);
      assert.is(watched?.requests, level.sent, level.name);
      // An answer that mcc no longer waited for has passed the server all the same.
      const responses = watched?.responses ?? 0;
      assert.ok(responses >= level.answered && responses <= level.sent, `${level.name}: ${JSON.stringify(level)}`);
      const [there, here] = [watched?.p50_us ?? Number.POSITIVE_INFINITY, level.p50_us ?? 0];
      assert.ok(there <= here, `${level.name}: ${there} µs at the server, ${here} µs at mcc`);
    }
  },
);

mirror('without a reader the server goes on as before', async ({ folder }) => {
  const report = await load(folder);
  assert.is(answeredOf(report), 1_000);
  assert.is(report.mismatched, 0);
});

mirror('a monitor that stands still costs records, counted at both ends, and no answer', async ({ folder, origin }) => {
  const monitor = new Program('tools/monitor/main.js', ['--mirror', socket(folder), '--iot', '--json']);
  try {
    await monitor.said('watching the mirror');
    const before = await deviceCounts(origin);
    await load(folder);
    monitor.child.kill('SIGSTOP');
    // Each message is two frames at least, and the ring has room for 2,048 records.
    const report = await load(folder, '--rate 2k/s -d 2s');
    assert.is(answeredOf(report), 4_000);
    assert.is(report.mismatched, 0);
    monitor.child.kill('SIGCONT');
    await load(folder);
    assert.is(await monitor.stop('SIGINT'), 0, monitor.err);
    const after = await deviceCounts(origin);
    const { capture } = JSON.parse(monitor.out) as Report;
    const dropped = (after.mirror_dropped ?? 0) - (before.mirror_dropped ?? 0);
    assert.ok(dropped > 4_000, `${dropped} records were dropped`);
    assert.is(capture.missed, dropped);
  } finally {
    await monitor.stop('SIGKILL');
  }
});

mirror(
  'docs/metrics.md has what the device of a server with a mirror counts, and what several stacks would',
  async (context) => {
    const rows = [...METRICS_PAGE.matchAll(/^\| `qstack_device_total\{counter="(\w+)"\}` \| .+ \|$/gm)];
    const names = rows.map(([, name = '']) => name).filter((name) => !name.startsWith('steer'));
    assert.equal(names.sort(), Object.keys(await deviceCounts(context.origin)).sort());
  },
);

mirror.run();
