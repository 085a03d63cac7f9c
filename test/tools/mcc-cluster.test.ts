// mcc --cluster as processes: a real Redis, a coordinator, workers, and a server of its own for each worker.
// watchdog: 240s
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { Report } from '../../tools/mcc/report.js';
import { Program } from '../apps/program.js';

const NAMES = ['a', 'b', 'c'] as const;
type Name = (typeof NAMES)[number];

interface Context {
  folder: string;
  port: number;
  redis: Redis;
  programs: Program[];
  workers: Record<string, Program>;
  endRedis: () => Promise<unknown>;
}

const cluster = suite<Context>('mcc --cluster');

const socketOf = ({ folder }: Context, name: string) => join(folder, name, 'q.sock');

function program(context: Context, path: string, ...flags: string[]): Program {
  const started = new Program(path, flags);
  context.programs.push(started);
  return started;
}

async function startRedis(context: Context): Promise<void> {
  const free = createServer().listen(0, '127.0.0.1');
  await once(free, 'listening');
  context.port = (free.address() as AddressInfo).port;
  free.close();
  await once(free, 'close');
  const flags = ['--port', String(context.port), '--bind', '127.0.0.1', '--save', '', '--dir', context.folder];
  const child = spawn('redis-server', flags, { stdio: 'ignore' });
  const ended = once(child, 'exit');
  context.endRedis = () => {
    child.kill('SIGKILL');
    return ended;
  };
  context.redis = new Redis({ port: context.port, host: '127.0.0.1', retryStrategy: () => 50 });
  context.redis.on('error', () => {});
  assert.is(await context.redis.ping(), 'PONG');
}

const url = ({ port }: Context) => `redis://127.0.0.1:${port}/test`;

async function enlist(context: Context, name: Name | 'd', socket: Name): Promise<Program> {
  const flags = ['--cluster', url(context), '--worker', '--name', name, '--socket', socketOf(context, socket)];
  const worker = program(context, 'tools/mcc/main.js', ...flags);
  context.workers[name] = worker;
  await worker.said(`worker ${name} is at `);
  return worker;
}

function coordinate(context: Context, line: string): Program {
  const flags = `--cluster ${url(context)} ${line} --port 7 --reply echo -s 1 -w 0 --json`.split(' ');
  return program(context, 'tools/mcc/main.js', ...flags);
}

function reportOf({ out, err }: Program): Report {
  assert.ok(out.startsWith('{'), err);
  return JSON.parse(out) as Report;
}

function rows(report: Report) {
  const { workers = [] } = report;
  return new Map(workers.map((row) => [row.name, row]));
}

/** The rows add up to the whole, field by field. */
function sumsAreExact(report: Report): void {
  const { workers = [], levels } = report;
  const sum = (of: (row: (typeof workers)[number]) => number) => workers.reduce((all, row) => all + of(row), 0);
  const total = (of: (level: (typeof levels)[number]) => number) => levels.reduce((all, level) => all + of(level), 0);
  assert.is(
    sum(({ connections }) => connections),
    report.connections,
  );
  assert.is(
    sum(({ offered }) => offered),
    total(({ offered }) => offered),
  );
  assert.is(
    sum(({ sent }) => sent),
    total(({ sent }) => sent),
  );
  assert.is(
    sum(({ answered }) => answered),
    total(({ answered }) => answered),
  );
  assert.is(
    sum(({ lost }) => lost),
    total(({ lost }) => lost ?? 0),
  );
  assert.is(
    sum(({ not_offered }) => not_offered),
    report.not_offered,
  );
}

cluster.before(async (context) => {
  context.folder = mkdtempSync(join(tmpdir(), 'qstack-cluster-'));
  context.programs = [];
  context.workers = {};
  await startRedis(context);
  const servers = NAMES.map((name) => {
    const device = `memif:${socketOf(context, name)}?server`;
    const flags = ['--device', device, '--http-port', '0', '--max-concurrency', '500', '--max-num-buffers', '2048'];
    return program(context, 'apps/echo_server/main.js', ...flags).said('listening ');
  });
  await Promise.all(servers);
});

cluster.after(async (context) => {
  for (const { child } of context.programs) child.kill('SIGKILL');
  await Promise.all(context.programs.map(({ ended }) => ended));
  context.redis.disconnect();
  await context.endRedis();
  rmSync(context.folder, { recursive: true, force: true });
});

cluster('three workers make one test, and their shares add up to it', async (context) => {
  const coordinator = coordinate(context, '--workers 3 -c 31 --rate 300/s -d 2s');
  await coordinator.said('0 of 3 workers at ');
  for (const name of NAMES) await enlist(context, name, name);
  assert.is(await coordinator.ended, 0, coordinator.err);
  const report = reportOf(coordinator);
  sumsAreExact(report);
  assert.equal([...rows(report).keys()], ['a', 'b', 'c']);
  assert.is(report.connected, 31);
  assert.is(report.mismatched, 0);
  assert.is(report.workers_lost, 0);
  assert.is(report.levels[0]?.offered, 600);
  assert.is(report.levels[0]?.answered, 600);
  for (const row of report.workers ?? []) {
    assert.is(row.state, 'done');
    assert.is(row.offered, 200);
    assert.ok((row.p99_us ?? 0) > 0 && (row.p99_us ?? 0) <= (report.levels[0]?.max_us ?? 0));
    assert.ok(row.clock_error_us >= 0);
  }
});

cluster(
  'a traffic model and a message from files of the coordinator are shared out; each message is sent once',
  async (context) => {
    const [model, message] = [join(context.folder, 'model'), join(context.folder, 'message')];
    writeFileSync(model, Array.from({ length: 100 }, () => '5000000').join('\n'));
    writeFileSync(message, '{counter}{level}');
    const coordinator = coordinate(
      context,
      `--workers 3 -c 9 --traffic-model ${model} --message file:${message} --levels alarm=0.5,normal=0.5 --answer all`,
    );
    await coordinator.said('3 of 3 workers at ');
    // They are read before the workers hear of them, and by nobody else.
    rmSync(model);
    rmSync(message);
    assert.is(await coordinator.ended, 0, coordinator.err);
    const report = reportOf(coordinator);
    sumsAreExact(report);
    const sum = (of: 'offered' | 'answered') => report.levels.reduce((all, level) => all + level[of], 0);
    assert.equal([sum('offered'), sum('answered'), report.mismatched], [100, 100, 0]);
    assert.equal(
      [...rows(report).values()].map(({ offered }) => offered),
      [34, 33, 33],
    );
  },
);

cluster('a worker that is killed is lost with its share, the rest goes on', async (context) => {
  const coordinator = coordinate(context, '--workers 3 -c 30 --rate 300/s -d 10s --log-duration 1s');
  await coordinator.ranFor(1);
  context.workers.c?.child.kill('SIGKILL');
  await coordinator.said('worker c is lost: no heartbeat for ');
  assert.is(await coordinator.ended, 1);
  const report = reportOf(coordinator);
  sumsAreExact(report);
  const found = rows(report);
  assert.is(report.workers_lost, 1);
  assert.is(found.get('c')?.state, 'lost');
  assert.is(found.get('a')?.answered, 1_000);
  assert.is(found.get('b')?.answered, 1_000);
  const { offered = 0, not_offered: rest = 0, sent = 0, answered = 0, lost = 0 } = found.get('c') ?? {};
  assert.ok(rest > 0, 'it was killed before it had sent its share');
  assert.is(offered + rest, 1_000);
  assert.is(lost, sent - answered);
});

cluster(
  'who comes late waits, a worker leaves by ^C, and ^C at the coordinator ends the test in order',
  async (context) => {
    const coordinator = coordinate(context, '--workers 2 -c 20 --rate 200/s -d 100s --log-duration 1s');
    await coordinator.ranFor(1);
    const { a, b } = context.workers;
    const late = await enlist(context, 'd', 'c');
    assert.match(late.err, /a test is under way, it takes part in the next one/);
    assert.is(await b?.stop('SIGINT'), 0);
    await coordinator.said('worker b has left');
    coordinator.child.kill('SIGINT');
    assert.is(await coordinator.ended, 1);
    const report = reportOf(coordinator);
    sumsAreExact(report);
    assert.equal([...rows(report).keys()], ['a', 'b']);
    assert.is(rows(report).get('a')?.state, 'done');
    assert.is(rows(report).get('b')?.state, 'left');
    assert.ok(report.duration_s < 90);
    await a?.said('the test is over');
  },
);

cluster('a key is given out by one coordinator at a time, whose death its workers notice', async (context) => {
  const coordinator = coordinate(context, '--workers 2 -c 20 --rate 100/s -d 60s');
  await coordinator.said('running ');
  await sleep(1_200);
  const second = coordinate(context, '--workers 1 -c 1 --rate 1/s -d 1s');
  assert.is(await second.ended, 1);
  assert.match(second.err, /another mcc gives out a test at 127\.0\.0\.1:\d+\/test/);
  coordinator.child.kill('SIGKILL');
  await context.workers.a?.said('the coordinator is gone: its test is given up');
});

cluster('another version is refused by both sides, with a sentence', async (context) => {
  const { redis } = context;
  const id = 'old-1';
  const presence = { version: 99, id, name: 'old', host: 'h', pid: 1, since: 0 };
  const coordinator = coordinate(context, '--workers 3 -c 3 --rate 10/s -d 1s');
  const beat = async () => {
    await redis.set(`test:worker:${id}`, JSON.stringify(presence), 'EX', 5);
    await redis.zadd('test:workers', Date.now(), id);
  };
  await beat();
  // A coordinator may need longer to begin than a worker that is silent counts as there.
  const beating = setInterval(() => void beat(), 500);
  await coordinator.said("worker old speaks version 99 of the cluster's protocol, this mcc version 3");
  clearInterval(beating);
  await sleep(200);
  const [entry] = await redis.xrange(`test:commands:${id}`, '-', '+');
  assert.match(entry?.[1][1] ?? '', /"call":"refuse".*this worker speaks version 99/);
  await coordinator.stop('SIGINT');
  const [worker] = (await redis.zrange('test:workers', '0', '-1')).filter((name) => name.startsWith('a-'));
  await redis.xadd(`test:commands:${worker}`, '*', 'm', JSON.stringify({ version: 99, call: 'run' }));
  assert.is(await context.workers.a?.ended, 1);
  assert.match(context.workers.a?.err ?? '', /the coordinator speaks version 99/);
});

cluster('every key expires by itself', async ({ redis }) => {
  const keys = await redis.keys('*');
  assert.ok(keys.length > 0);
  for (const key of keys) assert.ok((await redis.ttl(key)) >= 0, key);
});

cluster('what cannot work is one sentence: no Redis, no role, no cluster', async (context) => {
  const cases: [string, number, RegExp][] = [
    ['--cluster redis://127.0.0.1:1 --worker', 1, /no Redis answers at 127\.0\.0\.1:1 .*is it running there\?/],
    [
      '--cluster redis://127.0.0.1',
      2,
      /--cluster: say --workers N to give out a test, or --worker to take part in one/,
    ],
    ['--cluster http://x --worker', 2, /--cluster: "http:\/\/x" begins with neither redis:\/\/ nor rediss:\/\//],
    ['--workers 3', 2, /--workers: it goes with --cluster/],
  ];
  for (const [line, code, sentence] of cases) {
    const mcc = program(context, 'tools/mcc/main.js', ...line.split(' '));
    assert.is(await mcc.ended, code, line);
    assert.match(mcc.err, sentence);
  }
});

cluster.run();
