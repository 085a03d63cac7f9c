// Slabs (mempool/slabs.ts): memory of one size a chunk, against a model of what is where.
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { SLAB_CHUNK, Slabs } from '../../mempool/slabs.js';

/** A small generator, so that a seed tells the whole run. */
function numbers(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

test('random slabs of all sizes never overlap, and all memory comes back', () => {
  const seed = Date.now() % 1_000_000;
  console.log(`seed ${seed}`);
  const random = numbers(seed);
  const bytes = 10 * SLAB_CHUNK;
  const slabs = new Slabs(1_000, bytes);
  const owner = new Int32Array(bytes);
  const held: { slab: number; length: number; id: number }[] = [];
  let refused = 0;
  for (let id = 1; id <= 20_000; id++) {
    const grows = random(100) < (id % 4_000 < 2_000 ? 70 : 30);
    if (grows || held.length === 0) {
      const length = 1 + random(random(4) === 0 ? 1_664 : 256);
      const slab = slabs.allocate(length);
      if (slab < 0) {
        refused++;
        continue;
      }
      const at = slabs.offsetOf(slab) - 1_000;
      assert.ok(at >= 0 && at + length <= bytes, `seed ${seed}: inside`);
      for (let i = at; i < at + length; i++) assert.is(owner[i], 0, `seed ${seed}: byte ${i} is free`);
      owner.fill(id, at, at + length);
      held.push({ slab, length, id });
    } else {
      const [gone] = held.splice(random(held.length), 1);
      const at = slabs.offsetOf((gone as { slab: number }).slab) - 1_000;
      owner.fill(0, at, at + (gone as { length: number }).length);
      slabs.free((gone as { slab: number }).slab);
    }
    assert.is(slabs.used, held.length);
  }
  assert.ok(refused > 0, 'memory has run out now and then');
  for (const { slab } of held) slabs.free(slab);
  assert.is(slabs.used, 0);
  for (let chunk = 0; chunk < 10; chunk++) assert.ok(slabs.allocate(SLAB_CHUNK) >= 0, 'every chunk is whole again');
});

test('a chunk whose slabs are all free takes another size', () => {
  const slabs = new Slabs(0, SLAB_CHUNK);
  const small = [slabs.allocate(64), slabs.allocate(1)];
  assert.is(slabs.allocate(65), -1, 'its slabs have 64 bytes');
  for (const slab of small) slabs.free(slab);
  assert.is.not(slabs.allocate(1_664), -1);
  assert.is(slabs.allocate(64), -1);
});

test('what is longer than a chunk, or comes when memory is used up, gets none', () => {
  const slabs = new Slabs(0, 2 * SLAB_CHUNK + 5);
  assert.is(slabs.allocate(SLAB_CHUNK + 1), -1);
  const whole = slabs.allocate(SLAB_CHUNK);
  slabs.allocate(SLAB_CHUNK);
  assert.is(slabs.allocate(1), -1);
  slabs.free(whole);
  assert.is(slabs.allocate(1), whole);
  assert.is(new Slabs(0, 0).allocate(1), -1);
});

test.run();
