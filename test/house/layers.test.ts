// Layers and cycles, in C++ and TypeScript: the real tree has no violation, and a planted one is found.
import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { CLOCK_EXCUSED, nativeFaults, readNative, roomOrder } from '../../tools/house/native-layers.js';

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
const BIOME = join(ROOT, 'node_modules/@biomejs/biome/bin/biome');
const ORDER = roomOrder(readFileSync(join(ROOT, 'docs/ARCHITECTURE.md'), 'utf8'));
const LAYER_RULES = ['--only=style/noRestrictedImports', '--only=suspicious/noImportCycles'];

const layers = suite('layers');
let planted = '';
layers.before.each(() => {
  planted = mkdtempSync(join(tmpdir(), 'qstack-layers-'));
  copyFileSync(join(ROOT, 'biome.json'), join(planted, 'biome.json'));
});
layers.after.each(() => rmSync(planted, { recursive: true }));

function biome(folder: string, args: readonly string[]): { status: number | null; said: string } {
  const { status, stdout, stderr } = spawnSync(process.execPath, [BIOME, ...args], { cwd: folder, encoding: 'utf8' });
  return { status, said: `${stdout}${stderr}` };
}

function plant(path: string, text: string): void {
  mkdirSync(dirname(join(planted, path)), { recursive: true });
  writeFileSync(join(planted, path), text);
}

function faultsOf(files: Record<string, string>): string[] {
  return nativeFaults(new Map(Object.entries(files)), ORDER);
}

layers('the order of the native rooms is read from the architecture', () => {
  assert.ok(ORDER.indexOf('mempool') >= 0 && ORDER.indexOf('mempool') < ORDER.indexOf('tcp'));
  assert.ok(ORDER.indexOf('tcp') < ORDER.indexOf('stack') && ORDER.indexOf('stack') < ORDER.indexOf('node'));
});

layers('native code keeps the order of its rooms', () => {
  const files = readNative(ROOT);
  assert.ok(files.size > 10);
  assert.equal(nativeFaults(files, ORDER), []);
});

layers('a room that includes a later one is found', () => {
  const [fault = ''] = faultsOf({ 'native/wire/a.hh': '#include "native/tcp/b.hh"\n', 'native/tcp/b.hh': '' });
  assert.match(fault, /native\/wire\/a\.hh: includes native\/tcp\/b\.hh/);
});

layers('a cycle of files within a room is found', () => {
  const files = { 'native/tcp/a.hh': '#include "native/tcp/b.hh"', 'native/tcp/b.hh': '#include "native/tcp/a.hh"' };
  assert.equal(faultsOf(files), ['a cycle of includes: native/tcp/a.hh → native/tcp/b.hh → native/tcp/a.hh']);
});

layers('DPDK outside its room is found, in it it is not', () => {
  assert.match(faultsOf({ 'native/ip/a.cc': '#include <rte_mbuf.h>\n' })[0] ?? '', /only native\/port knows DPDK/);
  assert.equal(faultsOf({ 'native/port/a.cc': '#include <rte_mbuf.h>\n' }), []);
});

layers('a clock or a source of randomness below native/stack is found, but not the word in a comment', () => {
  for (const code of [
    'clock_gettime(CLOCK_MONOTONIC, &t);',
    'auto t = std::chrono::steady_clock::now();',
    'std::random_device r;',
    'int x = rand();',
  ]) {
    assert.is(faultsOf({ 'native/tcp/a.cc': code }).length, 1, code);
    assert.equal(faultsOf({ 'native/stack/a.cc': code }), []);
  }
  assert.equal(faultsOf({ 'native/tcp/a.cc': '// rand() is not used\nvoid on_time(int); stack.time_wait();' }), []);
});

layers('a file that is excused from passing the time in still reads a clock', () => {
  const files = readNative(ROOT);
  for (const path of Object.keys(CLOCK_EXCUSED)) assert.match(files.get(path) ?? '', /clock_gettime/, path);
});

layers('an exit on the packet’s line is found', () => {
  assert.match(faultsOf({ 'native/tcp/a.cc': 'if (bad) exit(1);' })[0] ?? '', /ends the process/);
  assert.equal(faultsOf({ 'native/tcp/a.cc': 'on_exit(1); room.exit();' }), []);
});

layers('TypeScript keeps its layers and has no cycles', () => {
  const { status, said } = biome(ROOT, ['lint', ...LAYER_RULES, '.']);
  assert.is(status, 0, said);
  assert.match(said, /Checked [1-9]\d* files/);
});

const UPWARD: [string, string][] = [
  ['mempool/a.ts', '../stack/app.js'],
  ['mempool/a.ts', '../coroutine/op.js'],
  ['coroutine/a.ts', '../stack/app.js'],
  ['stack/a.ts', '../tools/redis/servers.js'],
  ['stack/config/a.ts', '../../index.js'],
  ['stack/native.ts', './app.js'],
  ['apps/iotepserver/a.ts', '../../tools/redis/servers.js'],
];

layers('an import of a later layer is found in each folder', () => {
  for (const [path, target] of UPWARD) {
    plant(path, `import { x } from '${target}';\nexport const y = x;\n`);
    const { status, said } = biome(planted, ['lint', path]);
    assert.is(status, 1, `${path} → ${target}`);
    assert.match(said, /noRestrictedImports/);
  }
});

layers('an import of an earlier layer is allowed', () => {
  plant(
    'coroutine/a.ts',
    "import { x } from '../stack/errors.js';\nimport { z } from '../mempool/plan.js';\nexport const y = [x, z];\n",
  );
  const { status, said } = biome(planted, ['lint', 'coroutine/a.ts']);
  assert.is(status, 0, said);
});

layers('a cycle of imports is found', () => {
  plant('stack/a.ts', "import { b } from './b.js';\nexport const a = (): number => b();\n");
  plant('stack/b.ts', "import { a } from './a.js';\nexport const b = (): number => a();\n");
  const { status, said } = biome(planted, ['lint', '.']);
  assert.is(status, 1);
  assert.match(said, /noImportCycles/);
});

layers('an op without its yield* is found by the linter, where the compiler cannot see it', () => {
  plant(
    'a.ts',
    `export interface Op<T> extends PromiseLike<T> {
  [Symbol.iterator](): Iterator<1, T, unknown>;
}
declare function sleep(ms: number): Op<void>;
export function* forgets(): Generator<1, void, unknown> {
  sleep(10);
  yield* sleep(1);
}
`,
  );
  const { status, said } = biome(planted, ['lint', '--only=nursery/noFloatingPromises', '.']);
  assert.is(status, 1);
  assert.match(said, /a\.ts:6:3 lint\/nursery\/noFloatingPromises/);
  assert.not.match(said, /a\.ts:7/);
});

layers.run();
