// Which core each thread has, on machines that are described by files as the kernel's, and what somebody may write instead.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { type Loaded, loadSettings } from '../../stack/config/load.js';
import {
  chosenPins,
  firstCores,
  type Pins,
  parsePins,
  pinsText,
  planPins,
  type Threads,
} from '../../stack/config/pods.js';
import { coreList, coresText, type PhysicalCore, topologyOf, usableCores } from '../../stack/config/topology.js';

interface Machine {
  sockets: number;
  cores: number;
  threads: number;
}

/** As Linux numbers them: the second threads of all cores behind all first ones. */
function describe({ sockets, cores, threads }: Machine, allowed: string, work: (root: string) => void): void {
  const root = mkdtempSync(join(tmpdir(), 'qstack-topology-'));
  const physical = sockets * cores;
  mkdirSync(join(root, 'proc/self'), { recursive: true });
  writeFileSync(join(root, 'proc/self/status'), `Name:\tnode\nCpus_allowed_list:\t${allowed}\n`);
  for (let core = 0; core < physical * threads; core++) {
    const folder = join(root, `sys/devices/system/cpu/cpu${core}`);
    const [first, socket] = [core % physical, Math.floor((core % physical) / cores)];
    const siblings = Array.from({ length: threads }, (_, thread) => first + thread * physical);
    mkdirSync(join(folder, 'topology'), { recursive: true });
    mkdirSync(join(folder, `node${socket}`));
    writeFileSync(join(folder, 'topology/core_id'), `${first % cores}\n`);
    writeFileSync(join(folder, 'topology/thread_siblings_list'), `${siblings.join(',')}\n`);
  }
  try {
    work(root);
  } finally {
    rmSync(root, { recursive: true });
  }
}

function coresOf(
  machine: Machine,
  allowed = `0-${machine.sockets * machine.cores * machine.threads - 1}`,
): PhysicalCore[] {
  let found: PhysicalCore[] = [];
  describe(machine, allowed, (root) => {
    found = topologyOf(root);
  });
  return found;
}

const pinsOf = (machine: Machine, threads: Threads) => planPins(coresOf(machine), threads);
const QSTACK: Machine = { sockets: 2, cores: 16, threads: 2 };
const range = (first: number, last: number) => Array.from({ length: last - first + 1 }, (_, i) => first + i);

test("QStack's machine: four pods of a stack, an app thread and four workers, two on each socket, Redis on the threads beside", () => {
  const pins = pinsOf(QSTACK, { stacks: 4, apps: 4, workersPerApp: 4 }) as Pins;
  assert.equal(pins.stacks, [0, 6, 16, 22]);
  assert.equal(pins.apps, [1, 7, 17, 23]);
  assert.equal(pins.workers, [range(2, 5), range(8, 11), range(18, 21), range(24, 27)]);
  for (const stack of pins.stacks) assert.not.ok(pins.redis.includes(stack + 32), `beside the stack on ${stack}`);
  for (const core of [...pins.apps, ...pins.workers.flat()]) assert.ok(pins.redis.includes(core + 32), String(core));
});

test('no core has two threads, and no pod lies on two sockets where one has room', () => {
  for (const [stacks, apps, workersPerApp] of [
    [1, 1, 0],
    [2, 4, 1],
    [3, 7, 2],
    [4, 2, 0],
    [5, 16, 0],
  ] as const) {
    const pins = pinsOf(QSTACK, { stacks, apps, workersPerApp }) as Pins;
    const used = [...pins.stacks, ...pins.apps, ...pins.workers.flat()];
    assert.is(used.length, stacks + apps + apps * workersPerApp);
    assert.is(new Set([...used, ...pins.redis]).size, used.length + pins.redis.length);
    const socket = (core: number | undefined) => Math.floor((core ?? 0) / 16);
    pins.apps.forEach((core, app) => {
      if (stacks < 5) assert.is(socket(core), socket(pins.stacks[app % stacks]));
    });
  }
});

test('workers without a core each share what is left; stack and app threads that have none are not pinned', () => {
  const four = { sockets: 1, cores: 4, threads: 2 };
  const pins = pinsOf(four, { stacks: 1, apps: 1, workersPerApp: 8 });
  assert.equal(pins, { stacks: [0], apps: [1], workers: [[2, 3, 5, 6, 7]], redis: [2, 3, 5, 6, 7] });
  assert.is(pinsOf(four, { stacks: 2, apps: 3, workersPerApp: 0 }), undefined);
  const two = { sockets: 1, cores: 2, threads: 1 };
  assert.equal(pinsOf(two, { stacks: 1, apps: 1, workersPerApp: 1 })?.workers, [[0, 1]]);
});

test('only cores that the process may use are there, and a machine that tells nothing has one thread a core', () => {
  const cores = coresOf(QSTACK, '2-3,34');
  assert.equal(cores, [
    { node: 0, threads: [2, 34] },
    { node: 0, threads: [3] },
  ]);
  assert.equal(firstCores(cores, 2), [{ node: 0, threads: [2, 34] }]);
  describe({ sockets: 1, cores: 2, threads: 1 }, '0-3', (root) => {
    assert.equal(usableCores(root), [0, 1, 2, 3]);
    assert.equal(topologyOf(root).length, 4);
  });
  assert.ok(topologyOf().flatMap(({ threads }) => [...threads]).length >= 1);
});

test('lists of cores are read and written', () => {
  assert.equal(coreList('0,2-4'), [0, 2, 3, 4]);
  for (const bad of ['', 'x', '3-1', '1,,2', '-1', '99999']) assert.is(coreList(bad), undefined, bad);
  assert.is(coresText([0, 2, 3, 4, 9]), '0,2-4,9');
});

function load(object: Record<string, unknown>, machine: Machine = QSTACK): Loaded {
  const topology = () => coresOf(machine);
  const cores = machine.sockets * machine.cores * machine.threads;
  return loadSettings({ object }, { machine: { cores, memoryBytes: 2 ** 40, topology } });
}

const THREADS = { stack_thread: 2, app_thread: 2, workers: 1 };

test('pin: nothing, what the planner chooses, or what is written', () => {
  assert.is(load({}).settings?.pins, undefined);
  assert.is(load({ pin: 'any' }).settings?.pins, undefined);
  const auto = load({ ...THREADS, pin: 'auto' }).settings?.pins;
  assert.equal(
    [auto?.stacks, auto?.apps, auto?.workers],
    [
      [0, 3],
      [1, 4],
      [[2], [5]],
    ],
  );
  const written = load({ ...THREADS, pin: 'stack=0,16 app=1,17 workers=2,18' }).settings?.pins as Pins;
  assert.equal(
    [written.stacks, written.apps, written.workers],
    [
      [0, 16],
      [1, 17],
      [[2], [18]],
    ],
  );
  assert.is(pinsText(written), 'cores: stack 0,16; app 1,17; workers 2,18; left, for Redis 3-15,19-63');
});

test('workers that nobody has named a core for are not left on that of their app thread', () => {
  const pins = load({ ...THREADS, pin: 'stack=0,16 app=1,17' }).settings?.pins;
  assert.equal(pins?.workers[1], [...range(2, 15), ...range(18, 63)]);
});

test('what cannot be is refused with what would be right', () => {
  const fault = (object: Record<string, unknown>) => load(object).faults.map((one) => `${one.key}: ${one.fault}`);
  assert.equal(fault({ ...THREADS, pin: 'stack=0' }), ['pin: stack names 1 cores for 2 threads']);
  assert.equal(fault({ pin: 'stack=0 app=64' }), ['pin: app names core 64, which this process may not use']);
  assert.equal(fault({ pin: 'app=1' }), ['pin: no core is named for the stack']);
  assert.equal(fault({ pin: 'stack=0 stack=1' }), ['pin: "stack" stands there twice']);
  assert.equal(fault({ pin: 'stack=one' }), ['pin: "stack=one" names no cores']);
  assert.equal(fault({ pin: 'auto', arrangement: 'inline' }), ['pin: arrangement = inline has no threads of its own']);
  const { settings, warnings } = load({ ...THREADS, pin: 'auto' }, { sockets: 1, cores: 2, threads: 1 });
  assert.is(settings?.pins, undefined);
  assert.match(warnings.map((one) => one.fault).join(), /want a physical core each: none is pinned/);
});

test('a choice is read as it is written', () => {
  assert.equal(parsePins('auto'), { kind: 'auto' });
  const choice = parsePins('stack=0-1 app=2,3');
  assert.equal(choice, { kind: 'cores', stacks: [0, 1], apps: [2, 3], workers: [] });
  if (typeof choice === 'string' || choice.kind !== 'cores') throw new Error('no cores');
  const pins = chosenPins(choice, { stacks: 2, apps: 2, workersPerApp: 0 }, coresOf(QSTACK));
  assert.equal((pins as Pins).workers, []);
});

test.run();
