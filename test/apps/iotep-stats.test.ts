// What iotepserver counts and says: percentiles against sorted values, sums over app threads, lines that name reasons.
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { Latency } from '../../apps/iotepserver/latency.js';
import { type Sample, secondOf, secondText, summaryText } from '../../apps/iotepserver/second.js';
import { sumTallies, Tally } from '../../apps/iotepserver/tally.js';

test('percentiles are those of the sorted values within 7 %', () => {
  const latency = new Latency();
  const values: number[] = [];
  let x = 12_345;
  for (let i = 0; i < 20_000; i++) {
    x = (Math.imul(x, 1_103_515_245) + 12_345) >>> 0;
    values.push((x >>> 8) % 10 ** (1 + (i % 6)));
  }
  for (const value of values) latency.record(value);
  values.sort((a, b) => a - b);
  for (const quantile of [0.5, 0.9, 0.99, 0.999, 1]) {
    const exact = values[Math.ceil(quantile * values.length) - 1] as number;
    const got = latency.quantileUs(quantile);
    assert.ok(got >= exact && got <= exact * 1.07 + 1, `${quantile}: ${got} for ${exact}`);
  }
  assert.is(latency.maxUs, values.at(-1));
  latency.clear();
  assert.is(latency.quantileUs(0.99), 0);
});

test('odd values are counted too: negative, and beyond the range', () => {
  const latency = new Latency();
  latency.record(-5);
  latency.record(2 ** 32 * 0.064);
  assert.is(latency.count, 2);
  assert.ok(latency.quantileUs(1) > 2e8);
});

test('a tally counts messages, replies and failures by level and code; latencies start anew with each report', () => {
  const tally = new Tally(['high', 'low']);
  tally.served(0, 10);
  tally.replied(0);
  tally.failed(1, Object.assign(new Error('gone'), { code: 'QST_ERR_REDIS_LOST' }));
  tally.malformed++;
  const report = tally.report();
  assert.is(report.levels[0]?.messages, 1);
  assert.is(report.levels[0]?.replies, 1);
  assert.is(report.levels[0]?.redis_p99_us, 10);
  assert.is(report.levels[1]?.messages, 1);
  assert.is(report.levels[1]?.unavailable, 1);
  assert.equal(report.redis_failures, { QST_ERR_REDIS_LOST: 1 });
  const next = tally.report();
  assert.is(next.levels[0]?.messages, 1);
  assert.is(next.levels[0]?.redis_p99_us, 0);
});

test('several app threads: counts are added, of latencies the worst is said', () => {
  const [a, b] = [new Tally(['high']), new Tally(['high'])];
  a.served(0, 10);
  b.served(0, 90);
  b.failed(0, new Error('x'));
  const sum = sumTallies([a.report(), b.report()]);
  assert.is(sum.levels[0]?.messages, 3);
  assert.is(sum.levels[0]?.redis_p99_us, 90);
  assert.equal(sum.redis_failures, { UNKNOWN: 1 });
});

function sample(part: Partial<Sample>): Sample {
  const tally = { levels: [], malformed: 0, redis_failures: {}, redis_moved: 0, redis_asked: 0, redis_retried: 0 };
  return {
    atMs: 0,
    connections: 0,
    tally,
    counters: {},
    handlersFailed: 0,
    overload: [],
    hiccupP99Us: 0,
    rules: [],
    stages: [],
    ...part,
  };
}

test('a second is the difference of two samples, with every drop by its reason', () => {
  const tally = new Tally(['high', 'low']);
  tally.served(1, 5);
  const before = sample({ tally: tally.report(), counters: { drop_window: 1, retransmits: 1 } });
  for (let i = 0; i < 10; i++) tally.served(1, 5);
  const counters = { drop_window: 4, drop_paws: 0, retransmits: 3 };
  const rules = [
    { rule: 'dscp == 46 -> high', level: 'high', hits: 3 },
    { rule: 'otherwise', level: 'low', hits: 1_234 },
  ];
  const now = sample({ atMs: 2_000, connections: 7, tally: tally.report(), counters, rules });
  const second = secondOf(now, before);
  assert.is(second.levels[1]?.messages_per_s, 5);
  assert.equal(second.drops, { window: 3 });
  assert.is(second.retransmits, 2);
  const text = secondText(second);
  assert.match(text, /connections 7 \| high 0\/s \| low 5\/s redis p50 5 us/);
  assert.match(text, /drops: window 3/);
  assert.match(text, /rules 3\/1,234/);
  assert.equal(second.rules, rules);
});

test('what too much work has led to is said by level: by second, and since the start', () => {
  const tally = new Tally(['high', 'low']).report();
  const overload = (moved: number, deferred: number) => [
    { level: 'high', deferred: 0, moved: 0, shed: 0 },
    { level: 'low', deferred, moved, shed: 0 },
  ];
  const now = sample({ atMs: 2_000, tally, overload: overload(2_500, 40) });
  const second = secondOf(now, sample({ tally, overload: overload(500, 10) }));
  assert.equal(
    second.levels.map((level) => [level.deferred_per_s, level.moved_per_s]),
    [
      [0, 0],
      [15, 1_000],
    ],
  );
  assert.match(secondText(second), /\| high 0\/s \| low 0\/s deferred 15\/s moved 1,000\/s \|/);
  assert.match(summaryText(now), /low: .*, 40 segments deferred, 2,500 moved to slabs/);
  assert.not.match(summaryText(now), /high: .*deferred/);
});

test('the summary names counts, failures and drops', () => {
  const tally = new Tally(['high']);
  tally.failed(0, Object.assign(new Error('x'), { code: 'QST_ERR_REDIS_TIMEOUT' }));
  const counters = { connections_opened: 1_000, connections_closed: 999, drop_tcp_checksum: 2, rx_packets: 5 };
  const text = summaryText(sample({ tally: tally.report(), counters }));
  assert.match(text, /1,000 connections were opened, 999 closed/);
  assert.match(text, /high: 1 messages, 0 replies, 1 without Redis/);
  assert.match(text, /QST_ERR_REDIS_TIMEOUT: 1/);
  assert.match(text, /dropped, tcp_checksum: 2/);
  assert.not.match(text, /rx_packets/);
});

test.run();
