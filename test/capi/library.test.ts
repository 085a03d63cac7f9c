// The C library as a C program meets it: the header, what the file exports, and the examples built by the system's compiler.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
const BUILT = join(ROOT, 'build/release/native/capi');
const HEADER = join(ROOT, 'native/capi/qstack.h');
const STRICT = [
  '-std=c99',
  '-Wall',
  '-Wextra',
  '-Wpedantic',
  '-Werror',
  '-O2',
  '-pthread',
  '-I',
  join(ROOT, 'native/capi'),
];
const LINK = ['-L', BUILT, '-lqstack', `-Wl,-rpath,${BUILT}`];

const library = suite('the C library');
let folder = '';
library.before(() => {
  folder = mkdtempSync(join(tmpdir(), 'qstack-capi-'));
});
library.after(() => rmSync(folder, { recursive: true }));

function run(file: string, ...args: string[]): string {
  const { status, stdout, stderr, error } = spawnSync(file, args, { encoding: 'utf8', timeout: 60_000 });
  assert.is(status, 0, `${file} ${args.join(' ')}\n${stdout}${stderr}${error ?? ''}`);
  return stdout;
}

function build(example: string): string {
  const program = join(folder, example);
  run('cc', ...STRICT, join(ROOT, `native/capi/examples/${example}.c`), ...LINK, '-o', program);
  return program;
}

/** Functions that the header declares. */
function declared(): string[] {
  const text = readFileSync(HEADER, 'utf8').replace(/\/\*[\s\S]*?\*\//g, '');
  return [...text.matchAll(/^QST_API [^;]*?\b(qst_\w+)\(/gm)].map((match) => match[1] as string).sort();
}

library('it exports what the header declares, and nothing else', () => {
  const symbols = run('nm', '-D', '--defined-only', join(BUILT, 'libqstack.so'));
  const exported = symbols
    .trim()
    .split('\n')
    .map((line) => line.split(' ').at(-1) as string)
    .sort();
  assert.ok(declared().length > 35);
  assert.equal(exported, declared());
});

library('the header stands alone, in strict C99 and in C++', () => {
  const c = join(folder, 'alone.c');
  writeFileSync(c, '#include "qstack.h"\nint main(void) { return qst_version() == NULL; }\n');
  run('cc', ...STRICT, c, ...LINK, '-o', join(folder, 'alone'));
  run(join(folder, 'alone'));
  const cxx = STRICT.map((flag) => (flag === '-std=c99' ? '-std=c++11' : flag));
  run('c++', ...cxx, '-x', 'c++', c, ...LINK, '-o', join(folder, 'alone-cxx'));
});

library('pkg-config finds the library where it was built', () => {
  const env = { ...process.env, PKG_CONFIG_PATH: join(ROOT, 'build/release/meson-uninstalled') };
  const options = { encoding: 'utf8', env } as const;
  const { status, stdout, stderr } = spawnSync('pkg-config', ['--cflags', '--libs', 'qstack'], options);
  assert.is(status, 0, stderr);
  assert.match(stdout, /-lqstack|libqstack\.so/);
  assert.match(stdout, /native\/capi/);
});

library('the echo example returns every byte over each of its connections', () => {
  assert.is(run(build('echo')), 'echoed 10000000 bytes over 100 connections\n');
});

library('the bulk example moves what it was told to, by large and by small writes', () => {
  const program = build('bulk');
  for (const [mebibytes, piece] of [
    [64, 65_536],
    [4, 100],
  ] as const) {
    const result = JSON.parse(run(program, `${mebibytes}`, `${piece}`));
    console.log(`bulk, writes of ${piece} bytes: ${result.gbit_per_second} Gbit/s`);
    assert.is(result.received, mebibytes * 2 ** 20);
  }
});

library('docs/c-api.md explains every call, and no other', () => {
  const text = readFileSync(join(ROOT, 'docs/c-api.md'), 'utf8');
  const named = new Set([...text.matchAll(/\b(qst_[a-z0-9_]+)\(/g)].map((match) => match[1] as string));
  assert.equal([...named].sort(), declared());
});

library.run();
