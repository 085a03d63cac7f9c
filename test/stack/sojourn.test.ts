// Times by stage: the cells, the percentiles, and what a message leaves behind on its way through a stack and an app.
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { fixed, level, payload, type StageTime, serve, sleep } from '../../index.js';
import { AppSojourn, CELLS, cellOf, HANDLER, highestOf, RING, STAGES, stageTimes } from '../../stack/sojourn.js';
import { pair, SERVER_ADDRESS } from '../../stack/testing.js';

test('a cell is at most an eighth of its value wide, and each value falls into one', () => {
  for (let stamps = 1; stamps < 2 ** 32; stamps = stamps * 1.7 + 1) {
    const value = Math.floor(stamps);
    const cell = cellOf(value);
    assert.ok(cell < CELLS && highestOf(cell) >= value && (highestOf(cell) - value) * 8 <= value, `${value}`);
    assert.is(cellOf(highestOf(cell)), cell);
    assert.is(cell + 1 === CELLS ? CELLS - 1 : cellOf(highestOf(cell) + 1), Math.min(cell + 1, CELLS - 1));
  }
  assert.is(cellOf(2 ** 32 - 1), CELLS - 1);
});

test('times are added over app threads, by stage and level; one that ends before it begins is none', () => {
  const [one, other] = [new AppSojourn(2), new AppSojourn(2)];
  one.record(HANDLER, 1, 100, 110);
  for (let i = 0; i < 99; i++) other.record(HANDLER, 1, 2 ** 32 - 5, 0);
  other.record(RING, 0, 7, 6);
  const times = stageTimes(['high', 'low'], new Float64Array(4 * 2 * CELLS), [one.cells, other.cells]);
  const of = (stage: string, name: string) => times.find((time) => time.stage === stage && time.level === name);
  assert.is(times.length, STAGES.length * 2);
  assert.equal(of('handler', 'low'), {
    ...{ stage: 'handler', level: 'low', count: 100 },
    ...{ p50_us: 0.32, p99_us: 0.32, p999_us: 0.64, max_us: 0.64 },
  });
  assert.equal([of('ring', 'high')?.count, of('ring', 'high')?.max_us, of('tcp', 'low')?.count], [1, 0, 0]);
});

test('a message is counted once in each stage of its level, and a wait lies in its handler and on the wire', async () => {
  const server = serve({
    levels: ['high', 'low'],
    classify: [level('high').when(payload(0).u8().is(1))],
    setup(app) {
      app.listen({ port: 7, framing: fixed(8) }, function* (message) {
        if (message.u8(0) === 1) yield* sleep(20);
        message.reply(message);
      });
    },
  });
  await using both = await pair(server);
  const connection = await both.client.app.connect({ address: SERVER_ADDRESS, port: 7, framing: fixed(8) });
  for (const first of [1, 0, 0]) connection.send(Uint8Array.of(first, 0, 0, 0, 0, 0, 0, 0));
  for (let i = 0; i < 3; i++) await connection.receive();
  const times = both.server.sojourn();
  const of = (stage: string, name: string) => times.find((t) => t.stage === stage && t.level === name) as StageTime;
  for (const stage of STAGES.filter((name) => name !== 'redis')) {
    assert.is(of(stage, 'high').count, 1, stage);
    assert.is(of(stage, 'low').count >= 1, true, stage);
  }
  assert.is(of('handler', 'low').count, 2);
  assert.ok(of('handler', 'high').max_us >= 19_000 && of('wire', 'high').max_us >= of('handler', 'high').p50_us * 0.85);
  assert.ok(of('tcp', 'high').max_us < 19_000);
  assert.is(of('redis', 'high').count, 0);
});

test.run();
