// Overload with a real redis-server that stands still: handlers that wait for it take no memory from other levels.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import {
  type Connection,
  type Coroutine,
  destinationPort,
  fixed,
  level,
  type RedisClient,
  serve,
} from '../../index.js';
import { Log } from '../../stack/log.js';
import { pair, SERVER_ADDRESS } from '../../stack/testing.js';
import { redisDown, redisUp } from '../../tools/redis/servers.js';

const CONNECTIONS = 20;
const MESSAGES = 200;
/** One a segment, so that each message that waits in a packet takes a whole one. */
const BULK_BYTES = 1_400;
const PACKETS = 1_024;

/** Undefined: Redis did not answer in time. */
function* answered(redis: RedisClient): Coroutine<true | undefined> {
  try {
    yield* redis.get('nothing');
    return true;
  } catch {
    return undefined;
  }
}

const definition = serve({
  levels: ['alarm', 'normal', 'bulk'],
  classify: [level('alarm').when(destinationPort.is(1)), level('normal').when(destinationPort.is(2))],
  otherwise: 'bulk',
  setup(app) {
    const redis = app.redis();
    app.listen({ port: 1, framing: fixed(8) }, (message) => message.reply(message));
    app.listen({ port: 2, framing: fixed(8) }, (message) => message.reply(message));
    app.listen({ port: 3, framing: fixed(BULK_BYTES), order: 'none' }, function* (message): Coroutine<void> {
      const before = message.u32(0);
      while ((yield* answered(redis)) === undefined);
      if (message.u32(0) !== before) throw new Error('bytes of a message that waits have changed');
      message.reply(message.slice(0, 8));
    });
  },
});

async function until(what: string, holds: () => boolean): Promise<void> {
  const endMs = performance.now() + 60_000;
  while (!holds()) {
    assert.ok(performance.now() < endMs, `never: ${what}`);
    await new Promise((done) => setTimeout(done, 5));
  }
}

async function echoes(connection: Connection<'normal'>, count: number): Promise<void> {
  for (let i = 0; i < count; i++) {
    const text = `echo ${i}`.padEnd(8);
    connection.send(text);
    assert.is((await connection.receive())?.latin1(), text);
  }
}

test('with Redis stopped, waiting handlers of the lowest level fill slabs and their budget; other levels go on, then all is answered', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'qstack-redis-'));
  try {
    const [server] = await redisUp(1, folder);
    assert.ok(server);
    await using both = await pair(definition, {
      serverConfig: { redis: server.socket, max_num_buffers: PACKETS },
      clientConfig: { max_num_buffers: 8_192 },
      log: new Log({ level: 'silent' }),
    });
    const open = (port: number) => both.client.app.connect({ address: SERVER_ADDRESS, port, framing: fixed(8) });
    const alarm = await open(1);
    const normal = await open(2);
    const bulk = await Promise.all(Array.from({ length: CONNECTIONS }, () => open(3)));
    process.kill(server.pid, 'SIGSTOP');
    try {
      const bytes = Buffer.alloc(BULK_BYTES, 'b');
      for (let i = 0; i < MESSAGES; i++) {
        for (const connection of bulk) connection.send(bytes);
      }
      const { core } = both.server.app;
      await until('the bulk level is deferred', () => (both.server.counters().deferredByLevel[2] ?? 0) > 0);
      // What was accepted before that is taken over some turns.
      await until('messages are in packets and in slabs', () => {
        const { inPackets, inSlabs } = core.counts();
        return inSlabs > 100 && inPackets > 100;
      });
      const { moved, inPackets } = core.counts();
      assert.equal([moved[0], moved[1]], [0, 0]);
      assert.ok(inPackets <= PACKETS / 2, `${inPackets} of ${PACKETS} packets`);
      await Promise.all([echoes(alarm, 200), echoes(normal, 200)]);
      assert.equal(both.server.counters().deferredByLevel.slice(0, 2), [0, 0]);
    } finally {
      process.kill(server.pid, 'SIGCONT');
    }
    let answered = 0;
    await Promise.all(
      bulk.map(async (connection) => {
        for (let i = 0; i < MESSAGES; i++) {
          assert.is((await connection.receive())?.latin1(), 'bbbbbbbb');
          answered++;
        }
      }),
    );
    assert.is(answered, CONNECTIONS * MESSAGES);
    await until('every packet and slab is back', () => {
      const { inPackets, inSlabs } = both.server.app.core.counts();
      const { rxFree, rxPackets } = both.server.counters().pools;
      return inPackets === 0 && inSlabs === 0 && rxFree === rxPackets;
    });
  } finally {
    await redisDown(folder);
    rmSync(folder, { recursive: true, force: true });
  }
});

test.run();
