// Overload (stack/overload.ts, stack/release.ts): shares of memory by level, and bytes that leave their packets while handlers wait.
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Coroutine } from '../../coroutine/op.js';
import { strictPolicy } from '../../coroutine/scheduler.js';
import { sleep } from '../../coroutine/sleep.js';
import { SLAB_CHUNK } from '../../mempool/slabs.js';
import { AppCore } from '../../stack/app-core.js';
import type { Handler, ListenOptions } from '../../stack/handler.js';
import { ListenerState } from '../../stack/listener-state.js';
import type { Message } from '../../stack/message.js';
import { overloadOf, rxBudgets, watermarks } from '../../stack/overload.js';
import { type FakeOptions, FakeStack } from './fake-stack.js';

function bench(
  options: FakeOptions,
  marks: readonly number[],
  handler: Handler<string> | undefined,
  listen: Partial<ListenOptions<string>> = {},
) {
  const stack = new FakeStack({ levels: 2, ...options });
  const core = new AppCore<string>({
    arena: stack.arena,
    app: 0,
    levels: ['high', 'low'],
    otherwise: 'low',
    policy: { options: strictPolicy(2, 20), maxAgesMs: null },
    watermarks: marks,
    kick: () => {},
    onError: (error) => {
      throw error;
    },
  });
  core.addListener(
    0,
    new ListenerState<string>({ framing: { kind: 'segment' }, order: 'none', ...listen } as never, handler),
  );
  const turn = (ms = 0) => {
    stack.tick(ms);
    for (let turns = 0; core.turn(); turns++) assert.ok(turns < 1_000, 'it never has enough');
  };
  return { stack, core, turn };
}

test('the lower a level the less of the packets it may hold; level 0 may hold all', () => {
  assert.equal(rxBudgets(['only'], 1_000), [1_000]);
  assert.equal(rxBudgets(['high', 'low'], 1_000), [1_000, 750]);
  assert.equal(rxBudgets(['alarm', 'normal', 'bulk'], 1_000), [1_000, 750, 375]);
  assert.equal(rxBudgets(['alarm', 'normal', 'bulk'], 1_000, { bulk: 10, alarm: 50 }), [500, 750, 100]);
  assert.equal(rxBudgets(['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'], 4).at(-1), 1, 'each level at least one');
  assert.throws(() => rxBudgets(['high', 'low'], 1_000, { middle: 5 }), /"middle", which is none of high, low/);
  assert.equal(watermarks([1_000, 750], 2), [250, 187]);
});

test('what too much work has led to is added up over app threads, by level', () => {
  const apps = [
    { moved: [0, 2], shed: [1, 0] },
    { moved: [1, 3], shed: [0, 4] },
  ];
  assert.equal(overloadOf(['high', 'low'], [0, 7, 0], apps), [
    { level: 'high', deferred: 0, moved: 1, shed: 1 },
    { level: 'low', deferred: 7, moved: 5, shed: 4 },
  ]);
});

test('above the watermark of its level a message moves to a slab: its packet goes back at once, its bytes stay', () => {
  const seen: string[] = [];
  const { stack, core, turn } = bench({ slabBytes: 4 * SLAB_CHUNK }, [8, 2], function* (message): Coroutine<void> {
    const slice = message.slice(1);
    yield* sleep(5);
    seen.push(`${message.utf8()} ${slice.utf8()}`);
    message.reply(message);
  });
  stack.giveTx(8);
  for (const slot of [0, 1, 2, 3]) {
    stack.opened(slot);
    stack.message(slot, `low ${slot}`, 1);
    stack.message(slot, `high ${slot}`, 0);
  }
  turn();
  assert.equal(core.counts().moved, [0, 2]);
  assert.is(core.counts().inSlabs, 2);
  assert.is(core.counts().inPackets, 6);
  assert.is(stack.releases().length, 2, 'before any handler has ended');
  assert.is(stack.rxWithApp.size, 6);
  turn(8);
  assert.equal(
    seen.sort(),
    [0, 1, 2, 3].flatMap((slot) => [`high ${slot} igh ${slot}`, `low ${slot} ow ${slot}`]).sort(),
  );
  assert.equal(
    stack
      .sends()
      .map(({ bytes }) => bytes.toString())
      .sort(),
    [0, 1, 2, 3].flatMap((slot) => [`high ${slot}`, `low ${slot}`]).sort(),
  );
  assert.is(stack.releases().length, 6);
  assert.is(stack.rxWithApp.size, 0);
  assert.equal([core.counts().inSlabs, core.counts().inPackets], [0, 0]);
});

test('messages that wait for their turn move as well, and without slabs they stay in their packets', () => {
  for (const slabBytes of [SLAB_CHUNK, 0]) {
    const seen: string[] = [];
    const handler = function* (message: Message): Coroutine<void> {
      yield* sleep(5);
      seen.push(message.utf8());
    };
    const { stack, core, turn } = bench({ slabBytes }, [8, 1], handler, { order: 'connection' });
    stack.opened(0);
    for (const text of ['one', 'two', 'three']) stack.message(0, text, 1);
    turn();
    assert.is(core.counts().inSlabs, slabBytes === 0 ? 0 : 2);
    assert.is(stack.rxWithApp.size, 3, 'what goes back is taken from the ring by the stack');
    assert.is(stack.releases().length, slabBytes === 0 ? 0 : 2);
    for (let i = 0; i < 3; i++) turn(8);
    assert.equal(seen, ['one', 'two', 'three']);
    stack.releases();
    assert.is(stack.rxWithApp.size, 0);
  }
});

test('a connection that goes while messages wait in slabs gives them back', () => {
  const { stack, core, turn } = bench(
    { slabBytes: SLAB_CHUNK },
    [8, 1],
    function* (): Coroutine<void> {
      yield* sleep(5);
    },
    { order: 'connection' },
  );
  stack.opened(0);
  for (const text of ['one', 'two', 'three']) stack.message(0, text, 1);
  turn();
  stack.closed(0, 0, 1);
  turn();
  assert.is(core.counts().inSlabs, 0);
  turn(8);
  stack.releases();
  assert.is(stack.rxWithApp.size, 0);
});

test('bytes of a stream stay in their packets: the window waits for them', () => {
  const { stack, core, turn } = bench({ slabBytes: SLAB_CHUNK }, [8, 1], undefined, { framing: { kind: 'stream' } });
  stack.opened(0);
  for (const text of ['one', 'two', 'three']) stack.message(0, text, 1);
  turn();
  assert.equal([core.counts().inSlabs, core.counts().inPackets], [0, 3]);
});

test.run();
