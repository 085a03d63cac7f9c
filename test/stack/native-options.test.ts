// From settings to the options of the native stack.
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { settingsOf } from '../../stack/inline.js';
import { stackOptions } from '../../stack/native-options.js';

test('faults made on purpose keep their shares, their seed and the longest delay', () => {
  const settings = settingsOf({ fault_rx_delay: 0.25, fault_tx_drop: 0.5, fault_delay: '20ms', fault_seed: 7 });
  const { fault } = stackOptions(settings, ['all']);
  assert.is(fault?.seed, 7);
  assert.is(fault?.delayMaxUs, 20_000);
  assert.is(fault?.rx?.delay, 0.25);
  assert.is(fault?.tx?.drop, 0.5);
  assert.is(stackOptions(settingsOf({}), ['all']).fault, undefined);
});

test.run();
