import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { PhysicalCore } from '../../stack/config/topology.js';
import { generatorArguments } from '../../tools/start/generator.js';
import { layoutOf, redisServersOf, UNPINNED } from '../../tools/start/layout.js';
import { configText } from '../../tools/start/server.js';
import { onCore } from '../../tools/taskset.js';

const plan = { folder: '/run/x', connections: 10, priorities: true, redis: [] };
const load = { folder: '/run/x', connections: 10, phases: 'paced:1/1s', highShare: 0.5, seed: 1, say: () => {} };

/** Physical cores of one node, with these threads each. */
const cores = (...threads: number[][]): PhysicalCore[] => threads.map((own) => ({ node: 0, threads: own }));
const singles = (count: number) => cores(...Array.from({ length: count }, (_, core) => [core]));

const generatorCore = (flags: readonly string[]) => flags[flags.indexOf('--core') + 1];

test('on two cores the server has one thread, and Redis is beside it or beside the generator', () => {
  const layout = layoutOf(singles(2));
  assert.equal(layout.cores, { server: 0, redis: [0], generator: 1 });
  assert.equal(layoutOf(singles(2), 'generator').cores, { server: 0, redis: [1], generator: 1 });
  assert.match(configText({ ...plan, layout }), /^arrangement = inline$/m);
  assert.is(generatorCore(generatorArguments({ ...load, layout })), '1');
});

test('two cores are those that may be used, two threads of one core among them', () => {
  assert.equal(layoutOf(cores([4], [6])).cores, { server: 4, redis: [4], generator: 6 });
  assert.equal(layoutOf(cores([0, 1])).cores, { server: 0, redis: [0], generator: 1 });
});

test('on one core nothing is pinned and the server has one thread', () => {
  const layout = layoutOf(singles(1));
  assert.is(layout.cores, undefined);
  assert.match(configText({ ...plan, layout }), /^arrangement = inline$/m);
});

test('two cores of two threads each leave the thread beside the server free', () => {
  assert.equal(layoutOf(cores([0, 2], [1, 3])).cores, { server: 0, redis: [1], generator: 3 });
});

test('on more cores stack, handlers and generator have one each, and Redis what is left', () => {
  const three = layoutOf(singles(3));
  assert.is(three.pin, 'stack=0 app=1');
  assert.equal(three.cores, { redis: [2], generator: 2 });
  const eight = layoutOf(cores([0, 4], [1, 5], [2, 6], [3, 7]));
  assert.is(eight.pin, 'stack=0 app=1');
  assert.equal(eight.cores, { redis: [2, 5, 6], generator: 3 });
  assert.match(configText({ ...plan, layout: eight }), /^pin = stack=0 app=1$/m);
  assert.not.match(configText({ ...plan, layout: eight }), /arrangement/);
  assert.is(generatorCore(generatorArguments({ ...load, layout: eight })), '3');
});

test('there is a Redis server for each core that is left to Redis, and one at least', () => {
  assert.is(redisServersOf(layoutOf(singles(2))), 1);
  assert.is(redisServersOf(layoutOf(singles(8))), 5);
  assert.is(redisServersOf(UNPINNED), 1);
});

test('a command runs on its core by taskset, or where it likes', () => {
  assert.equal(onCore(1), ['taskset', '-c', '1']);
  assert.equal(onCore(undefined), []);
});

test.run();
