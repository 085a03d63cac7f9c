// mcc as its page sees it: latencies of a second are what its histograms gained, in the cells of every page.
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { Histogram } from '../../tools/histogram/histogram.js';
import { MccSource } from '../../tools/mcc/dashboard-source.js';
import { PHASES, type View } from '../../tools/mcc/native.js';

const PROGRAM = { name: 'mcc', version: '0', pid: 1, started_ms: 0, about: '' };
const US = 1_000;

const viewOf = (run: number) =>
  ({ run, phase: PHASES.indexOf('running'), elapsedNs: 1e9, connected: 1, levels: [] }) as unknown as View;

/** Counts by microseconds. */
const latencyOf = (counts: Record<number, number>) =>
  Histogram.of(Object.entries(counts).flatMap(([us, count]) => [Number(us) * US, count]));

async function bench() {
  let latencies: Histogram[] = [];
  const source = new MccSource(PROGRAM, 1, ['high', 'low'], () => latencies);
  const read = async (run: number, now: Histogram[]) => {
    latencies = now;
    source.take(viewOf(run));
    return source.read();
  };
  return { source, read, first: await read(1, [latencyOf({ 10: 900 }), Histogram.empty]) };
}

test('a second has the percentiles of what came in it, up to p99.9, and its spectrum counts the same messages', async () => {
  const { source, read, first } = await bench();
  const second = await read(1, [latencyOf({ 10: 900, 100: 995, 2000: 5 }), latencyOf({ 50: 1 })]);
  const { stages = [], spectrum = [] } = source.snapshot(second, first);
  const [high, low] = stages;
  assert.equal([high?.level, high?.count, high?.p50_us, high?.p99_us], ['high', 1_000, 100, 100]);
  assert.equal([high?.p999_us, high?.max_us, low?.p999_us], [2_000, 2_000, 50]);
  const countOf = (cells: readonly number[]) => cells.reduce((sum, value, index) => sum + (index % 2) * value, 0);
  assert.equal(
    spectrum.map(({ level, cells }) => [level, countOf(cells), cells.length]),
    [
      ['high', 1_000, 4],
      ['low', 1, 2],
    ],
  );
  const [fast = 0, , slow = 0] = spectrum[0]?.cells ?? [];
  assert.ok(fast >= 100 && fast < 113 && slow >= 2_000 && slow < 2_250, `${fast} and ${slow} us`);
});

test('a run that began meanwhile has all that it has so far, and a second without answers has no percentile', async () => {
  const { source, read, first } = await bench();
  const next = await read(2, [latencyOf({ 10: 3 }), Histogram.empty]);
  assert.equal(
    source.snapshot(next, first).stages?.map(({ count }) => count),
    [3],
  );
  assert.equal(source.snapshot(next, next).stages, []);
});

test.run();
