// /metrics of a running server: the text format, histograms that add up, and every name in docs/metrics.md, both ways.
// watchdog: 240s
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { COUNTERS, DROPS, GAUGES } from '../../stack/dashboard/counter-help.js';
import { bucketBounds } from '../../stack/dashboard/exposition.js';
import type { Snapshot } from '../../stack/dashboard/snapshot.js';
import { loadNative } from '../../stack/native.js';
import {
  assertExposition,
  assertLabels,
  documented,
  type Family,
  familiesOf,
  METRICS_PAGE,
  valueFor,
} from './exposition-text.js';
import { Served } from './served.js';

const metrics = suite<{ served: Served; text: string }>('metrics');

metrics.before(async (context) => {
  context.served = await Served.start();
  const mcc = context.served.load('--rate 500 -d 1');
  await mcc.ended;
  const response = await context.served.get('/metrics');
  assert.is(response.headers.get('content-type'), 'text/plain; version=0.0.4; charset=utf-8');
  context.text = await response.text();
});
metrics.after(({ served }) => served?.close());

metrics('every line is a comment or a sample of a family that was announced', ({ text }) => assertExposition(text));

metrics('counts are those of the load: 500 messages of two levels, all answered and measured', ({ text }) => {
  const high = valueFor(text, 'qstack_level_messages_total{level="high"}');
  const low = valueFor(text, 'qstack_level_messages_total{level="low"}');
  assert.is(high + low, 500);
  assert.ok(high > 0 && low > 0);
  assert.is(valueFor(text, 'qstack_stage_seconds_count{stage="wire",level="high"}'), high);
  assert.is(valueFor(text, 'qstack_connections_opened_total'), 200);
  assert.is(valueFor(text, 'qstack_messages_in_total'), 500);
  const replies = [...text.matchAll(/^qstack_redis_replies_total\{.*\} (\d+)$/gm)].map(([, n]) => Number(n));
  assert.is(replies.length, 2);
  assert.is(
    replies.reduce((sum, n) => sum + n, 0),
    1_000,
  );
  const measured = [...text.matchAll(/^qstack_redis_seconds_count\{.*\} (\d+)$/gm)].map(([, n]) => Number(n));
  assert.equal(measured, replies);
});

metrics('a histogram grows from bucket to bucket, and its last bucket is its count', ({ text }) => {
  const buckets = [...text.matchAll(/^qstack_stage_seconds_bucket\{stage="wire",level="low",le="(.*)"\} (\d+)$/gm)];
  const bounds = buckets.map(([, le]) => le);
  assert.equal(bounds, [...bucketBounds().map(String), '+Inf']);
  const counts = buckets.map(([, , count]) => Number(count));
  assert.equal(
    counts,
    [...counts].sort((a, b) => a - b),
  );
  const count = valueFor(text, 'qstack_stage_seconds_count{stage="wire",level="low"}');
  assert.is(counts.at(-1), count);
  const sum = valueFor(text, 'qstack_stage_seconds_sum{stage="wire",level="low"}');
  assert.ok(sum > 0 && sum < count * 8.59);
});

metrics('docs/metrics.md has every metric with its type and meaning, and no other', ({ text }) => {
  const { families, labels } = documented('');
  const byName = (a: Family, b: Family) => (a.name < b.name ? -1 : 1);
  assert.equal(families.sort(byName), familiesOf(text).sort(byName));
  assertLabels(text, labels);
});

metrics('every counter of the stack and every reason of a drop has a meaning, in the page as well', () => {
  const names = loadNative().counterNames;
  const known = [...Object.keys(GAUGES), ...Object.keys(COUNTERS), ...Object.keys(DROPS).map((name) => `drop_${name}`)];
  assert.equal(known.sort(), [...names].sort());
  const reasons = [...METRICS_PAGE.matchAll(/^\| `(\w+)` \| ([^|]*) \|$/gm)].map(
    ([, name = '', help = '']) => [name, help] as const,
  );
  assert.equal(Object.fromEntries(reasons), DROPS);
});

/** A second in which a busy machine answered nothing has no percentile: the first text that has one. */
async function answeredText(url: string): Promise<string> {
  for (let tries = 1; ; tries += 1) {
    const text = await (await fetch(url)).text();
    if (valueFor(text, 'qstack_mcc_response_seconds{level="low",quantile="0.99"}') > 0 || tries === 50) return text;
    await new Promise((done) => setTimeout(done, 200));
  }
}

metrics('mcc has its own, as the page says', async ({ served }) => {
  const mcc = served.load('--rate 500 -d 20 --dashboard 127.0.0.1:0');
  await mcc.ranFor(2);
  const origin = /dashboard (http:\/\/\S+)\/#token=/.exec(mcc.err)?.[1] ?? '';
  const text = await answeredText(`${origin}/metrics`);
  assert.equal(documented('mcc').families, familiesOf(text));
  const quantiles = [...text.matchAll(/^qstack_mcc_response_seconds\{level="low",quantile="(.*)"\} (\S+)$/gm)];
  assert.equal(
    quantiles.map(([, quantile]) => quantile),
    ['0.5', '0.99', '0.999', '1'],
  );
  const seconds = quantiles.map(([, , value]) => Number(value));
  assert.equal(
    seconds,
    [...seconds].sort((a, b) => a - b),
  );
  assert.ok(valueFor(text, 'qstack_mcc_answered_total{level="low"}') > 0);
  assert.ok(valueFor(text, 'qstack_mcc_response_seconds{level="low",quantile="0.99"}') > 0);
  const hasAnswers = ({ stages, rates, spectrum }: Snapshot) =>
    stages?.some(({ stage, p99_us, p999_us = 0 }) => stage === 'response' && p99_us > 0 && p999_us >= p99_us) ===
      true &&
    spectrum?.some(({ cells }) => cells.length > 0) === true &&
    rates?.some(({ offered_per_s }) => offered_per_s > 0) === true;
  let snapshots: Snapshot[] = [];
  for (let tries = 0; tries < 50 && !snapshots.some(hasAnswers); tries += 1) {
    await new Promise((done) => setTimeout(done, 200));
    snapshots = (await (await fetch(`${origin}/api/snapshots`)).json()) as Snapshot[];
  }
  assert.ok(snapshots.some(hasAnswers), JSON.stringify(snapshots.at(-1)));
  const last = snapshots.at(-1);
  assert.is(last?.program.name, 'mcc');
  assert.is(last?.connections?.open, 200);
  const refused = await fetch(`${origin}/api/rules`, { method: 'POST', body: '{"lines":[]}' });
  assert.is(refused.status, 401);
  await mcc.stop();
});

metrics.run();
