// Redis for handlers, over a real redis-server on a unix socket: replies, lifetimes, errors, levels, loss and recovery.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import {
  type App,
  all,
  type Coroutine,
  fixed,
  type Message,
  pooled,
  QstackError,
  type RedisClient,
  type RedisReply,
  race,
  serve,
  sleep,
  timeout,
  wait,
} from '../../index.js';
import type { MessageInbox } from '../../stack/handler.js';
import { Log } from '../../stack/log.js';
import { CLIENT_ADDRESS, type Pair, pair, SERVER_ADDRESS } from '../../stack/testing.js';
import { redisDown, redisUp } from '../../tools/redis/servers.js';

type Level = 'high' | 'low';
type Handle = (message: Message<Level>, redis: RedisClient) => Coroutine<void> | Promise<void>;

/** redis-ioredis.test.ts runs the same cases with the other client. */
const redis_client = process.env.QSTACK_TEST_REDIS_CLIENT ?? 'hiredis';
const silent = new Log({ level: 'silent' });
const redisTest = suite('redis');
let folder = '';
let sockets: string[] = [];

redisTest.before(async () => {
  folder = mkdtempSync(join(tmpdir(), 'qstack-redis-'));
  sockets = (await redisUp(2, folder)).map(({ socket }) => socket);
});

redisTest.after(async () => {
  await redisDown(folder);
  rmSync(folder, { recursive: true, force: true });
});

interface Bench extends AsyncDisposable {
  readonly both: Pair<Level, 'normal'>;
  readonly redis: RedisClient;
  /** Sends one message and returns the reply; undefined when the handler threw. */
  ask(text?: string): Promise<string>;
  readonly errors: unknown[];
}

/** A server whose handler is `handle`; messages of 8 bytes and their replies of 32. */
async function bench(
  handle: Handle,
  config: Record<string, unknown> = {},
  client: { clientConfig?: Record<string, unknown>; address?: string } = {},
): Promise<Bench> {
  const errors: unknown[] = [];
  let giveUp: (error: unknown) => void = () => {};
  const failed = new Promise<never>((_, reject) => {
    giveUp = reject;
  });
  failed.catch(() => {});
  let redis: RedisClient | undefined;
  const definition = serve({
    levels: ['high', 'low'],
    setup(app: App<Level>) {
      const client = app.redis();
      redis = client;
      app.listen({ port: 7, framing: fixed(8) }, (message) => handle(message, client));
    },
    onError(error) {
      errors.push(error);
      giveUp(error);
    },
  });
  const { clientConfig = {}, address = SERVER_ADDRESS } = client;
  const serverConfig = { redis: sockets.join(','), redis_client, ...config };
  const both = await pair(definition, { serverConfig, clientConfig, log: silent });
  const connection = await both.client.app.connect({ address, port: 7 });
  const ask = async (text = 'question') => {
    connection.send(text.padEnd(8).slice(0, 8));
    const message = await Promise.race([connection.receive(), failed]);
    return message === null ? 'closed' : message.latin1();
  };
  return { both, redis: redis as RedisClient, ask, errors, [Symbol.asyncDispose]: () => both.stop() };
}

function codeOf(error: unknown): string {
  return error instanceof QstackError ? error.code : String(error);
}

redisTest(
  'get and set carry strings, bytes and parts of the message, and null says that there is no value',
  async () => {
    await using on = await bench(function* (message, redis) {
      const missing = yield* redis.get('no such key');
      yield* redis.set('text', 'grün');
      yield* redis.set(Uint8Array.of(1, 2), Uint8Array.of(0, 13, 10, 255));
      yield* redis.set(message.slice(0, 4), message.slice(4, 8));
      const text = yield* redis.get('text');
      const bytes = yield* redis.get(Uint8Array.of(1, 2));
      const part = yield* redis.get('keys');
      assert.is(missing, null);
      assert.is(String(text), 'grün');
      assert.equal(bytes?.copy(), Uint8Array.of(0, 13, 10, 255));
      message.reply(part ?? 'none');
    });
    assert.is(await on.ask('keysvals'), 'vals');
    assert.equal(on.errors, []);
  },
);

redisTest(
  'set returns the old value when asked, with a time to live as well; del and incr return numbers',
  async () => {
    await using on = await bench(function* (message, redis) {
      yield* redis.del('old');
      assert.is(yield* redis.set('old', 'a', { get: true }), null);
      assert.is(String(yield* redis.set('old', 'b', { get: true, ttlMs: 60_000 })), 'a');
      assert.is(String(yield* redis.set('old', 'c', { ttlMs: 60_000 })), 'OK');
      const left = yield* redis.command('PTTL', 'old');
      assert.ok((left?.number() ?? 0) > 50_000);
      assert.is(yield* redis.del('old'), 1);
      assert.is(yield* redis.del('old'), 0);
      yield* redis.command('SET', 'count', 41);
      assert.is(yield* redis.incr('count'), 42);
      yield* redis.command('SET', 'count', '-5');
      assert.is(yield* redis.incr('count'), -4);
      message.reply('done');
    });
    assert.is(await on.ask(), 'done');
    assert.equal(on.errors, []);
  },
);

redisTest('an IPv6 sender is written into the hole of the peer, beside bytes of JavaScript', async () => {
  const family = (address: string) => ({ host_ip: address, dad_transmits: 0 });
  await using on = await bench(
    function* (message, redis) {
      const remember = redis.prepare('SET', ['s:{', redis.peer, '}'], redis.bytes, 'GET');
      yield* remember(message, 'six');
      message.reply(String(yield* redis.get(`s:{[fd99::2]:${message.remotePort}}`)));
    },
    family('fd99::1/64'),
    { clientConfig: family('fd99::2/64'), address: 'fd99::1' },
  );
  assert.is(await on.ask(), 'six');
  assert.equal(on.errors, []);
});

redisTest('a prepared command writes the sender and parts of the message into its holes', async () => {
  await using on = await bench(function* (message, redis) {
    const remember = redis.prepare('SET', ['s:{', redis.peer, '}'], redis.bytes, 'GET');
    const count = redis.prepare('INCRBY', [redis.bytes, ':n'], redis.number);
    const { address, port } = message.remote;
    const before = yield* remember(message, message.slice(0, 4));
    const after = yield* remember(message, 'next');
    assert.is(address, CLIENT_ADDRESS);
    assert.is(String(yield* redis.get(`s:{${address}:${port}}`)), 'next');
    assert.is(before, null);
    const total = (yield* count('k', 3))?.number() ?? 0;
    message.reply(`${after} ${((yield* count('k', 4))?.number() ?? 0) - total}`);
    // @ts-expect-error: a bytes hole takes no number
    void (() => remember(message, 5));
    // @ts-expect-error: the value is missing
    void (() => remember(message));
  });
  assert.is(await on.ask('abcdefgh'), 'abcd 4');
  assert.equal(on.errors, []);
});

redisTest('arrays, integers and status come as what they are', async () => {
  await using on = await bench(function* (message, redis) {
    yield* redis.command('DEL', 'list');
    yield* redis.command('RPUSH', 'list', 'a', '', 'ccc', 7);
    const list = yield* redis.command('LRANGE', 'list', 0, -1);
    assert.is(list?.type, 'array');
    assert.equal(list?.items(), ['a', '', 'ccc', '7']);
    const nested = yield* redis.command('EVAL', "return {1, {2, 'x', {}}, false, -9}", 0);
    assert.equal(nested?.items(), [1, [2, 'x', []], null, -9]);
    const big = yield* redis.command('INCRBY', 'big', '9007199254740993');
    assert.is(big?.type, 'integer');
    assert.is(big?.bigint(), 9_007_199_254_740_993n);
    assert.is((yield* redis.command('PING'))?.toString(), 'PONG');
    yield* redis.command('DEL', 'big');
    message.reply('done');
  });
  assert.is(await on.ask(), 'done');
  assert.equal(on.errors, []);
});

redisTest('an error of Redis is thrown at the line that waits, with its text', async () => {
  await using on = await bench(function* (message, redis) {
    yield* redis.command('DEL', 'word');
    yield* redis.command('SET', 'word', 'abc');
    try {
      yield* redis.incr('word');
    } catch (error) {
      message.reply(codeOf(error));
      assert.match((error as Error).message, /not an integer/);
      assert.match((error as Error).stack ?? '', /redis\.test/);
    }
  });
  assert.is(await on.ask(), 'QST_ERR_REDIS_REPLY');
  assert.equal(on.errors, []);
});

redisTest('commands that a shared connection cannot carry, and wrong holes, are refused', async () => {
  await using on = await bench(function* (message, redis) {
    const refused = (make: () => unknown) => {
      try {
        make();
      } catch (error) {
        return codeOf(error);
      }
      return 'accepted';
    };
    assert.is(
      refused(() => redis.command('subscribe', 'x')),
      'QST_ERR_INVALID_ARGUMENT',
    );
    assert.is(
      refused(() => redis.prepare('SET', redis.peer, redis.peer)),
      'QST_ERR_INVALID_ARGUMENT',
    );
    assert.is(
      refused(() => redis.set('k', 'v', { ttlMs: 0.5 })),
      'QST_ERR_INVALID_ARGUMENT',
    );
    try {
      yield* redis.set('k', new Uint8Array(512 * 1024 + 1));
    } catch (error) {
      message.reply(codeOf(error));
    }
  });
  assert.is(await on.ask(), 'QST_ERR_INVALID_ARGUMENT');
});

redisTest('a reply that is used after its handler throws, whatever lies there by then', async () => {
  let kept: RedisReply | null = null;
  await using on = await bench(function* (message, redis) {
    yield* redis.set('kept', 'value');
    kept = yield* redis.get('kept');
    assert.is(String(kept), 'value');
    message.reply('done');
  });
  await on.ask();
  const use = (what: (reply: RedisReply) => unknown) => {
    try {
      what(kept as unknown as RedisReply);
    } catch (error) {
      return codeOf(error);
    }
    return 'nothing thrown';
  };
  assert.is(use(String), 'QST_ERR_REPLY_RELEASED');
  assert.is(
    use((reply) => reply.copy()),
    'QST_ERR_REPLY_RELEASED',
  );
  assert.is(
    use((reply) => reply.number()),
    'QST_ERR_REPLY_RELEASED',
  );
  assert.is(
    use((reply) => reply.byteLength),
    'QST_ERR_REPLY_RELEASED',
  );
  await on.ask();
  await new Promise((done) => setTimeout(done, 20));
  assert.is(on.redis.stats().placesInUse, 0);
});

redisTest('the handlers of all forms get their replies: generator, async, pooled', async () => {
  await using on = await bench(async (message, redis) => {
    await redis.set('form', 'async');
    message.reply((await redis.get('form')) ?? 'none');
  });
  assert.is(await on.ask(), 'async');
  const pooledServer = serve({
    levels: ['normal'],
    setup(app) {
      const redis = app.redis();
      app.listen(
        { port: 7, framing: fixed(8) },
        pooled(function* (inbox: MessageInbox<'normal'>): Coroutine<void> {
          for (;;) {
            const message = yield* inbox.next();
            const [old, value] = yield* all(redis.set('loop', message, { get: true }), redis.get('loop'));
            message.reply(`${old}|${value}`);
          }
        }),
      );
    },
  });
  await using both = await pair(pooledServer, {
    serverConfig: { redis: sockets.join(','), redis_client },
    log: silent,
  });
  const connection = await both.client.app.connect({ address: SERVER_ADDRESS, port: 7 });
  const seen: string[] = [];
  for (const text of ['11111111', '22222222', '33333333']) {
    connection.send(text);
    seen.push((await connection.receive())?.latin1() ?? 'closed');
  }
  assert.equal(seen.slice(1), ['11111111|22222222', '22222222|33333333']);
});

redisTest(
  'a command whose coroutine gave up is completed for nobody, and its bytes are not sent too late',
  async () => {
    await using on = await bench(function* (message, redis) {
      try {
        yield* timeout(
          1,
          redis.command(
            'EVAL',
            "local t = redis.call('TIME') local e = t[1] * 1000000 + t[2] + 30000 repeat t = redis.call('TIME') until t[1] * 1000000 + t[2] > e return 1",
            0,
          ),
        );
      } catch (error) {
        message.reply(codeOf(error));
      }
    });
    assert.is(await on.ask(), 'QST_ERR_TIMEOUT');
    assert.is(await on.ask(), 'QST_ERR_TIMEOUT');
    await new Promise((done) => setTimeout(done, 150));
    const { servers, placesInUse } = on.redis.stats();
    assert.is(placesInUse, 0);
    assert.is(
      servers.reduce((sum, { inFlight }) => sum + inFlight, 0),
      0,
    );
  },
);

redisTest(
  'a command that lost a race is completed for nobody, and its place comes back: 500 races in a row',
  async () => {
    await using on = await bench(function* (message, redis) {
      yield* redis.set('lost', 'x'.repeat(1000));
      for (let i = 0; i < 500; i++) yield* race(redis.get('lost'), redis.get('lost'), sleep(60_000));
      const winner = yield* race(redis.get('lost'), sleep(60_000));
      message.reply(String(winner instanceof Object && winner.byteLength));
    });
    assert.is(await on.ask(), '1000');
    assert.is(await on.ask(), '1000');
    assert.is(on.redis.stats().queued, 0);
    assert.is(on.both.server.app.core.scheduler.timers.size, 0);
  },
);

redisTest('more ops than the client has room for wait in JavaScript and all come back', async () => {
  // The time limit is the same for both clients, their pace is not.
  const count = redis_client === 'hiredis' ? 20_000 : 4_000;
  await using on = await bench(function* (message, redis) {
    const [first] = yield* all(redis.set('many', '1'), redis.get('many'));
    let right = 0;
    for (let round = 0; round < 2; round++) {
      const ops = Array.from({ length: count / 2 }, (_, i) => redis.get(i % 2 === 0 ? 'many' : 'none'));
      const replies = yield* all(...ops);
      replies.forEach((reply, i) => {
        if (i % 2 === 0 ? String(reply) === '1' : reply === null) right++;
      });
    }
    message.reply(`${first} ${right}`);
  });
  assert.is(await on.ask(), `OK ${count}`);
  const { servers, queued } = on.redis.stats();
  assert.is(queued, 0);
  assert.ok(servers.reduce((sum, { replied }) => sum + replied, 0) >= count);
  assert.ok((on.redis.stats().levels[1]?.completed ?? 0) >= count, 'at the level of the message, low');
});

redisTest('promises of other code and Redis can be mixed in one handler', async () => {
  await using on = await bench(function* (message, redis) {
    yield* wait(Promise.resolve(1));
    yield* redis.set('mixed', 'm');
    yield* wait(new Promise((done) => setTimeout(done, 1)));
    message.reply((yield* redis.get('mixed')) ?? 'none');
  });
  assert.is(await on.ask(), 'm');
});

redisTest('Redis killed: commands fail in bounded time with what happened; started again: all is well', async () => {
  const own = mkdtempSync(join(tmpdir(), 'qstack-redis-'));
  const [server] = await redisUp(1, own);
  try {
    await using on = await bench(
      function* (message, redis) {
        try {
          yield* redis.set('k', 'v');
          message.reply('ok');
        } catch (error) {
          message.reply(codeOf(error));
        }
      },
      { redis: server?.socket },
    );
    assert.is(await on.ask(), 'ok');
    await redisDown(own);
    const startMs = performance.now();
    assert.ok(['QST_ERR_REDIS_TIMEOUT', 'QST_ERR_REDIS_LOST'].includes(await on.ask()));
    assert.ok(performance.now() - startMs < 3_000);
    await redisUp(1, own);
    let answer = '';
    for (let i = 0; i < 20 && answer !== 'ok'; i++) answer = await on.ask();
    assert.is(answer, 'ok');
    assert.is(on.redis.stats().servers[0]?.connects, 2);
  } finally {
    await redisDown(own);
    rmSync(own, { recursive: true, force: true });
  }
});

redisTest('in setup() of an inline stack Redis can be asked, and such replies stay readable', async () => {
  let kept: RedisReply | null = null;
  const definition = serve({
    levels: ['normal'],
    async setup(app) {
      await app.redis().set('setup', 'kept');
      kept = await app.redis().get('setup');
    },
  });
  await using both = await pair(definition, { serverConfig: { redis: sockets.join(',') }, log: silent });
  const reply = kept as unknown as RedisReply;
  assert.is(String(reply), 'kept');
  assert.equal(reply.copy(), Uint8Array.from(Buffer.from('kept')));
  await new Promise((done) => setTimeout(done, 20));
  assert.is(both.server.app.redis().stats().placesInUse, 0);
});

redisTest('after close() an op fails at once, and what was under way is lost', async () => {
  let asks = () => {};
  const asked = new Promise<void>((done) => {
    asks = done;
  });
  await using on = await bench(function* (message, redis) {
    asks();
    try {
      yield* redis.command('EVAL', 'local n = 0 for i = 1, 3e7 do n = n + i end return 1', 0);
    } catch (error) {
      message.reply(codeOf(error));
    }
  });
  const waiting = on.ask();
  await asked;
  on.redis.close();
  assert.is(await waiting, 'QST_ERR_REDIS_LOST');
  assert.is(await on.ask(), 'QST_ERR_STACK_STOPPED');
});

redisTest.run();
