// The timeline of a report: a bounded number of slices in which nothing is lost.
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { Histogram } from '../../tools/histogram/histogram.js';
import { isPause, type Slice, Timeline } from '../../tools/report/timeline.js';

function slice(second: number, count = 1): Slice {
  const latency = Histogram.of([second * 1_000 + 1, count]);
  return {
    startMs: second * 1_000,
    endMs: (second + 1) * 1_000,
    levels: [{ counts: { sent: count }, latency }],
    gauges: { connected: second },
  };
}

function fill(most: number, seconds: Iterable<number>): Timeline {
  const timeline = new Timeline(most);
  for (const second of seconds) timeline.add(slice(second));
  return timeline;
}

const range = (first: number, last: number) => Array.from({ length: last - first }, (_, index) => first + index);

test('as long as there is room every slice is kept', () => {
  assert.is(fill(10, range(0, 10)).slices.length, 10);
});

test('of a long test neighbours become one: the whole time, every count, every latency, the last gauge', () => {
  const { slices } = fill(10, range(0, 1_000));
  assert.ok(slices.length <= 10 && slices.length >= 4, String(slices.length));
  assert.is(slices[0]?.startMs, 0);
  assert.is(slices.at(-1)?.endMs, 1_000_000);
  for (const [index, one] of slices.slice(1).entries()) assert.is(one.startMs, slices[index]?.endMs);
  const sum = (of: (one: Slice) => number) => slices.reduce((total, one) => total + of(one), 0);
  assert.is(
    sum((one) => one.levels[0]?.counts.sent ?? 0),
    1_000,
  );
  assert.is(
    sum((one) => one.levels[0]?.latency.count ?? 0),
    1_000,
  );
  assert.is(slices.at(-1)?.gauges.connected, 999);
});

test('the short rest of a run belongs to what was before it', () => {
  const timeline = fill(10, [0]);
  timeline.add({ ...slice(1), endMs: 1_003 });
  assert.is(timeline.slices.length, 1);
  assert.is(timeline.slices[0]?.endMs, 1_003);
  assert.is(timeline.slices[0]?.levels[0]?.counts.sent, 2);
});

test('a pause stays a pause', () => {
  const { slices } = fill(10, [...range(0, 30), ...range(60, 90)]);
  const pauses = slices.filter((one, index) => isPause(slices[index - 1], one));
  assert.is(pauses.length, 1);
  assert.is(pauses[0]?.startMs, 60_000);
});

test.run();
