// A server's mirror port, end to end: Redis, iotepserver with the key `mirror`, mcc, and a monitor that reads what the server tells
// of, all over memif and without root.
// watchdog: 240s
import { mkdtempSync, rmSync } from 'node:fs';
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
}

const mirror = suite<Context>('a mirror of a server');
const device = (folder: string) => join(folder, 'memif', 'q.sock');
const socket = (folder: string) => join(folder, 'mirror', 'm.sock');

mirror.before(async (context) => {
  context.folder = mkdtempSync(join(tmpdir(), 'qstack-mirror-'));
  const { folder } = context;
  const [redis] = await redisUp(1, join(folder, 'redis'));
  const place = ['--device', `memif:${device(folder)}?server`, '--mirror', `memif:${socket(folder)}`];
  const keys = '--host-ip 10.0.0.1/16 --max-concurrency 1000 --answer all --max-num-buffers 8192 --drain-timeout 1s';
  const flags = [...place, ...keys.split(' '), '--redis', redis?.socket ?? ''];
  context.server = new Program('apps/iotepserver/main.js', flags);
  await context.server.said('listening 10.0.0.1:80');
});
mirror.after(async ({ folder, server }) => {
  await server.stop('SIGKILL');
  await redisDown(join(folder, 'redis'));
  rmSync(folder, { recursive: true, force: true });
});

async function load(folder: string): Promise<LoadReport> {
  const flags = '-c 50 -s 1 -w 0 -l 200 -r 0.2 --answer all --rate 1k/s -d 1s --json --quiet';
  const mcc = new Program('tools/mcc/main.js', [...flags.split(' '), '--socket', device(folder)]);
  assert.is(await mcc.ended, 0, mcc.err);
  return JSON.parse(mcc.out) as LoadReport;
}

mirror(
  '--mirror: the monitor counts what mcc counts, by level, and its latencies lie below those of mcc',
  async (context) => {
    const { folder } = context;
    const monitor = new Program('tools/monitor/main.js', ['--mirror', socket(folder), '--iot', '--json']);
    await monitor.said('watching the mirror');
    const sent = await load(folder);
    assert.is(await monitor.stop('SIGINT'), 0, monitor.err);
    const seen = JSON.parse(monitor.out) as Report;
    assert.is(seen.capture.missed + seen.capture.dropped + seen.capture.cut + seen.counts.unframed, 0);
    for (const [index, level] of sent.levels.entries()) {
      const watched = seen.levels[index];
      assert.ok(level.answered > 0);
      assert.equal([watched?.requests, watched?.responses], [level.answered, level.answered], level.name);
      assert.ok((watched?.p50_us ?? Number.POSITIVE_INFINITY) <= (level.p50_us ?? 0), level.name);
    }
  },
);

mirror('without a reader the server goes on as before', async ({ folder }) => {
  const { levels, mismatched } = await load(folder);
  assert.is(
    levels.reduce((sum, { answered }) => sum + answered, 0),
    1_000,
  );
  assert.is(mismatched, 0);
});

mirror.run();
