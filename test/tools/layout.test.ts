import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { generatorArguments } from '../../tools/start/generator.js';
import { layoutOf } from '../../tools/start/layout.js';
import { configText } from '../../tools/start/server.js';
import { onCore } from '../../tools/taskset.js';

const plan = { folder: '/run/x', connections: 10, priorities: true, redis: [] };
const load = { folder: '/run/x', connections: 10, phases: 'paced:1/1s', highShare: 0.5, seed: 1, say: () => {} };

test('on two cores the server has one thread, and Redis is beside it or beside the generator', () => {
  const layout = layoutOf(2);
  assert.equal(layout.cores, { server: 0, redis: 0, generator: 1 });
  assert.equal(layoutOf(2, 'generator').cores, { server: 0, redis: 1, generator: 1 });
  assert.match(configText({ ...plan, layout }), /^arrangement = inline$/m);
  const flags = generatorArguments({ ...load, layout });
  assert.is(flags[flags.indexOf('--core') + 1], '1');
});

test('on one core nothing is pinned and the server has one thread', () => {
  assert.is(layoutOf(1).cores, undefined);
  assert.match(configText({ ...plan, layout: layoutOf(1) }), /^arrangement = inline$/m);
});

test('on more cores stack and handlers have threads of their own, wherever the kernel likes', () => {
  for (const cores of [3, 64]) {
    assert.is(layoutOf(cores).cores, undefined);
    assert.not.match(configText({ ...plan, layout: layoutOf(cores) }), /arrangement/);
    assert.not.ok(generatorArguments({ ...load, layout: layoutOf(cores) }).includes('--core'));
  }
});

test('a command runs on its core by taskset, or where it likes', () => {
  assert.equal(onCore(1), ['taskset', '-c', '1']);
  assert.equal(onCore(undefined), []);
});

test.run();
