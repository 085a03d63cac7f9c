// The monitor on interfaces: beside a kernel web server, and between mcc and iotepserver, whose latencies it must not exceed.
// watchdog: 240s
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { Report as MccReport } from '../../tools/mcc/report.js';
import type { Report } from '../../tools/monitor/report.js';
import { redisDown, redisUp } from '../../tools/redis/servers.js';
import type { Program } from '../apps/program.js';
import { Namespace, OURS, PREFIX_LENGTH } from './namespace.js';
import { interop } from './skip.js';

interface Context {
  folder: string;
  redis: string;
}

const HTTP = `require('node:http').createServer((q, r) => setTimeout(() => r.end('x'), 20)).listen(8080, () => console.log('up'))`;
const DOWNLOADS = 20;
const monitor = suite<Context>('monitor on interfaces');

async function inNamespace(work: (namespace: Namespace) => Promise<void>): Promise<void> {
  const namespace = Namespace.make();
  try {
    await work(namespace);
  } finally {
    await namespace.remove();
  }
}

async function summary(program: Program): Promise<Report> {
  // ^C, as a person ends it: what was seen is reported.
  assert.is(await program.stop('SIGINT'), 0, program.err);
  return JSON.parse(program.out) as Report;
}

/** mcc against iotepserver over a veth pair, and the monitor on the server's end. */
async function besideMcc(namespace: Namespace, redis: string): Promise<void> {
  const link = namespace.link('af_packet');
  // Else what DPDK sends passes by every other listener.
  const device = 'net_af_packet0,iface=ours0,framesz=1664,blocksz=53248,framecnt=1024,qdisc_bypass=0';
  const place = ['--device', device, '--host-ip', `${OURS}/${PREFIX_LENGTH}`, '--port', '80'];
  const server = namespace.program('apps/iotepserver/main.js', ...place, '--redis', redis);
  await server.said(`listening ${OURS}:80`);
  const watching = namespace.program(
    'tools/monitor/main.js',
    '--interface',
    'ours0',
    '--iot',
    '--answer',
    'requests',
    '--json',
  );
  await watching.said('watching ours0');
  const client = [
    '--device',
    `af_packet:${link.kernelEnd}`,
    '--source',
    '10.77.0.100',
    '--ips',
    '1',
    '--prefix',
    `${PREFIX_LENGTH}`,
  ];
  const load = ['-c', '20', '-s', '1', '-w', '1', '-l', '200', '-r', '0.5', '--rate', '1k/s', '-d', '2s'];
  const mcc = await namespace.result<MccReport>('tools/mcc/main.js', ...client, '--dest', OURS, ...load, '--json');
  const { levels, capture } = await summary(watching);
  const [theirs, ours] = [mcc.levels[0], levels[0]];
  assert.ok(theirs !== undefined && ours !== undefined);
  assert.is(capture.missed + capture.dropped, 0);
  assert.equal([ours.requests, ours.responses], [theirs.sent, theirs.answered]);
  const shares = ['p50_us', 'p99_us', 'max_us'] as const;
  console.log(`us, monitor / mcc: ${shares.map((share) => `${share} ${ours[share]} / ${theirs[share]}`).join('   ')}`);
  for (const share of shares) {
    // A cell of a histogram is a thousandth wide.
    assert.ok((ours[share] as number) <= (theirs[share] as number) * 1.002, share);
  }
  assert.is(await server.stop(), 0, server.err);
}

await interop(monitor, (tests) => {
  tests.before(async (context) => {
    context.folder = mkdtempSync(join(tmpdir(), 'qstack-monitor-'));
    context.redis = (await redisUp(1, join(context.folder, 'redis')))[0]?.socket ?? '';
  });
  tests.after(async ({ folder }) => {
    await redisDown(join(folder, 'redis'));
    rmSync(folder, { recursive: true, force: true });
  });

  tests('--interface: each download of a kernel web server is one request and one response of its 20 ms', () =>
    inNamespace(async (namespace) => {
      const server = namespace.command(process.execPath, '-e', HTTP);
      await server.said('up');
      const flags = ['--interface', 'lo', '--port', '8080', '--framing', 'http', '--json'];
      const watching = namespace.program('tools/monitor/main.js', ...flags);
      await watching.said('watching lo');
      for (let i = 0; i < DOWNLOADS; i += 1) await namespace.say('curl', '-s', 'http://127.0.0.1:8080/');
      const { counts, levels, capture } = await summary(watching);
      assert.is(capture.missed + capture.dropped, 0);
      assert.is(counts.requests, DOWNLOADS);
      assert.is(levels[0]?.responses, DOWNLOADS);
      assert.is(counts.connections_seen, DOWNLOADS);
      assert.ok((levels[0]?.min_us ?? 0) >= 15_000, String(levels[0]?.min_us));
    }),
  );

  tests('between mcc and iotepserver: the same messages, and no percentile above that of mcc', ({ redis }) =>
    inNamespace((namespace) => besideMcc(namespace, redis)),
  );
});

monitor.run();
