// mcc on kernel sockets against iotepserver on our own stack, over a tap in a namespace of its own (root; skipped without): an
// interface with alias addresses, and the replies that mcc matches by their counters.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Namespace } from '../../tools/bench/namespaces.js';
import { redisDown, redisUp } from '../../tools/redis/servers.js';
import { Program } from '../apps/program.js';

const LINK = 'qkernel0';

interface Context {
  folder: string;
  namespace: Namespace;
  server: Program;
}

const kernel = suite<Context>('mcc on kernel sockets over a tap');

async function setUp(context: Context): Promise<void> {
  context.folder = mkdtempSync(join(tmpdir(), 'qstack-kernel-'));
  const [redis] = await redisUp(1, join(context.folder, 'redis'));
  context.namespace = Namespace.make();
  const flags = ['--device', `tap:${LINK}`, '--host-ip', '10.9.0.1/24', '--max-concurrency', '1000', '--answer', 'all'];
  const place = [...flags, '--redis', redis?.socket ?? ''];
  context.server = new Program('apps/iotepserver/main.js', place, context.namespace.command());
  await context.server.said('listening 10.9.0.1:80');
  context.namespace.giveAddress(LINK, '10.9.0.2');
  context.namespace.run('ip', 'address', 'add', '10.9.0.3/24', 'dev', LINK);
}

async function tearDown({ folder, namespace, server }: Context): Promise<void> {
  await server.stop('SIGKILL');
  namespace.remove();
  await redisDown(join(folder, 'redis'));
  rmSync(folder, { recursive: true, force: true });
}

const missing = Namespace.missing();
const add = missing === undefined ? kernel : kernel.skip;
if (missing === undefined) {
  kernel.before(setUp);
  kernel.after(tearDown);
}

add('from two addresses of an interface, every request and heartbeat is answered', async ({ namespace }) => {
  const place = ['--network-stack', 'kernel', '--device', LINK, '--ips', '2', '--dest', '10.9.0.1'];
  const load = '-c 40 -w 0 -l 200 -r 0.2 --answer all --rate 500/s -d 1s --json --quiet';
  const mcc = new Program('tools/mcc/main.js', [...load.split(' '), ...place], namespace.command());
  assert.is(await mcc.ended, 0, mcc.err);
  const report = JSON.parse(mcc.out);
  const [high, low] = report.levels;
  assert.is(report.connected, 40);
  assert.is(high.answered + low.answered, 500);
  assert.ok(high.answered > 0 && low.answered > 0);
  assert.is(high.lost + low.lost + high.errors + low.errors + report.mismatched, 0);
});

add('more addresses than the interface has are refused with what helps', async ({ namespace }) => {
  const place = ['--network-stack', 'kernel', '--device', LINK, '--dest', '10.9.0.1', '-c', '60000'];
  const mcc = new Program('tools/mcc/main.js', [...place, '--plan'], namespace.command());
  assert.is(await mcc.ended, 2);
  assert.match(mcc.err, /60000 connections from 2 local addresses .* say more --ips, or aliases/);
});

kernel.run();
