// The test runner itself: what it must notice for its last line to mean something.
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { readDoctest, readUvu, suitesNotRun } from '../../tools/test-runner.mjs';

test('a suite whose run() was forgotten is named', () => {
  const source = "import { suite } from 'uvu';\nconst first = suite('a');\nconst second = suite('b');\nfirst.run();";
  assert.equal(suitesNotRun(source), ['second']);
});

test('the default suite counts when it is imported', () => {
  assert.equal(suitesNotRun("import { test } from 'uvu';\ntest('x', () => {});"), ['test']);
  assert.equal(suitesNotRun("import { test } from 'uvu';\ntest.run();"), []);
});

test('the totals of uvu are added up, colours or not', () => {
  const out = '\n  Total:     3\u001b[32m\n  Passed:    2\u001b[39m\n  Skipped:   1\n  Duration:  1ms\n';
  assert.equal(readUvu(out), { passed: 2, failed: 1, skipped: 1 });
});

test('the summary line of doctest is read', () => {
  const out = '[doctest] test cases:  5 |  4 passed | 1 failed | 7 skipped\n';
  assert.equal(readDoctest(out), { passed: 4, failed: 1, skipped: 0 });
});

test('output without a summary counts nothing', () => {
  assert.equal(readUvu('hello'), { passed: 0, failed: 0, skipped: 0 });
  assert.equal(readDoctest('hello'), { passed: 0, failed: 0, skipped: 0 });
});

test.run();
