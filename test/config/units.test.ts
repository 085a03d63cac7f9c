import * as fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import {
  formatDuration,
  formatSize,
  parseCount,
  parseDurationMs,
  parseRatePerS,
  parseShare,
  parseSizeBytes,
} from '../../stack/config/units.js';

test('durations carry their unit', () => {
  assert.is(parseDurationMs('30s'), 30_000);
  assert.is(parseDurationMs('250ms'), 250);
  assert.is(parseDurationMs('1.5 m'), 90_000);
  assert.is(parseDurationMs('500us'), 0.5);
  assert.is(parseDurationMs('2h'), 7_200_000);
});

test('a number without a unit is a duration only where the caller says in what it counts', () => {
  assert.is(parseDurationMs('30'), undefined);
  assert.is(parseDurationMs('30', 1_000), 30_000);
});

test('sizes are binary with an i and decimal without', () => {
  assert.is(parseSizeBytes('2GiB'), 2 ** 31);
  assert.is(parseSizeBytes('64KiB'), 65_536);
  assert.is(parseSizeBytes('64k'), 64_000);
  assert.is(parseSizeBytes('1500B'), 1_500);
});

test('rates are per second unless they say otherwise', () => {
  assert.is(parseRatePerS('5k/s'), 5_000);
  assert.is(parseRatePerS('100000'), 100_000);
  assert.is(parseRatePerS('300/min'), 5);
  assert.is(parseRatePerS('5/week'), undefined);
  assert.is(parseRatePerS('5/s/s'), undefined);
});

test('counts are whole', () => {
  assert.is(parseCount('14_000_000'), 14_000_000);
  assert.is(parseCount('14M'), 14_000_000);
  assert.is(parseCount('1.5'), undefined);
  assert.is(parseCount('-1'), undefined);
});

test('shares are at most one', () => {
  assert.is(parseShare('5%'), 0.05);
  assert.is(parseShare('0.05'), 0.05);
  assert.is(parseShare('101%'), undefined);
});

test('words that JavaScript objects know are no units', () => {
  for (const text of ['1constructor', '1toString', '1__proto__']) {
    assert.is(parseDurationMs(text), undefined);
    assert.is(parseSizeBytes(text), undefined);
    assert.is(parseRatePerS(`1/${text.slice(1)}`), undefined);
  }
});

test('no text makes a reader throw or return what is not a finite number', () => {
  const readers = [parseDurationMs, parseSizeBytes, parseRatePerS, parseCount, parseShare];
  void fc.assert(
    fc.property(fc.string(), (text) => {
      for (const read of readers) {
        const value = read(text);
        assert.ok(
          value === undefined || (Number.isFinite(value) && value >= 0),
          `${read.name}(${JSON.stringify(text)})`,
        );
      }
    }),
    { numRuns: 2_000 },
  );
});

test('people get at most three digits', () => {
  assert.is(formatSize(2 ** 31), '2 GiB');
  assert.is(formatSize(1_234_567), '1.18 MiB');
  assert.is(formatSize(100), '100 B');
  assert.is(formatDuration(30_000), '30 s');
  assert.is(formatDuration(0.5), '500 us');
});

test.run();
