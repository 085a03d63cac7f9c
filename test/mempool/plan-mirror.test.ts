// A mirror in the plan: what it counts is taken, its packets when the stack is made, its rings when a monitor comes.
// watchdog: 240s
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { plan } from '../../mempool/index.js';
import { loadNative, type StackId } from '../../stack/native.js';
import { processMemory } from '../../tools/start/memory.js';
import { Program } from '../apps/program.js';
import { smallStack } from '../stack/small-stack.js';

const native = loadNative();
const mirrors = suite<{ folder: string }>('a mirror in the plan');
/** So many that what else a process takes and gives back meanwhile is little beside them. */
const STACKS = 4;

mirrors.before((context) => {
  native.startEal({});
  context.folder = mkdtempSync(join(tmpdir(), 'qstack-plan-mirror-'));
});
mirrors.after(({ folder }) => rmSync(folder, { recursive: true, force: true }));

const stackOf = (mirror?: string) => smallStack(`net_null${stacks++}`, mirror);
let stacks = 0;

/** Of this process, while `make` makes so many stacks. */
function takenBy(make: (number: number) => StackId): { made: StackId[]; bytes: number } {
  const before = processMemory(process.pid).own;
  const made = Array.from({ length: STACKS }, (_, number) => make(number));
  return { made, bytes: processMemory(process.pid).own - before };
}

/** What this process shares with others, its part of it: the rings are, and what JavaScript takes meanwhile is not. */
function sharedBytes(): number {
  const [, kilobytes] = /^Pss_Shmem:\s+(\d+) kB/m.exec(readFileSync('/proc/self/smaps_rollup', 'utf8')) ?? [];
  return Number(kilobytes) * 1_024;
}

function planned(name: string): number {
  const sizes = { connections: 16, levels: 1, apps: 1, packets: 2_048 };
  assert.is(
    plan(sizes).items.find((item) => item.name === name),
    undefined,
  );
  return plan({ ...sizes, mirror: true }).items.find((item) => item.name === name)?.bytes ?? 0;
}

function near(taken: number, expected: number, what: string): void {
  assert.ok(Math.abs(taken / expected - 1) < 0.1, `${what}: ${taken} bytes were taken, ${expected} planned`);
}

mirrors('packets are taken at the start, rings by each monitor', async ({ folder }) => {
  const socket = (number: number) => join(folder, 'mirrors', `${number}.sock`);
  const plain = takenBy(() => stackOf());
  const mirrored = takenBy((number) => stackOf(socket(number)));
  near(mirrored.bytes - plain.bytes, STACKS * planned('mirror packets'), 'packets');
  const before = sharedBytes();
  const monitors = mirrored.made.map((_, number) => new Program('tools/monitor/main.js', ['--mirror', socket(number)]));
  await Promise.all(monitors.map((monitor) => monitor.said('watching the mirror')));
  const taken = sharedBytes() - before;
  const codes = await Promise.all(monitors.map((monitor) => monitor.stop('SIGINT')));
  for (const stack of [...plain.made, ...mirrored.made]) native.destroy(stack);
  assert.equal(codes, [0, 0, 0, 0]);
  near(taken, STACKS * planned('mirror rings'), 'rings');
});

mirrors.run();
