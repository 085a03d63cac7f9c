// A monitor as its page sees it: what came between two readings, by the time of the capture.
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { Histogram } from '../../tools/histogram/histogram.js';
import { MonitorSource } from '../../tools/monitor/dashboard-source.js';
import type { Capture } from '../../tools/monitor/native.js';
import { readOptions } from '../../tools/monitor/options.js';
import { addResults, noResult, type Result, type WholeTick } from '../../tools/monitor/results.js';

const PROGRAM = { name: 'monitor', version: '0', pid: 1, started_ms: 0, about: '' };
const US = 1_000;

/** With `responses` of so many microseconds each, 10 frames, and one of them missed. */
function tickOf(number: number, responses: number, us: number): WholeTick {
  const none = noResult(['all']);
  const counts = { ...none.counts, connections_seen: 2, request_retransmissions: 1 };
  const latency = responses === 0 ? Histogram.empty : Histogram.of([us * US, responses]);
  const level = { ...none.levels[0], name: 'all', requests: responses + 1, responses, unanswered: 0, leastNs: us * US };
  const levels = [{ ...level, sumNs: responses * us * US, latency }];
  return { startMs: 1, counts, levels, number, followed: number + 1, bursts: [], tails: [] };
}

function captureOf(ticks: number): Capture {
  const none = { notTcp: 0, fragments: 0, cut: 0, otherPorts: 0, dropped: 0, firstMs: 0, lastMs: 0, gapMaxNs: 0 };
  return { ...none, frames: 10 * ticks, bytes: 1_000 * ticks, missed: ticks };
}

function bench(kind: 'live' | 'file') {
  const place = kind === 'file' ? { pcap: '-' } : { interface: 'lo' };
  const { options, faults } = readOptions({ ...place, answer: 'all', connections: '100' });
  if (options === undefined) throw new Error(faults.join('\n'));
  const source = new MonitorSource(PROGRAM, options);
  let total: Result = noResult(['all']);
  return {
    source,
    tick: (number: number, responses: number, us: number) => {
      const tick = tickOf(number, responses, us);
      total = addResults(total, tick);
      source.show(tick, total, captureOf(number + 1));
    },
  };
}

const countOf = (cells: readonly number[] = []) => cells.reduce((sum, value, index) => sum + (index % 2) * value, 0);

test('a snapshot has the percentiles, rates and counts of the ticks since the last one, and sums of all', async () => {
  const { source, tick } = bench('file');
  tick(0, 100, 10);
  const first = await source.read();
  tick(1, 995, 100);
  tick(4, 5, 2_000);
  const { stages, spectrum, rates, counts, connections, drops, more, interval_s } = source.snapshot(
    await source.read(),
    first,
  );
  const [all] = stages ?? [];
  assert.equal([all?.count, all?.p50_us, all?.p99_us, all?.p999_us, all?.max_us], [1_000, 100, 100, 2_000, 2_000]);
  assert.is(countOf(spectrum?.[0]?.cells), 1_000);
  // Four seconds of the capture, in two of which nothing passed.
  assert.is(interval_s, 4);
  assert.equal([rates?.[0]?.offered_per_s, rates?.[0]?.answered_per_s], [251, 250]);
  const frames = counts?.find(({ what }) => what === 'frames');
  assert.equal([frames?.per_s, frames?.total], [10, 50]);
  assert.is(counts?.find(({ what }) => what === 'request_retransmissions')?.total, 3);
  assert.equal([connections?.open, connections?.capacity], [5, 100]);
  assert.equal(drops, { missed: 1 });
  assert.is(more?.frames_per_s, 10);
});

test('of a live source whose tick has not ended yet the last one is shown again, and counted once', async () => {
  const { source, tick } = bench('live');
  tick(0, 7, 10);
  const first = await source.read();
  tick(1, 20, 50);
  const second = await source.read();
  const third = await source.read();
  const again = source.snapshot(third, second);
  assert.is(source.snapshot(second, first).rates?.[0]?.answered_per_s, 20);
  assert.is(again.rates?.[0]?.answered_per_s, 20);
  assert.is(again.stages?.[0]?.p50_us, 50);
  assert.is(countOf(again.spectrum?.[0]?.cells), 0);
  assert.equal(again.drops, {});
});

test('of a file that stands still nothing is shown again', async () => {
  const { source, tick } = bench('file');
  tick(0, 7, 10);
  const reading = await source.read();
  const still = source.snapshot({ ...reading, atMs: reading.atMs + 1_000 }, reading);
  assert.equal([still.rates?.[0]?.answered_per_s, still.stages?.length, still.interval_s], [0, 0, 1]);
});

test.run();
