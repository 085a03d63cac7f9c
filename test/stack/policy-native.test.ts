// The policy below the app threads: what native queues do with a backlog, seen from the other end: at the peer of a real
// stack, and in a real redis-server.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { all, type Coroutine, fixed, type RedisClient, serve, spawn } from '../../index.js';
import type { ConfigObject } from '../../stack/inline.js';
import { Log } from '../../stack/log.js';
import { CLIENT_ADDRESS, pair, SERVER_ADDRESS } from '../../stack/testing.js';
import { redisDown, redisUp } from '../../tools/redis/servers.js';

const STRICT = { policy: 'strict', starvation_bound: 0 };
const WEIGHTED = { policy: 'weighted', weights: 'high 3, low 1' };
const log = new Log({ level: 'silent' });

function lowIn(order: readonly number[], first: number): number {
  return order.slice(0, first).filter((level) => level === 1).length / first;
}

/** Connections for each level, and messages on each: less than an initial window, more together than the stack takes in a turn. */
const CONNECTIONS = 150;
const MESSAGES = 4;
const BYTES = 1_000;

/** Levels of messages in the order in which they reach the peer, when all were sent at once, the low ones first. */
async function orderOnTheWire(serverConfig: ConfigObject): Promise<number[]> {
  const order: number[] = [];
  const all = 2 * CONNECTIONS * MESSAGES;
  let isComplete: () => void = () => {};
  const complete = new Promise<void>((done) => {
    isComplete = done;
  });
  const client = serve({
    levels: ['normal'],
    setup(app) {
      app.listen({ port: 9, framing: fixed(BYTES) }, (message) => {
        if (order.push(message.u8(0)) === all) isComplete();
      });
    },
  });
  const buffers = { max_num_buffers: 8_192 };
  await using both = await pair(serve({ levels: ['high', 'low'], setup() {} }), {
    client,
    serverConfig: { ...serverConfig, ...buffers },
    clientConfig: buffers,
    log,
  });
  const { app } = both.server;
  const open = () => app.connect({ address: CLIENT_ADDRESS, port: 9, framing: fixed(8) });
  const connections = await Promise.all(Array.from({ length: 2 * CONNECTIONS }, open));
  for (const level of [1, 0]) {
    const bytes = new Uint8Array(BYTES).fill(level);
    const own = connections.filter((_, i) => i % 2 === level);
    for (let i = 0; i < MESSAGES; i++) {
      for (const connection of own) connection.send(bytes, { level: level === 0 ? 'high' : 'low' });
    }
  }
  await complete;
  return order;
}

test('strict: of what an app has sent at once the stack takes the high first', async () => {
  assert.is(lowIn(await orderOnTheWire(STRICT), 500), 0);
});

test('weighted: of what an app has sent at once the stack takes each level by its share', async () => {
  const share = lowIn(await orderOnTheWire(WEIGHTED), 500);
  assert.ok(share > 0.15 && share < 0.35, `${share}`);
});

const COMMANDS = 300;

function* push(redis: RedisClient, level: number): Coroutine<void> {
  yield* all(...Array.from({ length: COMMANDS }, () => redis.command('RPUSH', 'order', String(level))));
}

/** Levels of commands in the order in which Redis carries them out, when all were asked for at once, the low ones first. */
async function orderInRedis(config: ConfigObject): Promise<number[]> {
  const folder = mkdtempSync(join(tmpdir(), 'qstack-redis-'));
  try {
    const [server] = await redisUp(1, folder);
    let order: number[] = [];
    const definition = serve({
      levels: ['high', 'low'],
      setup(app) {
        const redis = app.redis();
        app.listen({ port: 7, framing: fixed(8) }, function* (message): Coroutine<void> {
          yield* redis.get('nothing'); // it is connected from here on
          const low = spawn(() => push(redis, 1), { level: 1 });
          const high = spawn(() => push(redis, 0), { level: 0 });
          yield* low.join();
          yield* high.join();
          const list = yield* redis.command('LRANGE', 'order', '0', '-1');
          order = (list?.items() ?? []).map(Number);
          message.reply(message);
        });
      },
    });
    await using both = await pair(definition, { serverConfig: { ...config, redis: server?.socket }, log });
    const connection = await both.client.app.connect({ address: SERVER_ADDRESS, port: 7, framing: fixed(8) });
    connection.send('question');
    await connection.receive();
    assert.is(order.length, 2 * COMMANDS);
    return order;
  } finally {
    await redisDown(folder);
    rmSync(folder, { recursive: true, force: true });
  }
}

test('strict: of the commands that wait for Redis the high go first', async () => {
  assert.is(lowIn(await orderInRedis(STRICT), COMMANDS), 0);
});

test('weighted: of the commands that wait for Redis each level goes by its share', async () => {
  const share = lowIn(await orderInRedis(WEIGHTED), COMMANDS);
  assert.ok(share > 0.2 && share < 0.3, `${share}`);
});

test.run();
