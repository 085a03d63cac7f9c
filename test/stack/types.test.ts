// What the compiler must refuse. Each `@ts-expect-error` is a compile error of the build as soon as the mistake compiles.
// At run time only what a program without types would meet is looked at.
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import {
  type App,
  type Connection,
  type Coroutine,
  fixed,
  type Handler,
  lengthPrefix,
  level,
  type Op,
  payload,
  pooled,
  serve,
  timeout,
} from '../../index.js';

declare const op: Op<Uint8Array>;
type Levels = 'alarm' | 'normal';
const handlers: unknown[] = [];
/** Judges a handler as listen() would. */
const listen = (handler: Handler<Levels>) => handlers.push(handler);

test('a missing yield* is a compile error where the value is used or returned', () => {
  // @ts-expect-error the op itself is no payload
  listen((message) => message.reply(op));
  // @ts-expect-error a plain function cannot return an op
  listen(() => op);
  // @ts-expect-error `yield` without the star hands the op to the scheduler
  listen(function* () {
    yield op;
  });
  listen(function* (): Coroutine<void> {
    // @ts-expect-error a coroutine returns nothing; this one returns an op
    return op;
  });
  listen(function* (message) {
    // @ts-expect-error the length of an op's value needs its value
    const length: number = op.length;
    message.reply(String(length));
  });
  listen(function* (message) {
    message.reply(yield* op);
    message.reply(yield* timeout(5, op));
  });
  assert.is(handlers.length, 6);
});

test('a wrong level name is a compile error', () => {
  listen((message) => {
    // @ts-expect-error no such level
    message.reply('x', { level: 'alarmm' });
    // @ts-expect-error no such level
    if (message.level === 'low') message.reply('y');
    message.reply('z', { level: 'alarm' });
  });
  const setup = (_app: App<Levels>) => {};
  // @ts-expect-error no such level
  const spawns = (app: App<Levels>) => app.spawn(function* () {}, { level: 'low' });
  assert.type(spawns, 'function');
  serve({
    levels: ['alarm', 'normal'],
    otherwise: 'normal',
    classify: [level('alarm').when(payload(0).u8().is(1))],
    setup,
  });
  // @ts-expect-error `otherwise` is none of the levels
  assert.throws(() => serve({ levels: ['alarm', 'normal'], otherwise: 'bulk', setup }));
  const rules = [level('bulk').when(payload(0).u8().is(1))];
  // @ts-expect-error a rule names a level that is none of the levels
  assert.throws(() => serve({ levels: ['alarm', 'normal'], classify: rules, setup }), /bulk/);
});

test('framings are checked when they are made', () => {
  assert.throws(() => fixed(0), /1 to 1664/);
  assert.throws(() => fixed(1665), /1 to 1664/);
  assert.throws(() => lengthPrefix({ offset: 256, width: 2 }), /0 to 255/);
  assert.throws(() => lengthPrefix({ offset: 0, width: 3 as 2 }), /1, 2 or 4/);
  assert.throws(() => lengthPrefix({ offset: 0, width: 2, order: 'xe' as 'be' }), /be or le/);
  assert.throws(() => lengthPrefix({ offset: 0, width: 2, adjust: 0.5 }), /whole number/);
  assert.throws(() => lengthPrefix({ offset: 6, width: 2, maximum: 7 }), /8 to 1664/);
  assert.throws(() => lengthPrefix({ offset: 0, width: 2, maximum: 1665 }), /2 to 1664/);
  const framing = lengthPrefix({ offset: 2, width: 2 });
  assert.equal(framing, { kind: 'lengthPrefix', offset: 2, width: 2, order: 'be', adjust: 0, maximum: 1664 });
});

test('a wrong option, or a wrong value of one, is a compile error', () => {
  const use = (connection: Connection) => {
    connection.setOption('ttl', 5);
    connection.setOption('keepAlive', { idleMs: 60_000 });
    connection.setOption('lingerMs', null);
    // @ts-expect-error no such option
    connection.setOption('ttll', 5);
    // @ts-expect-error a number is wanted
    connection.setOption('ttl', '5');
    // @ts-expect-error the unit is part of the name
    connection.setOption('keepAlive', { idle: 60 });
    // @ts-expect-error no such algorithm
    connection.setOption('congestion', 'bbr');
  };
  const read = function* (connection: Connection): Coroutine<void> {
    const ttl: number = yield* connection.option('ttl');
    // @ts-expect-error null: no lingering
    const lingerMs: number = yield* connection.option('lingerMs');
    const { state, rttUs } = yield* connection.info();
    // @ts-expect-error it may be unknown
    const rttMs: number = rttUs / 1000;
    // @ts-expect-error states have the names of RFC 9293
    if (state === 'established') throw new Error(`${ttl} ${lingerMs} ${rttMs}`);
  };
  const listenWith = (app: App<Levels>) => {
    app.listen({ port: 1, socket: { noDelay: false } });
    // @ts-expect-error no such option
    app.listen({ port: 1, socket: { nagle: true } });
  };
  for (const each of [use, read, listenWith]) assert.type(each, 'function');
});

test('a pooled coroutine is typed by the levels of its app', () => {
  const setup = (app: App<Levels>) => {
    app.listen(
      { port: 1 },
      pooled(function* (inbox) {
        const message = yield* inbox.next();
        const name: Levels = message.level;
        // @ts-expect-error no such level
        message.reply(name, { level: 'bulk' });
      }),
    );
  };
  assert.type(setup, 'function');
});

test.run();
