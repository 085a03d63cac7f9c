// app.offload(): tasks of a module in worker threads. The app thread serves on, levels are kept, and a cancelled task ends.
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import {
  type App,
  all,
  type Coroutine,
  fixed,
  type Message,
  type Offload,
  race,
  serve,
  sleep,
  timeout,
} from '../../index.js';
import { Log } from '../../stack/log.js';
import { pair, SERVER_ADDRESS } from '../../stack/testing.js';

type Tasks = typeof import('./fixtures/tasks.js');
type Level = 'high' | 'low';
type Handle = (message: Message<Level>, offload: Offload<Tasks>, app: App<Level>) => Coroutine<string>;

const MODULE = new URL('./fixtures/tasks.js', import.meta.url);

/** A server that answers messages of 4 bytes with what `handle` returns, or with its error. */
async function server(handle: Handle, workers = 1) {
  const definition = serve({
    levels: ['high', 'low'],
    setup(app: App<Level>) {
      const offload = app.offload<Tasks>(MODULE);
      app.listen({ port: 7, framing: fixed(4), order: 'none' }, function* (message) {
        try {
          message.reply(yield* handle(message, offload, app));
        } catch (error) {
          const { name, code, message: text } = error as Error & { code?: string };
          message.reply(`${code ?? name}: ${text}`);
        }
      });
    },
  });
  const both = await pair(definition, { serverConfig: { workers }, log: new Log({ level: 'silent' }) });
  const connection = await both.client.app.connect({ address: SERVER_ADDRESS, port: 7 });
  const hear = async () => (await connection.receive())?.latin1() ?? 'closed';
  const ask = (text: string) => {
    connection.send(text);
    return hear();
  };
  return { ask, hear, send: (text: string) => connection.send(text), [Symbol.asyncDispose]: () => both.stop() };
}

test('a task gets its data, and its value comes back', async () => {
  await using on = await server(function* (_message, offload) {
    const [sum, text] = yield* all(offload('sum', Uint8Array.of(1, 2, 3)), offload('compute', 1));
    return `${sum} ${text}`;
  }, 2);
  assert.is(await on.ask('ask.'), '6 1 ms');
});

test('of a message, and of a part of a buffer, only their own bytes travel', async () => {
  await using on = await server(function* (message, offload) {
    const whole = yield* offload('cloned', message as unknown as Uint8Array);
    const part = yield* offload('cloned', new Uint8Array(1000).subarray(10, 17));
    const pooled = yield* offload('cloned', Buffer.from('pooled'));
    return `${whole} ${part} ${pooled}`;
  });
  assert.is(await on.ask('ask.'), '4 7 6');
});

test('while a worker computes, other messages are answered', async () => {
  await using on = await server(function* (message, offload) {
    return message.latin1() === 'long' ? yield* offload('compute', 300) : 'at once';
  });
  on.send('long');
  assert.is(await on.ask('fast'), 'at once');
  assert.is(await on.hear(), '300 ms');
});

test('of tasks that wait for a worker the highest level goes first, the oldest first within it', async () => {
  const done: string[] = [];
  await using on = await server(function* (_message, offload, app) {
    const child = (level: Level, ms: number) =>
      app.spawn(
        function* () {
          done.push(`${level} ${yield* offload('compute', ms)}`);
        },
        { level },
      );
    const first = child('low', 100);
    yield* offload('sum', new Uint8Array(0)); // the worker is up, and has begun with what came before
    const rest = [child('low', 1), child('low', 2), child('high', 3), child('high', 4)];
    for (const one of [first, ...rest]) yield* one.join();
    return 'done';
  });
  assert.is(await on.ask('ask.'), 'done');
  assert.equal(done, ['low 100 ms', 'high 3 ms', 'high 4 ms', 'low 1 ms', 'low 2 ms']);
});

test('a task that is cancelled while it waits never runs', async () => {
  const begun = performance.now();
  await using on = await server(function* (_message, offload) {
    const busy = offload('compute', 50);
    const given = race(sleep(20), offload('compute', 60_000));
    yield* all(busy, given);
    return `${yield* offload('compute', 1)}`;
  });
  assert.is(await on.ask('ask.'), '1 ms');
  assert.ok(performance.now() - begun < 30_000);
});

test('a task that runs too long is ended with its worker, and the next one is served', async () => {
  await using on = await server(function* (_message, offload) {
    try {
      yield* timeout(100, offload('compute', 1e9));
    } catch (error) {
      const { code } = error as { code?: string };
      return `${code}, then ${yield* offload('compute', 1)}`;
    }
    return 'it has ended?';
  });
  assert.is(await on.ask('ask.'), 'QST_ERR_TIMEOUT, then 1 ms');
});

test('what a task throws is thrown where it is awaited; a task that is not there is named', async () => {
  await using on = await server(function* (message, offload) {
    const task = message.latin1() === 'fail' ? 'refuse' : ('missing' as 'refuse');
    return yield* offload(task, 'no reason');
  });
  assert.is(await on.ask('fail'), 'RangeError: no reason');
  const missing = await on.ask('miss');
  assert.match(
    missing,
    /^QST_ERR_OFFLOAD: file:.*tasks\.js exports no task "missing"; its tasks are allowedCores, cloned, compute, refuse, sum$/,
  );
});

test('names of tasks, their data and their values have types', () => {
  const check = (offload: Offload<Tasks>) =>
    function* (): Coroutine<void> {
      const sum: number = yield* offload('sum', new Uint8Array(1));
      const text: string = yield* offload('compute', sum);
      // @ts-expect-error no such task
      yield* offload('summ', new Uint8Array(1));
      // @ts-expect-error no function
      yield* offload('kind', text);
      // @ts-expect-error a number is wanted
      yield* offload('compute', '1');
    };
  assert.type(check, 'function');
});

test('without workers the way to get them is said', async () => {
  try {
    await using on = await server(function* () {
      return 'never';
    }, 0);
    assert.unreachable(await on.ask('ask.'));
  } catch (error) {
    assert.match((error as Error).message, /no workers; `-w 1`, or `workers = 1`/);
  }
});

test.run();
