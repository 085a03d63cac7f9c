// Rules that change under traffic: every frame is judged once, by one version, and what a version counted is not lost.
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { fixed, inline, level, payload, type RuleHits, type Stack, serve, start } from '../../index.js';
import { Log } from '../../stack/log.js';
import { CLIENT_ADDRESS, pair, SERVER_ADDRESS } from '../../stack/testing.js';

const silent = new Log({ level: 'silent' });
const target = { address: SERVER_ADDRESS, port: 7, framing: fixed(8) };
const base = { max_concurrency: 100, max_num_buffers: 1024, log_level: 'silent', drain_timeout: '1s' };
const hitsOf = (rules: readonly RuleHits[]) => rules.map(({ hits }) => hits);

/** The first byte says the version that puts the message into `high`. */
const rulesFor = (version: number) => [level('high').when(payload(0).u8().is(version))];

function server(seen: string[]) {
  return serve({
    levels: ['high', 'low'],
    classify: rulesFor(0),
    setup(app) {
      app.listen({ port: 7, framing: fixed(8), order: 'none' }, (message) => {
        seen.push(`${message.u8(0)} ${message.level}`);
        message.reply(message);
      });
    },
  });
}

test('inline: messages behind a change have the level of the new rules, and the counts of the old ones are handed back', async () => {
  const seen: string[] = [];
  await using both = await pair(server(seen), { log: silent });
  const connection = await both.client.app.connect(target);
  const exchange = async (first: number) => {
    connection.send(Uint8Array.of(first, 0, 0, 0, 0, 0, 0, 0));
    await connection.receive();
  };
  await exchange(0);
  await exchange(1);
  const before = both.server.ruleHits();
  assert.equal(
    before.map(({ rule, level: name }) => [rule, name]),
    [
      ['payload[0] == 0 -> high', 'high'],
      ['otherwise', 'low'],
    ],
  );
  const counted = both.server.classify(rulesFor(1));
  assert.equal(hitsOf(counted), hitsOf(before));
  assert.is(counted[0]?.hits, 1);
  assert.equal(hitsOf(both.server.ruleHits()), [0, 0]);
  await exchange(0);
  await exchange(1);
  assert.equal(seen, ['0 high', '1 low', '0 low', '1 high']);
  assert.is(both.server.ruleHits()[0]?.hits, 1);
});

test('rules that are refused change nothing', async () => {
  await using both = await pair(server([]), { log: silent });
  const wrong = [level('urgent').when(payload(0).u8().is(1))] as never;
  assert.throws(() => both.server.classify(wrong), /"urgent" is no level; accepted are high, low/);
  assert.is(both.server.ruleHits()[0]?.rule, 'payload[0] == 0 -> high');
});

test('alternatives of one rule are counted together', async () => {
  await using both = await pair(server([]), { log: silent });
  both.server.classify([level('high').when(payload(0).u8().is(1).or(payload(0).u8().is(2)))]);
  const connection = await both.client.app.connect(target);
  for (const first of [1, 2, 3]) {
    connection.send(Uint8Array.of(first, 0, 0, 0, 0, 0, 0, 0));
    await connection.receive();
  }
  const [either, otherwise] = both.server.ruleHits();
  assert.is(either?.hits, 2);
  assert.ok((otherwise?.hits ?? 0) >= 1);
});

const MESSAGES = 4_000;
const UNDER_WAY = 100;

/** Sends messages while `change` is called again and again; every one is answered. */
async function stream(change: (round: number) => void): Promise<void> {
  const ring = { ring: 'replace', side: 1 } as const;
  const config = { ...base, host_ip: `${CLIENT_ADDRESS}/24` };
  const peer = await inline(serve({ levels: ['normal'], setup() {} }), config, { ring, log: silent });
  try {
    const connection = await peer.app.connect(target);
    let answered = 0;
    for (let round = 0; answered < MESSAGES; round++) {
      for (let i = 0; i < UNDER_WAY; i++) connection.send(Uint8Array.of(i & 1, 0, 0, 0, 0, 0, 0, i));
      for (let i = 0; i < UNDER_WAY; i++, answered++) {
        if (i % 10 === 0) change(round * UNDER_WAY + i);
        assert.is((await connection.receive())?.length, 8);
      }
    }
    connection.close();
  } finally {
    await peer.stop();
  }
}

async function withServer(work: (stack: Stack) => Promise<void>): Promise<void> {
  const module = new URL('./fixtures/echo.js', import.meta.url);
  const config = { ...base, host_ip: `${SERVER_ADDRESS}/24` };
  const stack = await start(module, config, { ring: { ring: 'replace', side: 0 }, log: silent });
  try {
    await work(stack);
  } finally {
    await stack.stop();
  }
}

/** Frames of TCP that were received, once no more of them come. */
async function atRest(stack: Stack): Promise<number> {
  const count = () => {
    const { rx_packets = 0, arp_in = 0 } = stack.counters().counters;
    return rx_packets - arp_in;
  };
  for (let before = -1; before !== count(); ) {
    before = count();
    await new Promise((done) => setTimeout(done, 20));
  }
  return count();
}

test('threads: while rules flip under traffic every frame is judged exactly once, by one of the versions', async () => {
  await withServer(async (stack) => {
    const any = payload(0).u8().in(0, 255);
    const versions = [[level('high').when(any)], [level('low').when(any)]];
    const sum = (hits: readonly RuleHits[]) => hitsOf(hits).reduce((all, one) => all + one, 0);
    let judged = 0;
    let flips = 0;
    await stream(() => {
      judged += sum(stack.classify(versions[flips++ % 2] ?? []));
    });
    const received = await atRest(stack);
    assert.ok(flips > 100, `${flips} flips`);
    assert.ok(received > MESSAGES, `${received} frames`);
    assert.is(judged + sum(stack.ruleHits()), received);
  });
});

test.run();
