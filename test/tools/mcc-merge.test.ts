// Shares of one run, merged: sums, percentiles of all messages, the phase of the whole.
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { mergePhases, mergeResults, mergeViews, shareOf } from '../../tools/mcc/merge.js';
import { type LevelResult, PHASES, type RunResult, type View } from '../../tools/mcc/native.js';

function level(cells: number[], part: Partial<LevelResult> = {}): LevelResult {
  const counts = { offered: 10, sent: 9, answered: 8, errors: 1, failed: 1, unsent: 0 };
  const times = { p50Ns: 1, p90Ns: 1, p99Ns: 1, p999Ns: 1, maxNs: 1, sendDelayNs: 5, silenceNs: 7 };
  return { ...counts, ...times, cells: Float64Array.from(cells), ...part };
}

function result(levels: LevelResult[], hiccup = 0): RunResult {
  return { levels, bytesReceived: 10, hiccupP99Ns: hiccup, hiccupMaxNs: hiccup * 2 };
}

test('counts are sums, and percentiles are those of all messages, not means of percentiles', () => {
  const fast = result([level([100, 90, 200, 10], { maxNs: 190, sendDelayNs: 3, silenceNs: 40 })], 5);
  const slow = result([level([200, 50, 9_000, 50], { maxNs: 8_500, sendDelayNs: 9, silenceNs: 30 })], 2);
  const merged = mergeResults([fast, slow]);
  const whole = merged.levels[0] as LevelResult;
  assert.equal([...whole.cells], [100, 90, 200, 60, 9_000, 50]);
  assert.equal([whole.offered, whole.sent, whole.answered, whole.errors, whole.failed], [20, 18, 16, 2, 2]);
  assert.equal([whole.p50Ns, whole.p90Ns, whole.p99Ns, whole.maxNs], [200, 8_500, 8_500, 8_500]);
  assert.equal([whole.sendDelayNs, whole.silenceNs], [9, 30]);
  assert.equal([merged.hiccupP99Ns, merged.hiccupMaxNs, merged.bytesReceived], [5, 10, 20]);
});

test('a share without an answer says nothing about silence, and an empty histogram has no percentiles', () => {
  const none = level([], { answered: 0, silenceNs: 1, maxNs: 0 });
  assert.is(mergeResults([result([none]), result([level([5, 1], { silenceNs: 7 })])]).levels[0]?.silenceNs, 7);
  const merged = mergeResults([result([none]), result([none])]).levels[0];
  assert.equal([merged?.p50Ns, merged?.p999Ns, merged?.silenceNs], [0, 0, 0]);
});

test('the whole runs while one runs, and is ready when all are', () => {
  const phase = (...names: (typeof PHASES)[number][]) => PHASES[mergePhases(names.map((name) => PHASES.indexOf(name)))];
  assert.is(phase('ready', 'running'), 'running');
  assert.is(phase('ready', 'draining'), 'draining');
  assert.is(phase('ready', 'connecting'), 'connecting');
  assert.is(phase('ready', 'idle'), 'idle');
  assert.is(phase('ready', 'ready'), 'ready');
  assert.is(phase('closed', 'closing'), 'closing');
  assert.is(phase('closed', 'closed'), 'closed');
});

test('views are added up; of latencies the slowest counts', () => {
  const view = (part: Partial<View>): View => ({
    ...{
      number: 1,
      phase: 3,
      run: 1,
      elapsedNs: 5,
      answeredNs: 4,
      connected: 10,
      retries: 1,
      reconnects: 2,
      renewals: 3,
    },
    ...{ mismatched: 3, late: 4, unexpected: 5, inFlight: 6, waiting: 7 },
    levels: [
      { offered: 1, sent: 1, answered: 1, errors: 0, failed: 0, unsent: 0, p50Ns: 5, p99Ns: 6, p999Ns: 7, maxNs: 8 },
    ],
    ...part,
  });
  const merged = mergeViews([view({}), view({ number: 2, elapsedNs: 9 })]);
  assert.equal([merged.number, merged.elapsedNs, merged.connected, merged.waiting], [3, 9, 20, 14]);
  assert.equal([merged.levels[0]?.answered, merged.levels[0]?.p99Ns], [2, 6]);
});

test('shares of a whole differ by one at most, and add up', () => {
  const shares = [0, 1, 2].map((index) => shareOf(100, index, 3));
  assert.equal(shares, [33, 33, 34]);
  assert.equal(
    [0, 1, 2].map((index) => shareOf(2, index, 3)),
    [0, 1, 1],
  );
});

test.run();
