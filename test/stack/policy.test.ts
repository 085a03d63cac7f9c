// Policies as the program and the configuration say them, and as control resolves them.
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { serve } from '../../index.js';
import { loadSettings } from '../../stack/config/load.js';
import { type Policy, resolvePolicy } from '../../stack/policy.js';

const LEVELS = ['high', 'low'];
const settingsOf = (object: Record<string, unknown>) => {
  const { settings, faults } = loadSettings({ object }, { machine: { cores: 2, memoryBytes: 2 ** 34 } });
  assert.equal(faults, []);
  return settings!;
};
const fault = (work: () => unknown): string => {
  try {
    work();
  } catch (error) {
    assert.is((error as { code?: string }).code, 'QST_ERR_CONFIG_INVALID');
    return (error as Error).message;
  }
  return 'nothing was thrown';
};

test('without a word the policy is strict with a bound of 20 ms and no greatest age', () => {
  const { options, maxAgesMs } = resolvePolicy(LEVELS, undefined, settingsOf({}));
  assert.equal([options.kind, options.levels, options.starvationBoundMs, maxAgesMs], ['strict', 2, 20, null]);
});

test('the configuration overrides the program key by key', () => {
  const program: Policy = { kind: 'strict', starvationBoundMs: 5, maxAgeMs: { low: 100, high: 10 } };
  const { options, maxAgesMs } = resolvePolicy(LEVELS, program, settingsOf({ max_age: 'low 2s' }));
  assert.equal([options.starvationBoundMs, maxAgesMs], [5, [10, 2000]]);
  const weighted = resolvePolicy(LEVELS, program, settingsOf({ policy: 'weighted', weights: 'low 1, high 4' }));
  assert.equal([weighted.options.kind, weighted.options.weights], ['weighted', [4, 1]]);
  const late = resolvePolicy(LEVELS, program, settingsOf({ policy: 'deadline', deadlines: 'high 5ms, low 1s' }));
  assert.equal([late.options.kind, late.options.budgetsMs], ['deadline', [5, 1000]]);
});

test('a level that is missing, unknown or out of range is named', () => {
  assert.match(
    fault(() => resolvePolicy(LEVELS, undefined, settingsOf({ policy: 'weighted' }))),
    /"high"/,
  );
  const bulk = settingsOf({ max_age: 'bulk 1s' });
  assert.match(
    fault(() => resolvePolicy(LEVELS, undefined, bulk)),
    /"bulk", which is none of high, low/,
  );
  assert.match(
    fault(() => resolvePolicy(LEVELS, { kind: 'deadline', budgetMs: { high: 1, low: 60_001 } })),
    /60001/,
  );
  for (const [key, text] of [
    ['weights', 'high 0'],
    ['weights', 'high'],
    ['deadlines', 'high 5ms, high 6ms'],
    ['max_age', 'low 5'],
  ] as const) {
    const { faults } = loadSettings({ object: { [key]: text } });
    assert.is(faults[0]?.key, key, text);
  }
});

test('serve() refuses a policy that cannot be kept, the compiler one that names no level', () => {
  const setup = () => {};
  serve({ levels: ['a', 'b'], policy: { kind: 'weighted', weights: { a: 2, b: 1 } }, setup });
  assert.match(
    fault(() => serve({ levels: ['a', 'b'], policy: { kind: 'weighted', weights: { a: 2, b: 0 } }, setup })),
    /weight of "b" is 0/,
  );
  // @ts-expect-error every level has a weight
  fault(() => serve({ levels: ['a', 'b'], policy: { kind: 'weighted', weights: { a: 2 } }, setup }));
  // @ts-expect-error no such level
  fault(() => serve({ levels: ['a', 'b'], policy: { kind: 'strict', maxAgeMs: { c: 2 } }, setup }));
});

test.run();
