// One app thread's half against a fake stack: the ring protocol of docs/ARCHITECTURE.md 4, without any native code.
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Coroutine } from '../../coroutine/op.js';
import type { PolicyOptions } from '../../coroutine/policy.js';
import { strictPolicy } from '../../coroutine/scheduler.js';
import { sleep } from '../../coroutine/sleep.js';
import { spawn } from '../../coroutine/spawn.js';
import { timeout } from '../../coroutine/timeout.js';
import {
  APP_LINE_DEADLINE_SET_U32,
  APP_LINE_DEADLINE_U32,
  APP_LINE_QUIET_LEVELS_U32,
  APP_LINE_WANT_BUFFERS_U32,
  SEND_TYPE_ABORT,
  SEND_TYPE_CLOSE,
  SEND_TYPE_DRAIN,
  SEND_TYPE_SEND,
  STACK_LINE_BEHIND_U32,
} from '../../stack/abi.js';
import { AppCore } from '../../stack/app-core.js';
import { Connection } from '../../stack/connection.js';
import type { Handler, ListenOptions, PooledHandler } from '../../stack/handler.js';
import { ListenerState } from '../../stack/listener-state.js';
import { type FakeOptions, FakeStack, type Sent } from './fake-stack.js';

interface Bench {
  stack: FakeStack;
  core: AppCore<string>;
  errors: unknown[];
  /** One turn of the poller, `ms` later. True: more to do. */
  turn(ms?: number): boolean;
  settle(): void;
}

const NAMES = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'];

function bench(
  options: FakeOptions,
  handler?: Handler<string> | PooledHandler<string>,
  listen: Partial<ListenOptions<string>> = {},
  scheduling: { policy?: PolicyOptions; maxAgesMs?: readonly number[] } = {},
): Bench {
  const stack = new FakeStack(options);
  const levels = NAMES.slice(0, stack.levels);
  const errors: unknown[] = [];
  const core = new AppCore<string>({
    arena: stack.arena,
    app: 0,
    levels,
    otherwise: levels.at(-1) as string,
    policy: {
      options: scheduling.policy ?? strictPolicy(stack.levels, 20),
      maxAgesMs: scheduling.maxAgesMs ?? null,
    },
    kick: () => {},
    onError: (error) => errors.push(error) > 0,
  });
  core.addListener(0, new ListenerState<string>({ framing: { kind: 'segment' }, ...listen } as never, handler));
  const turn = (ms = 0) => {
    stack.tick(ms);
    return core.turn();
  };
  const settle = () => {
    for (let turns = 0; turn(); turns++) assert.ok(turns < 1000, 'it never has enough');
  };
  return { stack, core, errors, turn, settle };
}

const texts = (sends: Sent[]) => sends.map(({ bytes }) => bytes.toString());

test('a message is answered at its level with its rx stamp, and its packet is released once', () => {
  const { stack, settle } = bench({}, (message) => message.reply(`re: ${message.utf8()}`));
  stack.giveTx(4);
  stack.opened(3, 7);
  stack.tick(5);
  stack.message(3, 'hello', 1, 7);
  const { stamp } = stack;
  settle();
  const [sent, ...rest] = stack.sends();
  assert.is(rest.length, 0);
  assert.equal(
    [sent?.type, sent?.ring, sent?.level, sent?.slot, sent?.generation, sent?.rxStamp, sent?.bytes.toString()],
    [SEND_TYPE_SEND, 1, 1, 3, 7, stamp, 're: hello'],
  );
  assert.equal(
    stack.releases().map(({ slot, generation, length }) => [slot, generation, length]),
    [[3, 7, 5]],
  );
  assert.is(stack.rxWithApp.size, 0);
});

test('a child that nobody joins and that throws is an error of the handler that made it', () => {
  const { stack, core, errors, turn, settle } = bench({ levels: 2 }, function* (message): Coroutine<void> {
    spawn(function* (): Coroutine<void> {
      throw new Error(`child of ${message.utf8()}`);
    });
    yield* sleep(5);
  });
  stack.opened(3);
  stack.message(3, 'hello', 1);
  settle();
  assert.equal(errors, [], 'it may still be joined');
  turn(8);
  settle();
  assert.equal(
    errors.map((error) => (error as Error).message),
    ['child of hello'],
  );
  assert.is(core.counts().handlersFailed, 1);
});

test('a child may use the message of its parent until the parent ends, and not behind that', () => {
  const { stack, errors, turn, settle } = bench({ levels: 2 }, function* (message): Coroutine<void> {
    const replies = (word: string, ms: number) =>
      spawn(function* (): Coroutine<void> {
        yield* sleep(ms);
        message.reply(`${word} ${message.utf8()}`);
      });
    const early = replies('early', 5);
    replies('late', 20);
    yield* early.join();
  });
  stack.giveTx(4);
  stack.opened(3);
  stack.message(3, 'hello', 1);
  settle();
  for (let i = 0; i < 4; i++) turn(8);
  settle();
  assert.equal(texts(stack.sends()), ['early hello']);
  assert.equal(
    errors.map((error) => (error as { code: string }).code),
    ['QST_ERR_MESSAGE_RELEASED'],
  );
});

test('events are taken from the highest level down, and higher rings are looked at again every 16 events', () => {
  const order: string[] = [];
  const { stack, turn } = bench({ levels: 2, connections: 64 }, (message) => {
    const text = message.utf8();
    order.push(text);
    // The stack publishes high events while low ones are being handled.
    if (text === 'low 3') stack.message(40, 'high late', 0);
  });
  for (let slot = 0; slot < 41; slot++) stack.opened(slot);
  turn();
  for (let i = 0; i < 20; i++) stack.message(i, `low ${i}`, 1);
  stack.message(39, 'high', 0);
  turn();
  assert.is(order[0], 'high');
  assert.is(order.indexOf('high late'), 17, 'behind the group of 16 in which it came');
  assert.is(order.length, 22);
});

test('at most 32 events are taken in one turn, and the poller is told that there is more', () => {
  let handled = 0;
  const { stack, turn } = bench({ levels: 1, rxPackets: 512, events: 512 }, () => {
    handled++;
  });
  stack.opened(0);
  for (let i = 0; i < 400; i++) stack.message(0, 'x', 0);
  assert.ok(turn());
  assert.ok(handled <= 32);
  while (turn()) stack.releases();
  assert.is(handled, 400);
});

test('a starved level goes first for one group, and what it says of unknown connections counts as their opening', () => {
  const order: string[] = [];
  const { stack, turn } = bench({ levels: 2, connections: 64, rxPackets: 512, events: 512 }, (message) => {
    order.push(message.utf8());
  });
  stack.opened(0);
  turn();
  // The opening of 1 stands behind a crowd in ring 0, its low message has waited for more than the bound.
  for (let i = 0; i < 300; i++) stack.message(0, 'high', 0);
  stack.opened(1);
  stack.message(1, 'low', 1);
  turn(25);
  assert.is(order.filter((text) => text === 'low').length, 1);
  assert.ok(order.indexOf('low') <= 32, `at ${order.indexOf('low')}`);
  while (turn()) stack.releases();
  assert.is(order.length, 301);
});

test('a closed event that a starved level brings forward waits until the higher rings have been drained', () => {
  const order: string[] = [];
  const options = { levels: 2, rxPackets: 512, events: 512 };
  const { stack, turn } = bench(options, (message) => void order.push(message.utf8()), {
    order: 'none',
    onClose: (_connection, reason) => void order.push(`closed ${reason}`),
  });
  stack.opened(0);
  turn();
  for (let i = 0; i < 300; i++) stack.message(0, 'high', 0);
  stack.closed(0);
  turn(25);
  assert.not(order.includes('closed finished'));
  while (turn()) stack.releases();
  assert.is(order.length, 301);
  assert.is(order.at(-1), 'closed finished');
});

test('a slot that is used again before the end of its last connection was taken: the end comes first', () => {
  const order: string[] = [];
  const note = (what: string) => (connection: { generation: number }) =>
    void order.push(`${what} ${connection.generation}`);
  const { stack, settle } = bench({ levels: 2 }, (message) => void order.push(message.utf8()), {
    onConnect: note('open'),
    onClose: note('closed'),
  });
  stack.opened(2, 5);
  settle();
  stack.closed(2, 5);
  stack.opened(2, 6);
  stack.message(2, 'new', 0, 6);
  settle();
  assert.equal(order, ['open 5', 'closed 5', 'open 6', 'new']);
});

test('messages of connections that are gone are released and handled by nobody', () => {
  let handled = 0;
  const { stack, core, settle } = bench({}, () => {
    handled++;
  });
  stack.opened(1, 4);
  settle();
  stack.closed(1, 4);
  settle();
  stack.message(1, 'late', 1, 4);
  stack.message(1, 'older', 1, 3);
  settle();
  assert.is(handled, 0);
  assert.is(core.counts().stale, 2);
  assert.is(stack.releases().length, 2);
});

test('pending messages of a connection that closes are released', () => {
  const { stack, settle } = bench({}, function* (): Coroutine<void> {
    yield* sleep(1000);
  });
  stack.opened(1);
  for (let i = 0; i < 5; i++) stack.message(1, 'x');
  settle();
  assert.is(stack.releases().length, 0);
  stack.closed(1, 0, 1);
  settle();
  assert.is(stack.releases().length, 4, 'the first is still being handled');
});

test('thousands that waited for connections that are gone are released over many turns, each once, and counted until then', () => {
  const EACH = 500;
  for (const order of ['connection', 'level'] as const) {
    const handler = function* (): Coroutine<void> {
      yield* sleep(1000);
    };
    const { stack, core, turn } = bench({ rxPackets: 2048, events: 2048, releases: 2048 }, handler, { order });
    for (const slot of [1, 2]) {
      stack.opened(slot);
      for (let i = 0; i < EACH; i++) stack.message(slot, 'x');
    }
    while (turn());
    for (const slot of [1, 2]) stack.closed(slot, 0, 1);
    turn();
    const released: number[] = [];
    const take = () => released.push(...stack.releases().map(({ packet }) => packet));
    take();
    assert.ok(released.length > 0 && released.length <= 256, `${released.length} in one turn`);
    assert.is(core.counts().waiting, 2 * (EACH - 1) - released.length);
    while (turn()) take();
    take();
    assert.is(released.length, 2 * (EACH - 1), 'the first of each is still being handled');
    assert.is(new Set(released).size, released.length);
    assert.is(core.counts().waiting, 0);
  }
});

test('order connection: of what waits behind a handler the highest level goes next, each level in its order', () => {
  const seen: string[] = [];
  const { stack, turn } = bench({ levels: 3 }, function* (message): Coroutine<void> {
    seen.push(message.utf8());
    yield* sleep(5);
  });
  stack.opened(0);
  turn();
  stack.message(0, 'low 1', 2);
  turn();
  for (const text of ['low 2', 'mid 1', 'low 3', 'high 1', 'mid 2', 'high 2']) {
    stack.message(0, text, ['high', 'mid', 'low'].indexOf(text.split(' ')[0] as string));
    turn();
  }
  for (let i = 0; i < 60; i++) turn(1);
  assert.equal(seen, ['low 1', 'high 1', 'high 2', 'mid 1', 'mid 2', 'low 2', 'low 3']);
  assert.is(stack.releases().length, 7);
});

test('what waits for a reader comes by level as well', () => {
  const { stack, core, turn } = bench({ levels: 2 });
  stack.opened(0);
  turn();
  for (const [text, level] of [
    ['low 1', 1],
    ['low 2', 1],
    ['high', 0],
  ] as const) {
    stack.message(0, text, level);
    turn();
  }
  const seen: (string | undefined)[] = [];
  const connection = new Connection<string>(core, 0, 0);
  core.call(
    function* (): Coroutine<void> {
      for (let i = 0; i < 3; i++) seen.push((yield* connection.receive())?.utf8());
    },
    undefined,
    'a test',
  );
  for (let i = 0; i < 10; i++) turn(1);
  assert.equal(seen, ['high', 'low 1', 'low 2']);
});

test('waiting messages outgrow their first array without losing their order', () => {
  const seen: number[] = [];
  const { stack, turn } = bench(
    { levels: 1, rxPackets: 1024, events: 1024, releases: 1024 },
    function* (message): Coroutine<void> {
      seen.push(message.u16(0));
      if (message.u16(0) === 0) yield* sleep(5);
    },
  );
  stack.opened(0);
  for (let i = 0; i < 1000; i++) stack.message(0, Uint8Array.of(i >>> 8, i & 0xff), 0);
  while (turn());
  assert.is(seen.length, 1);
  for (let i = 0; i < 20; i++) turn(1);
  while (turn());
  assert.equal(seen, [...new Array(1000).keys()]);
  assert.is(stack.releases().length, 1000);
});

test('release records wait when their ring is full', () => {
  const { stack, turn } = bench({ levels: 1, rxPackets: 64, releases: 8 }, () => {});
  stack.opened(0);
  for (let i = 0; i < 40; i++) stack.message(0, 'x', 0);
  assert.ok(turn(), 'the poller has to come back');
  let released = stack.releases().length;
  assert.is(released, 8);
  for (let i = 0; i < 10 && turn(); i++) released += stack.releases().length;
  released += stack.releases().length;
  assert.is(released, 40);
});

test('a payload longer than a segment is split over packets, all but the last marked', () => {
  const body = Buffer.alloc(2500, 'abcdefg');
  const { stack, settle } = bench({ mss: 1000 }, (message) => message.reply(body));
  stack.giveTx(8);
  stack.opened(0);
  stack.message(0, 'x', 0);
  settle();
  const sends = stack.sends();
  assert.equal(
    sends.map(({ bytes, more, ring }) => [bytes.length, more, ring]),
    [
      [1000, true, 0],
      [1000, true, 0],
      [500, false, 0],
    ],
  );
  assert.ok(Buffer.concat(sends.map(({ bytes }) => bytes)).equals(body));
});

test('without TX packets replies wait in order, only the highest level is taken on, and packets are asked for', () => {
  const handled: string[] = [];
  const { stack, turn } = bench({ levels: 2 }, (message) => {
    handled.push(message.utf8());
    message.reply(message.utf8());
  });
  for (let slot = 0; slot < 6; slot++) stack.opened(slot);
  turn();
  stack.message(0, 'first', 1);
  turn();
  assert.equal([stack.line(APP_LINE_WANT_BUFFERS_U32), stack.line(APP_LINE_QUIET_LEVELS_U32)], [1, 0xfe]);
  stack.message(1, 'low', 1);
  stack.message(2, 'high', 0);
  assert.not(turn(), 'nothing can be done before packets come');
  assert.equal(handled, ['first', 'high']);
  stack.giveTx(1);
  turn();
  assert.equal(texts(stack.sends()), ['high'], 'what is higher goes first');
  stack.giveTx(3);
  while (turn());
  assert.equal(texts(stack.sends()), ['first', 'low']);
  assert.equal([stack.line(APP_LINE_WANT_BUFFERS_U32), stack.line(APP_LINE_QUIET_LEVELS_U32)], [0, 0]);
});

const overload = (handler: Handler<string> | PooledHandler<string>, order: 'none' | 'connection') =>
  bench({ levels: 2, connections: 64 }, handler, { order }, { maxAgesMs: [Number.POSITIVE_INFINITY, 10] });

test('a message older than its level allows is shed in its ring, released and counted, and the next one is handled', () => {
  const handled: string[] = [];
  const { stack, core, settle, turn } = overload((message) => void handled.push(message.utf8()), 'connection');
  stack.opened(0);
  turn(1);
  stack.message(0, 'old high', 0);
  stack.message(0, 'old low', 1);
  turn();
  assert.equal(handled, ['old high', 'old low']);
  stack.message(0, 'older low', 1);
  stack.message(0, 'older high', 0);
  stack.tick(11);
  stack.message(0, 'new low', 1);
  settle();
  assert.equal(handled.slice(2), ['older high', 'new low']);
  assert.equal([core.counts().shed, stack.releases().length, stack.rxWithApp.size], [[0, 1], 5, 0]);
});

test('messages that wait behind a handler of their connection are shed there', () => {
  const handled: string[] = [];
  const slow = function* (message: { utf8(): string }): Coroutine<void> {
    handled.push(message.utf8());
    yield* sleep(15);
  };
  const { stack, core, turn } = overload(slow, 'connection');
  stack.opened(0);
  turn(1);
  for (const text of ['first', 'second', 'third']) stack.message(0, text, 1);
  for (let ms = 0; ms < 60; ms++) turn(1);
  assert.equal([handled, core.counts().shed], [['first'], [0, 2]]);
  stack.message(0, 'fourth', 1);
  for (let ms = 0; ms < 60; ms++) turn(1);
  assert.equal([handled, stack.releases().length], [['first', 'fourth'], 4]);
});

for (const [form, pooledForm] of [
  ['a task', false],
  ['a pooled coroutine', true],
] as const) {
  test(`${form} whose message has become too old in the run queue is never run with it`, () => {
    const handled: string[] = [];
    const body = (text: string) => {
      handled.push(text);
      // More than one turn's work of the high level: what is low stays in the run queue.
      if (text === 'flood') for (let i = 0; i < 400; i++) core.scheduler.task(0).begin(() => {}, undefined);
    };
    const handler: Handler<string> | PooledHandler<string> = pooledForm
      ? {
          pooled: function* (inbox): Coroutine<void> {
            for (;;) body((yield* inbox.next()).utf8());
          },
        }
      : (message) => body(message.utf8());
    const { stack, core, turn, settle } = overload(handler, 'none');
    stack.opened(0);
    turn(1);
    // Pooled coroutines are there from now on: a new one takes its first message as it begins.
    for (let i = 0; i < 5; i++) stack.message(0, 'warm', 1);
    turn();
    assert.is(handled.splice(0).length, 5);
    stack.message(0, 'flood', 0);
    for (let i = 0; i < 4; i++) stack.message(0, `low ${i}`, 1);
    turn(1);
    assert.equal(handled, ['flood'], 'the low ones are in the run queue');
    turn(11);
    settle();
    assert.equal([handled, core.counts().shed], [['flood'], [0, 4]]);
    for (let i = 0; i < 4; i++) stack.message(0, `late ${i}`, 1);
    turn();
    assert.is(handled.length, 5);
    assert.is(stack.releases().length, 14);
    assert.is(stack.rxWithApp.size, 0);
  });
}

test('weighted: what waits for packets leaves by weight and bytes, and nothing is taken on meanwhile', () => {
  const handled: string[] = [];
  const policy = { kind: 'weighted', levels: 2, starvationBoundMs: 0, weights: [3, 1], budgetsMs: [] } as const;
  const { stack, turn, settle } = bench(
    { levels: 2, connections: 64, mss: 100 },
    (message) => {
      handled.push(message.utf8());
      message.reply(Buffer.alloc(100, message.level));
    },
    { order: 'none' },
    { policy },
  );
  for (let slot = 0; slot < 40; slot++) stack.opened(slot);
  settle();
  for (let slot = 0; slot < 16; slot++) stack.message(slot, 'x', 0);
  for (let slot = 20; slot < 36; slot++) stack.message(slot, 'y', 1);
  while (handled.length < 32) turn();
  stack.message(1, 'more', 0);
  assert.not(turn(), 'without packets no level is taken on');
  assert.is(stack.line(APP_LINE_QUIET_LEVELS_U32), 0xff);
  stack.giveTx(16);
  turn();
  const levels = stack.sends().map(({ ring }) => ring);
  assert.equal([levels.length, levels.filter((level) => level === 1).length], [16, 4], levels.join(''));
});

test('another policy takes over when a turn begins: in the rings, in the run queue, for packets, for ages; what waits is kept', () => {
  const handled: string[] = [];
  const { stack, core, turn, settle } = bench(
    { levels: 2, connections: 64, mss: 100 },
    (message) => {
      handled.push(message.utf8());
      if (message.utf8() === 'low 2') core.schedule({ options: strictPolicy(2, 0), maxAgesMs: [1_000, 5] });
      message.reply(message.utf8());
    },
    { order: 'none' },
  );
  const deadline = { kind: 'deadline', levels: 2, starvationBoundMs: 0, weights: [], budgetsMs: [50, 1] } as const;
  for (let slot = 0; slot < 8; slot++) stack.opened(slot);
  settle();
  stack.message(0, 'high 1', 0);
  stack.message(1, 'low 1', 1);
  core.schedule({ options: deadline, maxAgesMs: null });
  settle();
  assert.is(handled.join(), 'low 1,high 1', 'by deadline');
  assert.is(stack.line(APP_LINE_QUIET_LEVELS_U32), 0xff, 'without packets no level is taken on');
  stack.giveTx(1);
  settle();
  assert.equal(texts(stack.sends()), ['low 1']);
  stack.giveTx(8);
  settle();
  stack.message(2, 'low 2', 1);
  settle();
  assert.is(handled.at(-1), 'low 2');
  stack.message(3, 'old low', 1);
  stack.message(4, 'high 2', 0);
  turn(6);
  stack.message(5, 'low 3', 1);
  stack.message(6, 'high 3', 0);
  settle();
  assert.equal(handled.slice(3), ['high 2', 'high 3', 'low 3']);
  assert.equal(core.counts().shed, [0, 1]);
});

test('close travels behind what waits for packets', () => {
  const { stack, turn } = bench({ levels: 1 }, (message) => {
    message.reply('bye');
    message.connection.close();
  });
  stack.opened(0);
  stack.message(0, 'x', 0);
  turn();
  assert.equal(stack.sends(), []);
  stack.giveTx(1);
  turn();
  assert.equal(
    stack.sends().map(({ type }) => type),
    [SEND_TYPE_SEND, SEND_TYPE_CLOSE],
  );
});

test('behind 256 KiB the stack is asked whether they were acknowledged, and more waits until it says so', () => {
  const chunk = new Uint8Array(64 * 1024);
  const options = { levels: 1, txPackets: 1024, sends: 1024, empties: 1024, mss: 1024 };
  const { stack, turn } = bench(options, (message) => {
    for (let i = 0; i < 6; i++) message.reply(chunk);
  });
  stack.giveTx(1000);
  stack.opened(0);
  stack.message(0, 'x', 0);
  turn();
  const first = stack.sends();
  assert.is(first.filter(({ type }) => type === SEND_TYPE_SEND).length, 256);
  const drain = first.find(({ type }) => type === SEND_TYPE_DRAIN);
  assert.equal([drain?.slot, drain?.packet], [0, 128 * 1024]);
  assert.is(stack.line(APP_LINE_WANT_BUFFERS_U32), 0, 'a slow peer stalls nobody else');
  stack.drained(0, drain?.cookie ?? 0);
  while (turn());
  assert.is(stack.sends().filter(({ type }) => type === SEND_TYPE_SEND).length, 128);
});

test('an urgent pointer is told to onUrgent, as long as the connection is there and was not closed by us', () => {
  const told: string[] = [];
  const { stack, settle } = bench({}, (message) => void told.push(message.utf8()), {
    onUrgent: (connection) => {
      told.push(`urgent ${connection.slot}`);
      if (told.length > 3) connection.close();
    },
  });
  stack.opened(3);
  stack.message(3, 'calm', 0);
  stack.urgent(3);
  stack.urgent(2);
  stack.urgent(3, 7);
  settle();
  assert.equal(told, ['calm', 'urgent 3']);
  for (let i = 0; i < 3; i++) {
    stack.urgent(3);
    settle();
  }
  assert.equal(told, ['calm', 'urgent 3', 'urgent 3', 'urgent 3']);
});

test('ended closes the connection once all its messages are handled', () => {
  const { stack, turn, settle } = bench({}, function* (message): Coroutine<void> {
    yield* sleep(2);
    message.reply('done');
  });
  stack.giveTx(4);
  stack.opened(0);
  stack.message(0, 'x');
  stack.ended(0);
  settle();
  assert.equal(stack.sends(), []);
  for (let i = 0; i < 5; i++) turn(1);
  assert.equal(
    stack.sends().map(({ type }) => type),
    [SEND_TYPE_SEND, SEND_TYPE_CLOSE],
  );
});

test('halfOpen keeps it open', () => {
  const { stack, settle } = bench({}, () => {}, { halfOpen: true });
  stack.opened(0);
  stack.ended(0);
  settle();
  assert.equal(stack.sends(), []);
});

test('a connection of an unknown listener is reset', () => {
  const { stack, settle } = bench({}, () => {});
  stack.opened(0, 0, 9);
  settle();
  assert.equal(
    stack.sends().map(({ type, slot }) => [type, slot]),
    [[SEND_TYPE_ABORT, 0]],
  );
});

test('the deadline of the earliest timer stands in the line of the app, and is withdrawn behind the last', () => {
  const { stack, turn } = bench({}, function* (): Coroutine<void> {
    yield* sleep(100);
  });
  stack.opened(0);
  stack.message(0, 'x');
  turn();
  assert.is(stack.line(APP_LINE_DEADLINE_SET_U32), 1);
  const aheadMs = ((stack.line(APP_LINE_DEADLINE_U32) - stack.stamp) >>> 0) / 15_625;
  assert.ok(aheadMs >= 99 && aheadMs < 103, `${aheadMs} ms`);
  turn(aheadMs);
  turn(2);
  assert.is(stack.line(APP_LINE_DEADLINE_SET_U32), 0);
});

test('an active open completes with the connection, or fails with the code of a socket', async () => {
  const { ConnectOp } = await import('../../stack/connector.js');
  const { stack, core, turn } = bench({}, () => {});
  const state = new ListenerState<string>({}, undefined);
  const target = { address: 0x0a000002, port: 80, localPort: 0, framing: 3 };
  const outcomes: unknown[] = [];
  const open = () => {
    new ConnectOp(core.connector, target, state).then<unknown, unknown>(
      (connection) => outcomes.push(connection.slot),
      (error) => outcomes.push((error as { code?: string }).code),
    );
    turn();
    const [sent] = stack.sends();
    assert.equal([sent?.type, sent?.slot, sent?.generation, sent?.packet], [6, target.address, 80, 3]);
    return sent?.cookie ?? 0;
  };
  const settle = async () => {
    for (let i = 0; i < 5; i++) {
      turn();
      await new Promise(setImmediate);
    }
  };
  stack.opened(4, 0, 0xffff, open());
  await settle();
  stack.closed(0xffffffff, 0, 5, open());
  await settle();
  stack.closed(5, 0, 3, open());
  await settle();
  assert.equal(outcomes, [4, 'ECONNREFUSED', 'ETIMEDOUT']);
});

test('while a source is crowded only the highest level is taken; the rest waits in its ring', () => {
  const seen: string[] = [];
  const { stack, core, turn } = bench({ levels: 2 }, (message) => {
    seen.push(message.utf8());
  });
  const source = { beginTurn() {}, endTurn() {}, schedule() {}, isCrowded: true };
  core.sources.push(source);
  stack.opened(0);
  turn();
  stack.message(0, 'low', 1);
  stack.message(0, 'high', 0);
  turn();
  assert.equal(seen, ['high']);
  source.isCrowded = false;
  turn();
  assert.equal(seen, ['high', 'low']);
});

test('while the driver has unjudged data the highest level alone is taken, where levels are strict', () => {
  const weighted = { kind: 'weighted', levels: 2, starvationBoundMs: 0, weights: [1, 1], budgetsMs: [] } as const;
  const cases = [
    { scheduling: {}, taken: ['high'] },
    { scheduling: { policy: weighted }, taken: ['high', 'low'] },
  ];
  for (const { scheduling, taken } of cases) {
    const seen: string[] = [];
    const keep = (message: { utf8(): string }) => void seen.push(message.utf8());
    const { stack, core, turn } = bench({ levels: 2 }, keep, {}, scheduling);
    const behindAt = core.arena.stackLine(0) + STACK_LINE_BEHIND_U32;
    stack.opened(0);
    turn();
    stack.message(0, 'low', 1);
    stack.message(0, 'high', 0);
    core.arena.u32[behindAt] = 1;
    turn();
    assert.equal([...seen].sort(), taken);
    core.arena.u32[behindAt] = 0;
    turn();
    assert.equal([...seen].sort(), ['high', 'low']);
  }
});

test('a throw is counted and told; the message is released all the same', () => {
  const { stack, core, errors, settle } = bench({}, () => {
    throw new Error('no');
  });
  stack.opened(0);
  stack.message(0, 'x');
  settle();
  assert.equal([errors.length, core.counts().handlersFailed, stack.releases().length], [1, 1, 1]);
});

test('pooled coroutines serve thousands of messages, each answered and released once', () => {
  const { stack, turn } = bench(
    { levels: 1 },
    {
      pooled: function* (inbox): Coroutine<void> {
        for (;;) {
          const message = yield* inbox.next();
          message.reply(message);
        }
      },
    },
  );
  stack.opened(0);
  const round = () => {
    stack.giveTx(8);
    for (let i = 0; i < 8; i++) stack.message(0, 'x', 0);
    while (turn());
    return stack.sends().length + stack.releases().length;
  };
  for (let i = 0; i < 500; i++) assert.is(round(), 16);
});

test('a pooled coroutine that gave up waiting gets no message before it waits again, and then each once', () => {
  const seen: string[] = [];
  const { stack, core, errors, settle } = bench(
    { levels: 1 },
    {
      pooled: function* (inbox): Coroutine<void> {
        for (;;) {
          try {
            const message = yield* timeout(5, inbox.next());
            seen.push(message.utf8());
          } catch {
            yield* sleep(20);
          }
        }
      },
    },
  );
  const later = (ms: number) => {
    stack.tick(ms);
    settle();
  };
  stack.opened(0);
  stack.message(0, 'one', 0);
  settle();
  later(10);
  stack.opened(1);
  for (const slot of [0, 1]) stack.message(slot, 'two', 0);
  settle();
  later(30);
  later(30);
  for (const slot of [0, 1]) stack.message(slot, 'three', 0);
  settle();
  assert.equal(seen, ['one', 'two', 'two', 'three', 'three']);
  assert.equal([errors, core.counts().waiting, stack.releases().length], [[], 0, 5]);
});

test.run();
