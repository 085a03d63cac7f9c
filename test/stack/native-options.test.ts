// From settings to the options of the native stack.
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { settingsOf } from '../../stack/inline.js';
import { stackOptions } from '../../stack/native-options.js';

test('faults made on purpose keep their shares, their seed and their delays', () => {
  const settings = settingsOf({ fault_rx_delay: 0.25, fault_tx_drop: 0.5, fault_delay: '20ms', fault_seed: 7 });
  const { fault } = stackOptions(settings, ['all']);
  assert.is(fault?.seed, 7);
  assert.equal([fault?.delayMinUs, fault?.delayMaxUs], [1, 20_000]);
  assert.is(stackOptions(settingsOf({ fault_rx_drop: 1, fault_delay_min: '7ms' }), ['all']).fault?.delayMinUs, 7_000);
  assert.is(fault?.rx?.delay, 0.25);
  assert.is(fault?.tx?.drop, 0.5);
  assert.is(stackOptions(settingsOf({}), ['all']).fault, undefined);
});

test('several stacks share connections, packets, records and limits; each has somewhat more than its part', () => {
  const config = { max_concurrency: 100_000, connections_per_source: 7, half_open_per_source: 4, sums_max: 0 };
  const [one, two] = [1, 2].map((stacks) => stackOptions(settingsOf({ ...config, stack_thread: stacks }), ['a', 'b']));
  assert.equal([one?.stacks, two?.stacks], [1, 2]);
  assert.equal([one?.tcp?.connections, one?.tcp?.connectionsPerSource, one?.tcp?.halfOpenPerSource], [100_000, 7, 4]);
  const slots = two?.tcp?.connections ?? 0;
  assert.ok(slots > 50_500 && slots < 51_500, `${slots}`);
  assert.equal([two?.tcp?.connectionsPerSource, two?.tcp?.halfOpenPerSource, two?.tcp?.sums], [5, 3, 0]);
  assert.equal([two?.rxPackets, two?.txPackets], [(one?.rxPackets ?? 0) / 2, (one?.txPackets ?? 0) / 2]);
  assert.is(two?.slabBytes, one?.slabBytes);
  assert.equal(
    two?.rxBudgets,
    one?.rxBudgets?.map((packets) => packets / 2),
  );
  for (const name of ['halfOpen', 'timeWait', 'busy'] as const) {
    const [all, part] = [one?.tcp?.[name] ?? 0, two?.tcp?.[name] ?? 0];
    assert.ok(part >= all / 2 && part <= all, `${name}: ${part} of ${all}`);
  }
});

test('the policy of the program reaches the native queues in stamps, and the configuration overrides it', () => {
  const levels = ['high', 'low'];
  assert.equal(stackOptions(settingsOf({}), levels).policy, {
    kind: 'strict',
    bound: 312_500,
    weights: [],
    budgets: [],
  });
  const weighted = stackOptions(settingsOf({}), levels, { kind: 'weighted', weights: { high: 4, low: 1 } });
  assert.equal(weighted.policy?.weights, [4, 1]);
  const settings = settingsOf({ policy: 'deadline', deadlines: 'high 5ms, low 1s' });
  const { policy } = stackOptions(settings, levels, { kind: 'weighted', weights: { high: 4, low: 1 } });
  assert.is(policy?.kind, 'deadline');
  assert.equal(policy?.budgets, [78_125, 15_625_000]);
});

test.run();
