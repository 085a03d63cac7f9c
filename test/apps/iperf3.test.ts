// Our iperf3 against itself, over a wire in memory: the exchange of both sides, what they count, and what they refuse.
// test/interop has Debian's iperf3 at the other end.
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Client } from '../../apps/iperf3/client.js';
import {
  COOKIE_BYTES,
  makeCookie,
  type Parameters,
  readParameters,
  readResults,
  STATE,
  streamId,
  writeParameters,
} from '../../apps/iperf3/protocol.js';
import { endLines, intervalLines, startLines, trialJson } from '../../apps/iperf3/report.js';
import { Server } from '../../apps/iperf3/server.js';
import type { Trial } from '../../apps/iperf3/trial.js';
import type { App } from '../../stack/app.js';
import { stream } from '../../stack/framing.js';
import { serve } from '../../stack/serve.js';
import { type Pair, pair, SERVER_ADDRESS } from '../../stack/testing.js';

interface Context {
  stacks: Pair<'normal', 'normal'>;
  app: App<'normal'>;
  served: Trial[];
}

const PORT = 5_201;
const PLAIN: Parameters = { seconds: 0.3, bytes: 0, streams: 1, block: 16_384, reverse: false, omitSeconds: 0 };
const iperf3 = suite<Context>('iperf3');

iperf3.before.each(async (context) => {
  context.served = [];
  const server = new Server({ intervalMs: 100, onTrial: () => {}, onEnd: (trial) => context.served.push(trial) });
  const definition = serve({
    levels: ['normal'],
    setup(app) {
      app.listen({ port: PORT, framing: stream, onConnect: (connection) => server.accept(connection) });
    },
  });
  const client = serve({
    levels: ['normal'],
    setup(app) {
      context.app = app;
    },
  });
  context.stacks = await pair(definition, { client });
});
iperf3.after.each(async ({ stacks }) => {
  await stacks.stop();
});

function run({ app }: Context, more: Partial<Parameters> = {}): Promise<Trial> {
  const parameters = { ...PLAIN, ...more };
  return new Client(app, { address: SERVER_ADDRESS, port: PORT, parameters, intervalMs: 100, onTrial: () => {} }).run();
}

async function servedOf({ served }: Context): Promise<Trial> {
  const endMs = performance.now() + 10_000;
  while (served.length === 0 && performance.now() < endMs) await new Promise((done) => setTimeout(done, 5));
  assert.is(served.length, 1);
  return served[0] as Trial;
}

const bytesOf = (trial: Trial) => trial.streams.map(({ bytes }) => bytes);
const theirsOf = (trial: Trial) => trial.theirs?.streams.map(({ bytes }) => bytes);

for (const reverse of [false, true]) {
  for (const streams of [1, 4]) {
    iperf3(
      `${streams} streams${reverse ? ', the server sends' : ''}: each side gets what the other has counted`,
      async (context) => {
        const trial = await run(context, { reverse, streams });
        const theirs = await servedOf(context);
        assert.is(trial.fault, undefined);
        assert.is(theirs.fault, undefined);
        assert.equal(theirsOf(trial), bytesOf(theirs));
        assert.equal(theirsOf(theirs), bytesOf(trial));
        assert.is(trial.streams.length, streams);
        assert.ok(bytesOf(reverse ? trial : theirs).every((bytes) => bytes > 0));
      },
    );
  }
}

iperf3('-n: so many bytes move and no more, over all streams together', async (context) => {
  const bytes = 1_000_003;
  const trial = await run(context, { bytes, streams: 3, seconds: 0 });
  const total = (numbers: number[] | undefined) => (numbers ?? []).reduce((sum, number) => sum + number, 0);
  assert.is(trial.fault, undefined);
  assert.is(total(bytesOf(trial)), bytes);
  assert.is(total(theirsOf(trial)), bytes);
});

iperf3('-O: what moves at the beginning is not counted', async (context) => {
  const trial = await run(context, { omitSeconds: 0.2 });
  assert.ok(trial.intervals.some(({ omitted }) => omitted));
  const counted = trial.intervals.filter(({ omitted }) => !omitted).flatMap(({ bytes }) => bytes);
  assert.is(
    counted.reduce((sum, bytes) => sum + bytes, 0),
    bytesOf(trial)[0],
  );
});

iperf3('while a test runs, another client is refused and told so', async (context) => {
  const first = run(context, { seconds: 1 });
  await new Promise((done) => setTimeout(done, 200));
  assert.match((await run(context)).fault ?? '', /busy running a test/);
  assert.is((await first).fault, undefined);
});

iperf3('a client that goes away ends its test, and the next one is served', async (context) => {
  const connection = await context.app.connect({ address: SERVER_ADDRESS, port: PORT, framing: stream });
  connection.send(`${makeCookie()}\0`);
  assert.is((await connection.receive())?.u8(0), STATE.paramExchange);
  const text = JSON.stringify(writeParameters(PLAIN));
  const length = Buffer.alloc(4);
  length.writeUInt32BE(text.length);
  connection.send(Buffer.concat([length, Buffer.from(text)]));
  assert.is((await connection.receive())?.u8(0), STATE.createStreams);
  connection.abort();
  assert.match((await servedOf(context)).fault ?? '', /control connection/);
  assert.is((await run(context)).fault, undefined);
});

iperf3('nobody at the other end is a fault, and no hang', async ({ app }) => {
  const options = { address: SERVER_ADDRESS, port: 5_202, parameters: PLAIN, intervalMs: 0, onTrial: () => {} };
  assert.match((await new Client(app, options).run()).fault ?? '', /refused/);
});

iperf3('the lines and the JSON have the forms of iperf3', async (context) => {
  const trial = await run(context, { streams: 2 });
  assert.match(
    startLines(trial)[0] ?? '',
    /^\[ {2}1\] local 10\.99\.0\.2 port \d+ connected to 10\.99\.0\.1 port 5201$/,
  );
  const [one = ''] = intervalLines(trial, trial.intervals[0] as Trial['intervals'][0]);
  assert.match(one, /^\[ {2}1\] {3}0\.00-0\.\d\d {3}sec +[\d.]+ [KMG]?Bytes +[\d.]+ [KMG]?bits\/sec$/);
  assert.match(endLines(trial).at(-1) ?? '', /^\[SUM\] .* receiver$/);
  const json = JSON.parse(JSON.stringify(trialJson(trial))) as {
    start: { test_start: object; cookie: string };
    end: { streams: object[]; sum_sent: { bytes: number }; sum_received: { bytes: number } };
  };
  assert.is(json.start.cookie.length, COOKIE_BYTES - 1);
  assert.is(json.end.streams.length, 2);
  assert.is(
    json.end.sum_sent.bytes,
    bytesOf(trial).reduce((sum, bytes) => sum + bytes, 0),
  );
  assert.ok(json.end.sum_received.bytes > 0);
});

iperf3('parameters are read as iperf3 writes them, and what is not to be had is refused', () => {
  const theirs = {
    tcp: true,
    omit: 0,
    time: 2,
    num: 0,
    blockcount: 0,
    parallel: 2,
    len: 131_072,
    client_version: '3.12',
  };
  const read = { seconds: 2, bytes: 0, streams: 2, block: 131_072, reverse: false, omitSeconds: 0 };
  assert.equal(readParameters(theirs), read);
  assert.equal(readParameters(writeParameters({ ...read, reverse: true })), { ...read, reverse: true });
  assert.throws(() => readParameters({ ...theirs, udp: true }), /"udp" is not available/);
  assert.throws(() => readParameters({ ...theirs, parallel: 1_000 }), /"parallel" is 1000; 0 to 128/);
  assert.throws(() => readParameters({ ...theirs, len: 2 ** 21 }), /blocks of 2097152 bytes/);
  assert.throws(() => readParameters('x'), /no JSON object/);
});

iperf3('results of a receiver, which has no retransmits, are read; streams are numbered 1, 3, 4 as by iperf3', () => {
  const stream = {
    id: 3,
    bytes: 5,
    retransmits: 2 ** 64,
    jitter: 0,
    errors: 0,
    packets: 0,
    start_time: 0,
    end_time: 2.5,
  };
  const read = readResults({ cpu_util_total: 4, sender_has_retransmits: 2 ** 64, streams: [stream] });
  assert.equal(read, { cpu: { total: 4, user: 0, system: 0 }, streams: [{ id: 3, bytes: 5, seconds: 2.5 }] });
  assert.equal([0, 1, 2, 3].map(streamId), [1, 3, 4, 5]);
});

iperf3.run();
