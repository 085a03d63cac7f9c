// A policy that changes under traffic: the order of what waits is that of the policy in force, and nothing is lost.
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { fixed, inline, level, type Policy, payload, serve, start } from '../../index.js';
import { Log } from '../../stack/log.js';
import { CLIENT_ADDRESS, pair, SERVER_ADDRESS } from '../../stack/testing.js';

const silent = new Log({ level: 'silent' });
const target = { address: SERVER_ADDRESS, port: 7, framing: fixed(8) };
const base = { max_concurrency: 100, max_num_buffers: 1024, log_level: 'silent', drain_timeout: '1s' };
const WEIGHTED: Policy = { kind: 'weighted', weights: { high: 4, low: 1 } };
const DEADLINE: Policy = { kind: 'deadline', budgetMs: { high: 1_000, low: 1 } };
const STRICT: Policy = { kind: 'strict', starvationBoundMs: 0, maxAgeMs: { low: 10_000 } };

function server(handled: string[]) {
  return serve({
    levels: ['high', 'low'],
    classify: [level('high').when(payload(0).u8().is(1))],
    setup(app) {
      app.listen({ port: 7, framing: fixed(8), order: 'none' }, (message) => {
        handled.push(message.level);
        message.reply(message);
      });
    },
  });
}

const messageOf = (first: number) => Uint8Array.of(first, 0, 0, 0, 0, 0, 0, 0);

test('inline: low messages go behind high ones, and before them once their deadline is the earlier one', async () => {
  const handled: string[] = [];
  await using both = await pair(server(handled), { log: silent });
  const [high, low] = [await both.client.app.connect(target), await both.client.app.connect(target)];
  const exchange = async () => {
    handled.length = 0;
    for (let i = 0; i < 4; i++) low.send(messageOf(0));
    for (let i = 0; i < 4; i++) high.send(messageOf(1));
    for (let i = 0; i < 4; i++) await Promise.all([high.receive(), low.receive()]);
    return handled.map((name) => name[0]).join('');
  };
  assert.is(await exchange(), 'hhhhllll');
  const resolved = both.server.schedule(DEADLINE as Policy<'high' | 'low'>);
  assert.equal([resolved.options.kind, resolved.options.budgetsMs], ['deadline', [1_000, 1]]);
  assert.is(await exchange(), 'llllhhhh');
  both.server.schedule(STRICT as Policy<'high' | 'low'>);
  assert.is(await exchange(), 'hhhhllll');
});

test('a policy that is refused changes nothing', async () => {
  await using both = await pair(server([]), { log: silent });
  const wrong = { kind: 'weighted', weights: { high: 1 } } as never;
  assert.throws(() => both.server.schedule(wrong), /the weight has nothing for level "low"/);
  assert.throws(() => both.server.schedule({ kind: 'strict', starvationBoundMs: -1 }), /the starvation bound is -1/);
});

const MESSAGES = 4_000;
const UNDER_WAY = 100;

test('threads: while policies change under traffic every message is answered, also by an app thread that comes back', async () => {
  const settings = { ...base, host_ip: `${SERVER_ADDRESS}/24`, starvation_bound: '7ms' };
  const lines: string[] = [];
  const log = new Log({ write: (line) => lines.push(line) });
  const module = new URL('./fixtures/echo.js', import.meta.url);
  const stack = await start(module, settings, { ring: { ring: 'policies', side: 0 }, log });
  const config = { ...base, host_ip: `${CLIENT_ADDRESS}/24` };
  const ring = { ring: 'policies', side: 1 } as const;
  const peer = await inline(serve({ levels: ['normal'], setup() {} }), config, { ring, log: silent });
  try {
    const policies = [WEIGHTED, DEADLINE, STRICT];
    let connection = await peer.app.connect(target);
    for (let answered = 0, changes = 0; answered < MESSAGES; ) {
      for (let i = 0; i < UNDER_WAY; i++) connection.send(messageOf(i & 1));
      for (let i = 0; i < UNDER_WAY; i++, answered++) {
        if (i % 10 === 0) stack.schedule(policies[changes++ % policies.length] as Policy);
        assert.is((await connection.receive())?.length, 8);
      }
    }
    stack.schedule(STRICT);
    assert.equal([stack.policy.options.starvationBoundMs, stack.policy.maxAgesMs?.[1]], [7, 10_000]);
    connection.send(Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 0xdd));
    await Promise.resolve(connection.receive()).catch(() => null);
    while (!lines.some((line) => line.includes('APP_RESTARTED'))) await new Promise((done) => setTimeout(done, 10));
    connection = await peer.app.connect(target);
    connection.send(messageOf(1));
    assert.is((await connection.receive())?.length, 8);
  } finally {
    await peer.stop();
    await stack.stop();
  }
});

test.run();
