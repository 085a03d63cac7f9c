// --fail-if: what is accepted, when a condition comes true, and of which run.
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { LevelReport, RunReport } from '../../tools/mcc/report.js';
import { failureLine, judge, parseThreshold, type Threshold } from '../../tools/mcc/thresholds.js';

const LEVELS = ['high', 'low'];

function level(name: string, part: Partial<LevelReport> = {}): LevelReport {
  const counts = { offered: 1_000, sent: 1_000, answered: 990, lost: 8, errors: 2, failed_sends: 3, unsent: 0 };
  const times = { p50_us: 10, p90_us: 20, p99_us: 300, p999_us: 400, p9999_us: 500, max_us: 2_500 };
  return { name, ...counts, ...times, send_delay_max_us: 1, silence_max_us: 1, ...part };
}

function run(phase: string, levels: LevelReport[], part: Partial<RunReport> = {}): RunReport {
  const rates = { duration_s: 1, offered_per_s: 2_000, answered_per_s: 1_980 };
  const counts = { mismatched: 0, late: 0, unexpected: 0, failed_sends: 0, reconnects: 7, renewals: 0 };
  return { phase, ...rates, levels, ...counts, hiccup_p99_us: 1, hiccup_max_us: 1, ...part };
}

function threshold(text: string): Threshold {
  const parsed = parseThreshold(text, LEVELS);
  if (typeof parsed === 'string') throw new Error(parsed);
  return parsed;
}

const failed = (text: string, ...runs: RunReport[]) => judge(threshold(text), runs).failed;

test('times of a level, or of the worst; counts and shares of those sent; rates', () => {
  const one = run('paced:2000', [level('high'), level('low', { p99_us: 9_000, lost: 20 })]);
  for (const text of ['p99(low)>8ms', 'p99>8ms', 'max>=2500us', 'lost>27', 'lost(high)>7', 'lost>1%', 'errors>=4']) {
    assert.ok(failed(text, one), text);
  }
  for (const text of ['p99(high)>2ms', 'p99.99(high)>1s', 'lost(high)>8', 'lost>2%', 'unsent>0', 'mismatched>0']) {
    assert.not.ok(failed(text, one), text);
  }
  assert.ok(failed('rate<2k/s', one));
  assert.not.ok(failed('rate(high) < 990', one));
  assert.ok(failed('reconnects > 6', one) && failed('failed(low)>2', one));
});

test('the first run of which it is true is named; a search for the capacity is not judged', () => {
  const runs = [
    run('capacity:2048', [level('high', { p99_us: 1e6 })]),
    run('paced:1000', [level('high')]),
    run('paced:2000', [level('high', { p99_us: 3_210 })]),
  ];
  const verdict = judge(threshold('p99(high)>2ms'), runs);
  assert.equal(verdict, { expression: 'p99(high)>2ms', failed: true, value: 3_210, phase: 'paced:2000' });
  assert.is(failureLine(threshold('p99(high)>2ms'), verdict), 'p99(high)>2ms came true: 3210 us in paced:2000');
  const fine = judge(threshold('p99(high)>2s'), runs);
  assert.equal([fine.failed, fine.value, fine.phase], [false, 3_210, 'paced:2000']);
  assert.is(failureLine(threshold('p99(high)>2s'), fine), undefined);
});

test('a level of which nothing was answered has failed; one that is not answered, or got no message, is not judged', () => {
  const none = { answered: 0, p99_us: null };
  assert.ok(failed('p99(high)>1h', run('a', [level('high', none)])));
  assert.not.ok(failed('p99(low)>1us', run('a', [level('high'), level('low', { ...none, lost: null })])));
  assert.not.ok(failed('p99(low)>1us', run('a', [level('high'), level('low', { ...none, sent: 0 })])));
});

test('what is misspelt is refused with what is accepted', () => {
  for (const [text, sentence] of [
    ['p98>2ms', /"p98" in "p98>2ms" is not known; METRIC\[\(LEVEL\)\] .* p50, p90, p99, p99.9, p99.99, max, lost/],
    ['p99', /"p99" is no condition/],
    ['p99=2ms', /is no condition/],
    ['p99(urgent)>2ms', /there is no level "urgent", but high, low/],
    ['mismatched(high)>0', /"mismatched" is counted for all levels together/],
    ['p99>2', /"2" in "p99>2" is not accepted; a time with its unit/],
    ['lost>x', /a number or a percentage/],
    ['rate<fast', /a rate/],
  ] as const) {
    const parsed = parseThreshold(text, LEVELS);
    assert.match(typeof parsed === 'string' ? parsed : '', sentence, text);
  }
});

test.run();
