// iotepserver in front of a real Redis Cluster of six processes on loopback: slots that move under load, and a master that is
// killed under load. Every request is answered or gets an error reply, and both sides count the same.
// watchdog: 240s
import type { ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { fixed, type RedisClient, serve } from '../../index.js';
import { Log } from '../../stack/log.js';
import { pair, SERVER_ADDRESS } from '../../stack/testing.js';
import type { Report } from '../../tools/mcc/report.js';
import { clusterUp } from '../../tools/redis/cluster.js';
import { type RedisServer, redisDown } from '../../tools/redis/servers.js';
import { freeClusterPort } from '../free-port.js';
import { Program } from './program.js';

const RATE = 200;
const CONNECTIONS = 50;
/** Each connection has a message twice a second, so within this time each slot in use is asked for. */
const ALL_ASKED_MS = (CONNECTIONS / RATE) * 1_000 + 250;

interface Context {
  folder: string;
  servers: RedisServer[];
  processes: ChildProcess[];
  programs: Program[];
}

const cluster = suite<Context>('iotepserver and a Redis Cluster');

cluster.before(async (context) => {
  context.folder = mkdtempSync(join(tmpdir(), 'qstack-cluster-'));
  context.programs = [];
  context.processes = [];
  context.servers = await clusterUp(join(context.folder, 'redis'), {
    port: await freeClusterPort(),
    // On a machine that is busy with other tests a master that nobody killed must not fail.
    nodeTimeoutMs: 15_000,
    foreground: context.processes,
  });
});
cluster.after.each(async ({ programs }) => {
  await Promise.all(programs.splice(0).map((program) => program.stop('SIGKILL')));
});
cluster.after(async ({ folder }) => {
  await redisDown(join(folder, 'redis'));
  rmSync(folder, { recursive: true, force: true });
});

const memif = ({ folder }: Context) => join(folder, 'memif', 'q.sock');

function run(context: Context, path: string, flags: readonly string[]): Program {
  const program = new Program(path, flags);
  context.programs.push(program);
  return program;
}

async function onTheAir(context: Context, client = 'hiredis'): Promise<Program> {
  const seeds = context.servers.slice(1, 3).map(({ port }) => `127.0.0.1:${port}`);
  const flags = `--host-ip 10.0.0.1/16 --connections 2000 --answer all --drain-timeout 1s --poll sleep --redis-cluster ${seeds} --redis-client ${client}`;
  const device = `memif:${memif(context)}?server`;
  const server = run(context, 'apps/iotepserver/main.js', [...flags.split(' '), '--device', device]);
  await server.said('listening 10.0.0.1:80');
  assert.match(server.out, /redis cluster 127\.0\.0\.1:\d+/);
  return server;
}

function generator(context: Context, seconds: number): Program {
  const flags = `-c ${CONNECTIONS} -s 1 -w 0 -l 200 -r 0.2 --answer all --rate ${RATE} -d ${seconds} --json`;
  return run(context, 'tools/mcc/main.js', [...flags.split(' '), '--socket', memif(context)]);
}

async function sumsOf(mcc: Program) {
  assert.is(await mcc.ended, 0, mcc.err);
  const report = JSON.parse(mcc.out) as Report;
  const sum = (name: 'sent' | 'answered' | 'errors' | 'lost') =>
    report.levels.reduce((total, level) => total + (level[name] ?? 0), 0);
  assert.is(report.mismatched, 0);
  assert.is(report.reconnects, 0);
  return { sent: sum('sent'), answered: sum('answered'), errors: sum('errors'), lost: sum('lost') };
}

/** What the server says at its end: messages, and how many of them were without Redis. */
async function summaryOf(server: Program) {
  assert.is(await server.stop(), 0, server.err);
  const numbers = (pattern: RegExp) =>
    [...server.err.matchAll(pattern)].reduce((sum, match) => sum + Number(match[1]?.replaceAll(',', '')), 0);
  return {
    messages: numbers(/: ([\d,]+) messages, /g),
    unavailable: numbers(/([\d,]+) without Redis/g),
    failures: numbers(/QST_ERR_REDIS_\w+: ([\d,]+)/g),
    moved: numbers(/([\d,]+) MOVED/g),
    asked: numbers(/([\d,]+) ASK/g),
    retried: numbers(/([\d,]+) after TRYAGAIN or CLUSTERDOWN/g),
  };
}

/** Every request is answered, but for the few that a busy machine made wait for more than their second. */
function assertServed(
  { sent, answered, errors, lost }: Awaited<ReturnType<typeof sumsOf>>,
  seconds: number,
  server: Program,
) {
  const text = `${answered} of ${sent} answered, ${errors} errors: ${server.err}`;
  assert.equal([sent, answered + errors, lost], [seconds * RATE, seconds * RATE, 0], text);
  assert.ok(errors < sent / 10, text);
  assert.not.match(server.err, /QST_ERR_REDIS_(?!TIMEOUT)\w+: /);
}

async function on<T>(server: RedisServer, ask: (client: Redis) => Promise<T>): Promise<T> {
  const client = new Redis(server.socket, { maxRetriesPerRequest: 1 });
  try {
    return await ask(client);
  } finally {
    client.disconnect();
  }
}

interface Member {
  server: RedisServer;
  /** Undefined: it is a master. */
  masterPort: number | undefined;
}

/** Who is what at present. */
function members({ servers }: Context): Promise<Member[]> {
  return Promise.all(
    servers.map((server) =>
      on(server, async (client) => {
        const port = /^master_port:(\d+)/m.exec(await client.info('replication'))?.[1];
        return { server, masterPort: port === undefined ? undefined : Number(port) };
      }),
    ),
  );
}

async function mastersOf(context: Context): Promise<RedisServer[]> {
  return (await members(context)).filter(({ masterPort }) => masterPort === undefined).map(({ server }) => server);
}

const id = (server: RedisServer) => on(server, async (client) => String(await client.call('CLUSTER', 'MYID')));

/** Slots of the devices that this master keeps, some of them. */
async function slotsInUse(server: RedisServer, most: number): Promise<number[]> {
  return on(server, async (client) => {
    const keys = await client.keys('s:*');
    const slots = await Promise.all(keys.map((key) => client.call('CLUSTER', 'KEYSLOT', key)));
    return [...new Set(slots as number[])].slice(0, most);
  });
}

async function moveKeys(client: Redis, slot: number, to: RedisServer): Promise<void> {
  for (;;) {
    const keys = (await client.call('CLUSTER', 'GETKEYSINSLOT', slot, 100)) as string[];
    if (keys.length === 0) return;
    await client.call('MIGRATE', '127.0.0.1', to.port, '', 0, 5_000, 'KEYS', ...keys);
  }
}

/** Live: `pauseMs` is how long the keys are at `to` already while the slots are not: ASK. */
async function migrate(slots: readonly number[], from: RedisServer, to: RedisServer, pauseMs: number): Promise<void> {
  const [fromId, toId] = [await id(from), await id(to)];
  await on(to, async (client) => {
    for (const slot of slots) await client.call('CLUSTER', 'SETSLOT', slot, 'IMPORTING', fromId);
  });
  await on(from, async (client) => {
    for (const slot of slots) await client.call('CLUSTER', 'SETSLOT', slot, 'MIGRATING', toId);
    for (const slot of slots) await moveKeys(client, slot, to);
  });
  await sleep(pauseMs);
  for (const one of [to, from]) {
    await on(one, async (client) => {
      for (const slot of slots) await client.call('CLUSTER', 'SETSLOT', slot, 'NODE', toId);
    });
  }
}

cluster(
  'slots that move to another master under load: MOVED and ASK are followed, no request is lost',
  async (context) => {
    const [one, other] = (await mastersOf(context)) as [RedisServer, RedisServer];
    const server = await onTheAir(context);
    const first = await sumsOf(generator(context, 1));
    assert.is(first.answered, first.sent);
    const slots = await slotsInUse(one, 8);
    assert.ok(slots.length > 3, `${slots.length} slots`);
    const mcc = generator(context, 6);
    await mcc.ranFor(1);
    await migrate(slots, one, other, ALL_ASKED_MS);
    // To and fro: whether a slot is asked for before the next look at the map, which makes a MOVED, is chance.
    for (const [from, to] of [
      [other, one],
      [one, other],
      [other, one],
    ] as const) {
      await sleep(300);
      await migrate(slots, from, to, 0);
    }
    const second = await sumsOf(mcc);
    const summary = await summaryOf(server);
    assertServed(second, 6, server);
    assert.is(summary.messages, first.sent + second.sent);
    assert.ok(summary.asked >= slots.length, `${summary.asked} ASK`);
    assert.ok(summary.moved > 0, `${summary.moved} MOVED`);
  },
);

cluster('ioredis in the place of the native client: the same answers, by the cluster’s own slots', async (context) => {
  const server = await onTheAir(context, 'ioredis');
  const { sent, answered } = await sumsOf(generator(context, 1));
  assert.is(answered, sent);
  assert.is((await summaryOf(server)).unavailable, 0);
});

cluster(
  'slots that nobody has for a moment: CLUSTERDOWN, the requests wait and are answered when one has them again',
  async (context) => {
    const [owner] = (await mastersOf(context)) as [RedisServer];
    const server = await onTheAir(context);
    await sumsOf(generator(context, 1));
    const slots = await slotsInUse(owner, 8);
    const mcc = generator(context, 3);
    await mcc.said('running 1 s');
    await on(owner, (client) => client.call('CLUSTER', 'DELSLOTS', ...slots));
    await sleep(ALL_ASKED_MS / 2);
    await on(owner, (client) => client.call('CLUSTER', 'ADDSLOTS', ...slots));
    const during = await sumsOf(mcc);
    const summary = await summaryOf(server);
    assertServed(during, 3, server);
    assert.ok(summary.retried > 0, server.err);
  },
);

cluster(
  'a command whose keys are on two servers while their slot moves: TRYAGAIN, and it is answered',
  async (context) => {
    const [one, other] = (await mastersOf(context)) as [RedisServer, RedisServer];
    const keys = await on(one, async (client) => {
      for (let tag = 0; ; tag++) {
        const both = [`{t${tag}}1`, `{t${tag}}2`] as const;
        if ((await client.set(both[0], 1).catch(() => null)) === null) continue;
        await client.set(both[1], 2);
        return both;
      }
    });
    const slot = await on(one, async (client) => Number(await client.call('CLUSTER', 'KEYSLOT', keys[0])));
    const [oneId, otherId] = [await id(one), await id(other)];
    const counted: number[] = [];
    let redis: RedisClient | undefined;
    const definition = serve({
      levels: ['normal'],
      setup(app) {
        const client = app.redis();
        redis = client;
        app.listen({ port: 7, framing: fixed(8) }, function* (message) {
          const reply = yield* client.command('EXISTS', ...keys);
          counted.push(reply?.number() ?? -1);
          message.reply(message);
        });
      },
    });
    const serverConfig = { redis_cluster: `127.0.0.1:${one.port}` };
    await using both = await pair(definition, { serverConfig, log: new Log({ level: 'silent' }) });
    const connection = await both.client.app.connect({ address: SERVER_ADDRESS, port: 7, framing: fixed(8) });
    await on(other, (client) => client.call('CLUSTER', 'SETSLOT', slot, 'IMPORTING', oneId));
    await on(one, (client) => client.call('CLUSTER', 'SETSLOT', slot, 'MIGRATING', otherId));
    await on(one, (client) => client.call('MIGRATE', '127.0.0.1', other.port, '', 0, 5_000, 'KEYS', keys[0]));
    connection.send('question');
    const retried = () => redis?.stats().servers.reduce((sum, server) => sum + server.retried, 0) ?? 0;
    for (const sinceMs = performance.now(); retried() === 0; await sleep(5)) {
      assert.ok(performance.now() - sinceMs < 10_000, 'it is told to try again');
    }
    assert.equal(counted, []);
    await on(one, (client) => moveKeys(client, slot, other));
    assert.is((await connection.receive())?.length, 8);
    assert.equal(counted, [2]);
    for (const server of [other, one])
      await on(server, (client) => client.call('CLUSTER', 'SETSLOT', slot, 'NODE', otherId));
  },
);

/** How long, in ms, until commands for the slots of a lost master are carried out again by its successor. */
async function failoverMs(replica: RedisServer, sinceMs: number): Promise<number> {
  return on(replica, async (client) => {
    const field = async (section: string, pattern: RegExp) => pattern.exec(await client.info(section))?.[1];
    const until = async (isSo: () => Promise<boolean>, what: string) => {
      while (!(await isSo())) {
        assert.ok(performance.now() - sinceMs < 30_000, what);
        await sleep(10);
      }
    };
    await until(async () => (await field('replication', /^role:(\w+)/m)) === 'master', 'the replica takes over');
    const calls = () => field('commandstats', /cmdstat_set:calls=(\d+)/);
    const before = await calls();
    await until(async () => (await calls()) !== before, 'the successor is asked');
    return performance.now() - sinceMs;
  });
}

cluster(
  'a master is killed under load: no more is lost than came meanwhile, all of it is counted, and it goes on by itself',
  async (context) => {
    const all = await members(context);
    const { server: replica, masterPort } = all.find((member) => member.masterPort !== undefined) as Member;
    const master = context.servers.find(({ port }) => port === masterPort) as RedisServer;
    for (const one of context.servers) await on(one, (client) => client.config('SET', 'cluster-node-timeout', '1500'));
    const server = await onTheAir(context);
    const mcc = generator(context, 7);
    await mcc.ranFor(1);
    const killed = performance.now();
    process.kill(master.pid, 'SIGKILL');
    const tookMs = await failoverMs(replica, killed);
    const during = await sumsOf(mcc);
    const after = await sumsOf(generator(context, 1));
    const summary = await summaryOf(server);
    const missed = during.errors + during.lost;
    const text = `${missed} of ${during.sent} requests had no answer, the failover took ${Math.round(tookMs)} ms: ${server.err}`;
    assert.is(during.sent, 7 * RATE);
    assert.ok(missed > 0, text);
    assert.ok(missed <= (RATE * tookMs) / 1_000, text);
    assert.is(during.answered + missed, during.sent);
    assert.is(summary.unavailable, during.errors + after.errors, text);
    assert.is(summary.failures, summary.unavailable, text);
    assert.is(summary.messages, during.sent + after.sent);
    assert.equal(after, { sent: RATE, answered: RATE, errors: 0, lost: 0 });
  },
);

cluster.run();
