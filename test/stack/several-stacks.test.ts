// One app thread's half against two fake stacks in one arena: whose events go first, and that everything goes back where it came from.
// The fake stacks themselves refuse a packet of the other's pools.
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Coroutine } from '../../coroutine/op.js';
import { strictPolicy } from '../../coroutine/scheduler.js';
import { sleep } from '../../coroutine/sleep.js';
import { SLAB_CHUNK } from '../../mempool/slabs.js';
import {
  APP_LINE_QUIET_LEVELS_U32,
  APP_LINE_WANT_BUFFERS_U32,
  CLOSE_CODE_ELSEWHERE,
  NO_LISTENER,
  SEND_TYPE_CLOSE,
  SEND_TYPE_CONNECT,
  SEND_TYPE_INFO,
  SEND_TYPE_SEND,
} from '../../stack/abi.js';
import { AppCore } from '../../stack/app-core.js';
import { Connection } from '../../stack/connection.js';
import { ConnectOp } from '../../stack/connector.js';
import type { Handler, ListenOptions } from '../../stack/handler.js';
import { ListenerState } from '../../stack/listener-state.js';
import { type FakeOptions, FakeStack, type Sent } from './fake-stack.js';

/** Slots 0 to 15 are those of the first stack. */
const SECOND = 16;

function bench(
  options: FakeOptions,
  handler?: Handler<string>,
  listen: Partial<ListenOptions<string>> = {},
  watermarks?: readonly number[],
) {
  const stack = new FakeStack({ stacks: 2, ...options });
  const levels = ['high', 'low'].slice(-stack.levels);
  const core = new AppCore<string>({
    arena: stack.arena,
    app: 0,
    levels,
    otherwise: 'low',
    policy: { options: strictPolicy(stack.levels, 20), maxAgesMs: null },
    ...(watermarks === undefined ? {} : { watermarks }),
    kick: () => {},
    onError: (error) => {
      throw error;
    },
  });
  const state = new ListenerState<string>({ framing: { kind: 'segment' }, order: 'none', ...listen } as never, handler);
  core.addListener(0, state);
  const turn = (ms = 0) => {
    stack.tick(ms);
    return core.turn();
  };
  const settle = () => {
    for (let turns = 0; turn(); turns++) assert.ok(turns < 1000, 'it never has enough');
  };
  return { stack, core, turn, settle };
}

const places = (sends: Sent[]) => sends.map(({ stack, type, slot, bytes }) => [stack, type, slot, bytes.toString()]);

test('a message is answered through the stack that it came from, and its packet goes back there', () => {
  const { stack, core, settle } = bench({}, (message) => message.reply(`re: ${message.utf8()}`));
  for (const k of [0, 1]) stack.giveTx(2, k);
  for (const slot of [3, SECOND, SECOND + 15]) {
    stack.opened(slot);
    stack.message(slot, `${slot}`);
  }
  settle();
  assert.equal(places(stack.sends()), [
    [0, SEND_TYPE_SEND, 3, 're: 3'],
    [1, SEND_TYPE_SEND, 16, 're: 16'],
    [1, SEND_TYPE_SEND, 31, 're: 31'],
  ]);
  assert.equal(
    stack.releases().map(({ slot }) => slot),
    [3, 16, 31],
  );
  assert.is(stack.rxWithApp.size, 0);
  const { connections, messages, sent, inPackets } = core.counts();
  assert.equal([connections, messages, sent, inPackets], [3, 3, 3, 0]);
});

test('what is asked of a connection goes to its stack', () => {
  const { stack, core, settle } = bench({}, () => {});
  for (const slot of [1, SECOND + 1]) stack.opened(slot);
  settle();
  for (const slot of [1, SECOND + 1]) void core.desk.info(slot, 0).then(() => {});
  for (const slot of [1, SECOND + 1]) stack.ended(slot);
  settle();
  assert.equal(
    stack.sends().map(({ stack: number, type, slot }) => [number, type, slot]),
    [
      [0, SEND_TYPE_INFO, 1],
      [0, SEND_TYPE_CLOSE, 1],
      [1, SEND_TYPE_INFO, SECOND + 1],
      [1, SEND_TYPE_CLOSE, SECOND + 1],
    ],
  );
});

test('a message of one stack may be sent on a connection of another: its bytes are copied', () => {
  const { stack, core, settle } = bench({}, (message) => {
    new Connection<string>(core, SECOND, 0).send(message);
  });
  stack.giveTx(1, 1);
  for (const slot of [0, SECOND]) stack.opened(slot);
  stack.message(0, 'over there');
  settle();
  assert.equal(places(stack.sends()), [[1, SEND_TYPE_SEND, SECOND, 'over there']]);
  assert.equal(
    stack.releases().map(({ slot }) => slot),
    [0],
  );
});

test('within a level the stack goes next whose event has waited longest, a group at a time', () => {
  const order: string[] = [];
  const { stack, turn, settle } = bench({ levels: 1 }, (message) => void order.push(message.utf8()));
  for (const slot of [0, SECOND]) stack.opened(slot);
  settle();
  for (let i = 0; i < 20; i++) {
    stack.tick(1);
    stack.message(SECOND, `b${i}`);
    stack.tick(1);
    stack.message(0, `a${i}`);
  }
  turn();
  const some = (letter: string, from: number, to: number) =>
    Array.from({ length: to - from }, (_, i) => `${letter}${from + i}`);
  assert.equal(order, [...some('b', 0, 16), ...some('a', 0, 16)]);
  settle();
  assert.equal(order.slice(32), [...some('b', 16, 20), ...some('a', 16, 20)]);
});

test('a level is one of all stacks: what is high in the second goes before what is low and older in the first', () => {
  const order: string[] = [];
  const { stack, settle } = bench({}, (message) => void order.push(message.utf8()));
  for (const slot of [0, SECOND]) stack.opened(slot);
  settle();
  for (let i = 0; i < 3; i++) stack.message(0, `low ${i}`, 1);
  stack.tick(1);
  for (let i = 0; i < 3; i++) stack.message(SECOND, `high ${i}`, 0);
  settle();
  assert.equal(order, ['high 0', 'high 1', 'high 2', 'low 0', 'low 1', 'low 2']);
});

test('an event that a starved level brings forward waits for the higher ring of its own stack, and for no other', () => {
  const order: string[] = [];
  const { stack, turn } = bench(
    { rxPackets: 512, events: 512, releases: 512 },
    (message) => void order.push(message.utf8()),
    { onClose: ({ slot }) => void order.push(`closed ${slot}`) },
  );
  for (const slot of [0, SECOND]) stack.opened(slot);
  turn();
  for (let i = 0; i < 300; i++) stack.message(0, 'high', 0);
  stack.closed(SECOND);
  stack.tick(1);
  stack.closed(0);
  turn(25);
  assert.is(order.indexOf(`closed ${SECOND}`), 0);
  turn(25);
  while (turn()) stack.releases();
  assert.equal([order.length, order.at(-1)], [302, 'closed 0']);
});

test('a slot that is used again before the end of its last connection was taken: the end is found in its own stack', () => {
  const order: string[] = [];
  const note =
    (what: string) =>
    ({ generation }: { generation: number }) =>
      void order.push(`${what} ${generation}`);
  const { stack, settle } = bench({}, (message) => void order.push(message.utf8()), {
    onConnect: note('open'),
    onClose: note('closed'),
  });
  stack.opened(SECOND + 2, 5);
  settle();
  stack.closed(SECOND + 2, 5);
  stack.opened(SECOND + 2, 6);
  stack.message(SECOND + 2, 'new', 0, 6);
  settle();
  assert.equal(order, ['open 5', 'closed 5', 'open 6', 'new']);
});

test('while one stack has no TX packets only its own low messages wait; the poller rests when all are short', () => {
  const handled: string[] = [];
  const { stack, turn } = bench({}, (message) => {
    handled.push(message.utf8());
    message.reply(message);
  });
  const line = () => [stack.line(APP_LINE_WANT_BUFFERS_U32), stack.line(APP_LINE_QUIET_LEVELS_U32)];
  for (const slot of [0, 1, SECOND, SECOND + 1]) stack.opened(slot);
  stack.giveTx(1, 1);
  turn();
  stack.message(0, 'first', 1);
  turn();
  assert.equal(line(), [1, 0]);
  stack.message(1, 'low of 0', 1);
  stack.message(1, 'high of 0', 0);
  stack.message(SECOND, 'low of 1', 1);
  assert.not(turn(), 'what waits cannot go on before packets come');
  assert.equal(handled, ['first', 'high of 0', 'low of 1']);
  assert.equal(places(stack.sends()), [[1, SEND_TYPE_SEND, SECOND, 'low of 1']]);
  stack.message(SECOND + 1, 'more of 1', 1);
  turn();
  assert.equal(line(), [1, 0xfe]);
  stack.giveTx(3, 0);
  turn();
  assert.equal(
    stack.sends().map(({ bytes }) => bytes.toString()),
    ['high of 0', 'first', 'low of 0'],
  );
  assert.equal(line(), [1, 0], 'of the first stack all may be taken again');
  stack.giveTx(1, 1);
  turn();
  assert.equal(places(stack.sends()), [[1, SEND_TYPE_SEND, SECOND + 1, 'more of 1']]);
  assert.equal(line(), [0, 0]);
});

test('each stack has watermarks of its own; slabs are shared, and what lay in one goes back to nobody', () => {
  const { stack, core, turn } = bench(
    { slabBytes: 4 * SLAB_CHUNK },
    function* (message): Coroutine<void> {
      yield* sleep(5);
      message.reply(message);
    },
    {},
    [8, 2],
  );
  for (const k of [0, 1]) stack.giveTx(4, k);
  for (const slot of [0, SECOND]) {
    stack.opened(slot);
    for (let i = 0; i < 3; i++) stack.message(slot, `${slot} ${i}`, 1);
  }
  for (let i = 0; i < 3; i++) turn();
  const { moved, inSlabs, inPackets } = core.counts();
  assert.equal([moved, inSlabs, inPackets], [[0, 2], 2, 4]);
  assert.equal(
    stack.releases().map(({ slot }) => slot),
    [0, SECOND],
    'the packet of each third message',
  );
  for (let i = 0; i < 3; i++) turn(8);
  assert.equal(
    stack
      .sends()
      .map(({ stack: number, bytes }) => `${number}: ${bytes}`)
      .sort(),
    ['0: 0 0', '0: 0 1', '0: 0 2', '1: 16 0', '1: 16 1', '1: 16 2'],
  );
  assert.is(stack.releases().length, 4);
  assert.equal([stack.rxWithApp.size, core.counts().inSlabs, core.counts().inPackets], [0, 0, 0]);
});

function opens() {
  const { stack, core, turn } = bench({}, () => {});
  const state = new ListenerState<string>({}, undefined);
  const outcomes: unknown[] = [];
  const open = (localPort = 0) => {
    const target = { address: 0x0a000002, port: 80, localPort, framing: 3 };
    const op = new ConnectOp(core.connector, target, state);
    op.then<unknown, unknown>(
      (connection) => outcomes.push(connection.slot),
      (error) => outcomes.push((error as { code?: string }).code),
    );
    return op;
  };
  const asked = () => {
    turn();
    return stack.sends();
  };
  const settle = async () => {
    for (let i = 0; i < 5; i++) {
      turn();
      await new Promise(setImmediate);
    }
  };
  return { stack, core, outcomes, open, asked, settle };
}

test('active opens go to one stack after the other', async () => {
  const { stack, outcomes, open, asked, settle } = opens();
  for (let i = 0; i < 3; i++) open();
  const records = asked();
  const at = (cookie: number) => records.find((record) => record.cookie === cookie)?.stack;
  assert.equal([1, 2, 3].map(at), [0, 1, 0]);
  stack.opened(4, 0, NO_LISTENER, 1);
  stack.opened(SECOND + 4, 0, NO_LISTENER, 2);
  stack.refused(0, 3, 5);
  await settle();
  assert.equal(outcomes.map(String).sort(), ['20', '4', 'ECONNREFUSED']);
});

test('an open whose local port leads elsewhere is asked there, once', async () => {
  const { stack, outcomes, open, asked, settle } = opens();
  open(5_000);
  const fields = ({ type, slot, generation, packet, cookie }: Sent) => [type, slot, generation, packet, cookie];
  const [first] = asked();
  assert.equal([first?.stack, first?.type], [0, SEND_TYPE_CONNECT]);
  stack.refused(0, first?.cookie ?? 0, CLOSE_CODE_ELSEWHERE, 1);
  const [second, ...rest] = asked();
  assert.is(rest.length, 0);
  assert.is(second?.stack, 1);
  assert.equal(fields(second as Sent), fields(first as Sent));
  stack.opened(SECOND + 4, 0, NO_LISTENER, first?.cookie);
  await settle();
  assert.equal(outcomes, [SECOND + 4]);
});

test('stacks that name each other, themselves or nobody end an open', async () => {
  const { stack, outcomes, open, asked, settle } = opens();
  open(5_000);
  const [{ cookie } = { cookie: 0 }] = asked();
  stack.refused(0, cookie, CLOSE_CODE_ELSEWHERE, 1);
  assert.is(asked().length, 1);
  stack.refused(1, cookie, CLOSE_CODE_ELSEWHERE, 0);
  for (const named of [1, 2]) {
    open(5_000);
    const [record] = asked();
    stack.refused(record?.stack ?? 0, record?.cookie ?? 0, CLOSE_CODE_ELSEWHERE, named === 1 ? record?.stack : named);
  }
  await settle();
  assert.equal(outcomes, ['EHOSTUNREACH', 'EHOSTUNREACH', 'EHOSTUNREACH']);
  assert.equal(asked(), []);
});

test('an open that nobody waits for any more is asked of no other stack', () => {
  const { stack, core, open, asked } = opens();
  const op = open(5_000);
  const [{ cookie } = { cookie: 0 }] = asked();
  core.connector.forget(op);
  stack.refused(0, cookie, CLOSE_CODE_ELSEWHERE, 1);
  assert.equal(asked(), []);
});

test.run();
