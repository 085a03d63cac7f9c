// The main job as processes: Redis, iotepserver and mcc over memif. Every message is answered, Redis counts as many commands
// as we do, Redis may die and come back, and what is wrong is said in a sentence.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { LevelReport, Report } from '../../tools/mcc/report.js';
import { redisDown, redisUp } from '../../tools/redis/servers.js';
import { Program } from './program.js';

interface Context {
  folder: string;
  sockets: string[];
  /** Ended with the test that started them, however it ended. */
  programs: Program[];
}

const iotep = suite<Context>('iotepserver');

iotep.before(async (context) => {
  context.folder = mkdtempSync(join(tmpdir(), 'qstack-iotep-'));
  context.programs = [];
  context.sockets = (await redisUp(2, join(context.folder, 'redis'))).map(({ socket }) => socket);
});
iotep.after.each(async ({ programs }) => {
  await Promise.all(programs.splice(0).map((program) => program.stop('SIGKILL')));
});
iotep.after(async ({ folder }) => {
  await redisDown(join(folder, 'redis'));
  rmSync(folder, { recursive: true, force: true });
});

const memif = ({ folder }: Context) => join(folder, 'memif', 'q.sock');

function configuration(context: Context, more: Readonly<Record<string, string>>): string {
  const keys = {
    host_ip: '10.0.0.1/16',
    max_concurrency: '2000',
    max_num_buffers: '8192',
    device: `memif:${memif(context)}?server`,
    redis: context.sockets.join(', '),
    answer: 'all',
    drain_timeout: '1s',
    ...more,
  };
  const file = join(context.folder, 'iotep.conf');
  writeFileSync(
    file,
    Object.entries(keys)
      .map(([key, value]) => `${key} = ${value}\n`)
      .join(''),
  );
  return file;
}

function run(context: Context, path: string, flags: readonly string[]): Program {
  const program = new Program(path, flags);
  context.programs.push(program);
  return program;
}

async function onTheAir(context: Context, more: Readonly<Record<string, string>> = {}, flags: string[] = []) {
  const server = run(context, 'apps/iotepserver/main.js', ['-f', configuration(context, more), ...flags]);
  await server.said('listening 10.0.0.1:80');
  return server;
}

/** An mcc that says once a second what it does. */
function generator(context: Context, flags: string): Program {
  const line = `-c 200 -s 1 -w 0 -l 200 -r 0.2 ${flags} --json --socket ${memif(context)}`;
  return run(context, 'tools/mcc/main.js', line.split(' '));
}

async function reportOf(mcc: Program): Promise<Report> {
  assert.is(await mcc.ended, 0, mcc.err);
  return JSON.parse(mcc.out) as Report;
}

async function load(context: Context, flags: string): Promise<Report> {
  return reportOf(generator(context, flags));
}

async function onRedis<T>(socket: string, ask: (client: Redis) => Promise<T>): Promise<T> {
  const client = new Redis(socket);
  try {
    return await ask(client);
  } finally {
    client.disconnect();
  }
}

async function calls(sockets: readonly string[], command: string): Promise<number> {
  const counts = await Promise.all(
    sockets.map((socket) =>
      onRedis(socket, async (client) => {
        const text = await client.info('commandstats');
        return Number(new RegExp(`cmdstat_${command}:calls=(\\d+)`).exec(text)?.[1] ?? 0);
      }),
    ),
  );
  return counts.reduce((sum, count) => sum + count, 0);
}

iotep('every message is answered once, and Redis has done two commands for each', async (context) => {
  for (const socket of context.sockets) await onRedis(socket, (client) => client.config('RESETSTAT'));
  const server = await onTheAir(context, {}, ['--stats-json']);
  const report = await load(context, '--answer all --phases wave:100/250ms/1s,paced:1000/1s');
  assert.is(report.mismatched, 0);
  let sent = 0;
  for (const phase of report.phases) {
    for (const level of phase.levels) {
      assert.is(level.answered, level.sent, JSON.stringify(level));
      assert.is(level.lost, 0);
      sent += level.sent;
    }
  }
  assert.is(sent, 1_400);
  assert.is(await calls(context.sockets, 'set'), sent);
  assert.is(await calls(context.sockets, 'get'), sent);
  const keys = await onRedis(context.sockets[0] as string, (client) => client.keys('s:*'));
  assert.match(keys[0] ?? '', /^s:\{10\.0\.1\.\d+:\d+\}$/);
  const stored = await onRedis(context.sockets[0] as string, (client) => client.getBuffer(keys[0] as string));
  assert.is(stored?.length, 10);
  assert.is(stored?.[6], 2);
  assert.is(await server.stop(), 0, server.err);
  assert.match(server.err, /200 connections were opened, 200 closed/);
  const [first] = server.out
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));
  const names = first.levels.map(({ name }: { name: string }) => name);
  assert.equal(names, ['high', 'low']);
});

iotep(
  'with answer = requests only requests get replies, and heartbeats do their work all the same',
  async (context) => {
    const server = await onTheAir(context, { answer: 'requests', reply: 'http' });
    const report = await load(context, '--rate 1000 -d 1');
    const [high, low] = report.levels as [LevelReport, LevelReport];
    assert.ok(high.sent > 0 && low.sent > 0);
    assert.is(high.answered, high.sent);
    assert.is(low.answered, 0);
    assert.is(low.lost, null);
    assert.is(report.unexpected, 0);
    assert.is(await server.stop(), 0, server.err);
    const messages = new RegExp(`low: ${low.sent.toLocaleString('en-US')} messages, 0 replies`);
    assert.match(server.err, messages);
  },
);

iotep('without priorities everything is served as one level', async (context) => {
  const server = await onTheAir(context, { pri_enable: '0' });
  const report = await load(context, '--answer all --rate 500 -d 1');
  assert.is(
    report.levels.reduce((sum, { answered }) => sum + answered, 0),
    500,
  );
  assert.is(await server.stop(), 0, server.err);
  assert.match(server.err, /high: 0 messages/);
  assert.match(server.err, /low: 500 messages, 500 replies/);
});

iotep(
  'Redis dies and comes back under load: error replies meanwhile, connections stay, all is counted',
  async (context) => {
    const server = await onTheAir(context);
    const mcc = generator(context, '--answer all --rate 400 -d 6');
    await mcc.ranFor(1);
    await redisDown(join(context.folder, 'redis'));
    await new Promise((done) => setTimeout(done, 1_500));
    await redisUp(2, join(context.folder, 'redis'));
    const report = await reportOf(mcc);
    const sum = (name: 'sent' | 'answered' | 'errors' | 'lost') =>
      report.levels.reduce((total, level) => total + (level[name] ?? 0), 0);
    assert.is(report.reconnects, 0);
    assert.is(report.mismatched, 0);
    assert.is(sum('lost'), 0);
    assert.ok(sum('errors') > 100, `errors ${sum('errors')}`);
    assert.ok(sum('answered') > 800, `answered ${sum('answered')}`);
    assert.is(sum('answered') + sum('errors'), sum('sent'));
    assert.is(await server.stop(), 0, server.err);
    assert.match(server.err, /QST_ERR_REDIS_\w+: \d+/);
  },
);

/** Connects to a memif socket and is gone at once, over and over. Node has no sockets of this kind. */
const KNOCK = `
import socket, sys, time
for i in range(int(sys.argv[2])):
    stranger = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    stranger.connect(sys.argv[1])
    stranger.close()
    time.sleep(0.002)
`;

iotep('strangers that knock at its memif socket, and an mcc that is killed, do not end it', async (context) => {
  const server = await onTheAir(context);
  const strangers = spawn('python3', ['-c', KNOCK, memif(context), '1000'], { stdio: 'inherit' });
  const knocked = once(strangers, 'exit');
  const killed = generator(context, '--answer all --rate 2000 -d 60');
  await killed.ranFor(1);
  await killed.stop('SIGKILL');
  const report = await load(context, '--answer all --rate 2000 -d 1');
  assert.equal(await knocked, [0, null]);
  assert.is(report.connected, 200);
  assert.is(report.mismatched, 0);
  assert.is(
    report.levels.reduce((sum, { answered }) => sum + answered, 0),
    2_000,
  );
  assert.is(await server.stop(), 0, server.err);
});

async function fails(
  context: Context,
  more: Readonly<Record<string, string>>,
): Promise<{ code: number | null; err: string }> {
  const server = run(context, 'apps/iotepserver/main.js', ['-f', configuration(context, more)]);
  return { code: await server.ended, err: server.err };
}

iotep('what is wrong is said in a sentence: a missing Redis, a key, a device', async (context) => {
  const redis = await fails(context, { redis: join(context.folder, 'none.sock') });
  assert.is(redis.code, 1);
  assert.match(redis.err, /none\.sock: there is no such socket; `qstack redis up` starts one/);
  const key = await fails(context, { max_concurency: '5' });
  assert.is(key.code, 2);
  assert.match(key.err, /iotep\.conf:\d+: max_concurency: unknown key \(did you mean "max_concurrency"\?\)/);
  const device = await fails(context, { device: 'net_nonsense0' });
  assert.is(device.code, 1);
  assert.match(device.err, /iotepserver: .*net_nonsense0/);
});

iotep('--plan prints threads and memory and starts nothing', async (context) => {
  const plan = run(context, 'apps/iotepserver/main.js', ['-f', configuration(context, {}), '--plan']);
  assert.is(await plan.ended, 0, plan.err);
  assert.match(plan.out, /threads on \d+ cores/);
  assert.match(plan.out, /^fragments +64 /m);
  assert.match(plan.out, /^total \d.* from the start on; what is marked \+ comes when it is used, \d/m);
  assert.not.match(plan.out, /listening|mirror/);
  const mirrored = run(context, 'apps/iotepserver/main.js', ['--mirror', 'memif:/run/none/m.sock', '--plan']);
  assert.is(await mirrored.ended, 0, mirrored.err);
  assert.match(mirrored.out, /^mirror packets +1,024 .*\nmirror rings +1 .*\+ 3\.3 MiB/m);
  const larger = run(context, 'apps/iotepserver/main.js', ['--connections', '1234567', '--plan']);
  assert.is(await larger.ended, 0, larger.err);
  assert.match(larger.out, /^control blocks +1,234,567 /m);
});

iotep('how long it took until all memory was in place is said at the start', async (context) => {
  const server = await onTheAir(context);
  assert.match(server.err, /MEMORY_IN_PLACE/);
});

iotep.run();
