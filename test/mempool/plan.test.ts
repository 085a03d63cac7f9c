// The plan: its numbers are those of the native pools.
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { arenaBytes, flowTableBytes, formatPlan, plan } from '../../mempool/index.js';
import { perStack, wayFrames } from '../../mempool/plan.js';
import { ARENA_HEADER_ARENA_BYTES_U32, ARENA_HEADER_STRIDE_U32 } from '../../stack/abi.js';
import { ConnectionTable } from '../../stack/connection-table.js';
import { loadNative } from '../../stack/native.js';
import { PendingLists } from '../../stack/pending.js';
import { processMemory } from '../../tools/start/memory.js';

test('the arena is as large as the one that native makes', () => {
  const native = loadNative();
  for (const [stacks, levels, apps, rxPackets, txPackets, slabBytes, ipv6Slots] of [
    [1, 1, 1, 64, 64, 0, 0],
    [1, 3, 2, 1000, 500, 12_345, 0],
    [1, 8, 4, 256, 8192, 0, 0],
    [1, 2, 1, 64, 64, 100, 100],
    [2, 2, 3, 1000, 500, 12_345, 200],
    [3, 1, 2, 64, 128, 0, 0],
  ] as const) {
    const stack = native.createStack({
      device: { ring: `plan${stacks}${levels}`, side: 0 },
      ip: { address: 0x0a000001, ...(ipv6Slots > 0 ? { ipv6: { address: 'fd00::1' } } : {}) },
      tcp: { connections: 100 },
      stacks,
      levels,
      apps,
      rxPackets,
      txPackets,
      slabBytes,
    });
    const words = new Uint32Array(native.attachArena(stack));
    const stride = words[ARENA_HEADER_STRIDE_U32] as number;
    const expected = words[ARENA_HEADER_ARENA_BYTES_U32] as number;
    assert.is(arenaBytes({ stacks, levels, apps, rxPackets, txPackets, stride, slabBytes, ipv6Slots }), expected);
    native.destroy(stack);
  }
});

for (const [stacks, what] of [
  [1, 'a stack'],
  [2, 'two stacks'],
] as const) {
  test(`what the plan counts of ${what} is taken when they are made, no more and no less`, () => {
    const native = loadNative();
    const sizes = { connections: 300_000, levels: 2, apps: 1, packets: 8_192, stride: 1_984, slabBytes: 8_388_608 };
    const { items, slots, busy, halfOpen, timeWait, rxPackets, txPackets } = plan({ ...sizes, stacks });
    const outside = ['program', 'app threads', 'app columns'];
    const planned = items
      .filter(({ name, atStart }) => atStart && !outside.includes(name))
      .reduce((sum, { bytes }) => sum + bytes, 0);
    const before = processMemory(process.pid).own;
    const stack = native.createStack({
      device: { ring: `plan-taken${stacks}`, side: 0 },
      ip: { address: 0x0a000001 },
      tcp: { connections: slots, busy, halfOpen, timeWait },
      ...{ stacks, levels: 2, apps: 1, rxPackets, txPackets, slabBytes: sizes.slabBytes },
    });
    const taken = processMemory(process.pid).own - before;
    native.destroy(stack);
    assert.ok(Math.abs(taken / planned - 1) < 0.03, `${taken} bytes were taken, ${planned} planned`);
  });
}

test('the columns of an app thread are taken when they are made', () => {
  const before = processMemory(process.pid).own;
  const table = new ConnectionTable(1_000_000);
  const lists = new PendingLists(table.tails);
  const taken = processMemory(process.pid).own - before;
  const columns = plan({ connections: 1_000_000, levels: 1, apps: 1 }).items.find(({ name }) => name === 'app columns');
  assert.ok(Math.abs(taken / (columns?.bytes ?? 0) - 1) < 0.05, `${taken} bytes were taken, ${columns?.bytes} planned`);
  assert.is(table.size, 1_000_000);
  assert.is(lists.size, 0);
});

test('an idle connection of a million takes less than 256 bytes, everything counted', () => {
  const [small, large] = [1_000, 1_000_000].map((connections) =>
    plan({ connections, levels: 2, apps: 1, packets: 32_768, busy: 16_384, halfOpen: 4_096 }),
  );
  const each = ((large?.bytes ?? 0) - (small?.bytes ?? 0)) / 999_000;
  assert.ok(each > 128 && each < 256, `${each} bytes`);
});

test('the flow table has a place for every flow at 65 % load', () => {
  for (const flows of [1, 100, 10_000_000]) {
    const places = (flowTableBytes(flows) / 64) * 10;
    assert.ok(places >= flows / 0.65, `${flows} flows, ${places} places`);
    if (flows > 1000) assert.ok(flowTableBytes(flows) < flows * 12);
  }
});

test("a stack's part of the connections is enough when the hash is uneven, and all of them with one stack", () => {
  assert.equal([perStack(10_000, 1), perStack(0, 4), perStack(12, 2)], [10_000, 0, 12]);
  for (const [n, stacks] of [
    [1_000, 2],
    [10_000_000, 16],
  ] as const) {
    const slack = perStack(n, stacks) - n / stacks;
    assert.ok(slack >= 4 * Math.sqrt(n / stacks) && slack < 5 * Math.sqrt(n / stacks) + 17, `${slack}`);
  }
});

test('several stacks take the memory of one and somewhat more, and a fragment pool and ways of their own', () => {
  const of = (stacks: number) => plan({ connections: 100_000, stacks, levels: 2, apps: 2, ipv6: true });
  const [one, two] = [of(1), of(2)];
  assert.ok(two.bytes > one.bytes && two.bytes < 1.1 * one.bytes, `${one.bytes}, ${two.bytes}`);
  const item = (name: string) => [one, two].map(({ items }) => items.find((other) => other.name === name)?.count);
  assert.equal(item('fragments'), [64, 128]);
  assert.equal(item('control blocks'), [100_000, 2 * two.slots]);
  assert.equal(item('app columns'), [200_000, 4 * two.slots]);
  assert.equal(item('packets'), [4 * two.rxPackets, 4 * two.rxPackets]);
  assert.equal(item('steering'), [undefined, 2 * wayFrames(two.rxPackets, 2)]);
});

test("frames on their way to slow stacks are half of the first one's packets at most", () => {
  for (const [packets, stacks] of [
    [128, 2],
    [8_192, 2],
    [8_192, 3],
    [4_096, 16],
  ] as const) {
    const frames = wayFrames(packets, stacks);
    assert.is(Math.log2(frames) % 1, 0, 'a power of two');
    assert.ok(frames * (stacks - 1) <= packets / 2 && frames <= 4_096, `${frames} of ${packets} packets`);
  }
});

test('datagrams that are put together have a fixed pool, sums one of their own size', () => {
  const item = (input: { connections: number; sums?: number }, name: string) =>
    plan({ ...input, levels: 2, apps: 1 }).items.find((candidate) => candidate.name === name);
  assert.is(item({ connections: 100_000 }, 'fragments')?.count, 64);
  assert.ok((item({ connections: 10 }, 'fragments')?.bytes ?? 0) >= 64 * 8_192);
  assert.is(item({ connections: 100_000 }, 'sums')?.count, 1_024);
  assert.is(item({ connections: 10 }, 'sums')?.count, 10);
  assert.is(item({ connections: 100_000, sums: 50_000 }, 'sums')?.count, 50_000);
  assert.is(item({ connections: 100_000, sums: 0 }, 'sums'), undefined);
});

test('the table names every pool, its reason and the sum', () => {
  const text = formatPlan(plan({ connections: 100_000, levels: 2, apps: 1 }));
  for (const word of [
    'control blocks',
    'flow table',
    'fragments',
    'sums',
    'app columns',
    'packets',
    'rings',
    'total',
    'MiB',
    '128 B',
  ]) {
    assert.ok(text.includes(word), word);
  }
});

test.run();
