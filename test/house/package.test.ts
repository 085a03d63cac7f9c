// The package as users get it: packed, installed into an empty folder, and the README's example compiled and run against it.
// watchdog: 240s
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { redisDown, redisUp } from '../../tools/redis/servers.js';
import { exchange } from './package-client.js';

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
const TSC = join(ROOT, 'node_modules/typescript/bin/tsc');

const pack = suite('package');
let folder = '';
let server: ChildProcess | undefined;

pack.before(() => {
  folder = mkdtempSync(join(tmpdir(), 'qstack-package-'));
});
pack.after(async () => {
  server?.kill('SIGKILL');
  await redisDown(join(folder, 'redis'));
  rmSync(folder, { recursive: true });
});

function run(file: string, args: string[], cwd = folder): string {
  const { status, stdout, stderr, error } = spawnSync(file, args, { cwd, encoding: 'utf8' });
  assert.is(status, 0, `${file} ${args.join(' ')}\n${stdout}${stderr}${error ?? ''}`);
  return stdout;
}

interface Packed {
  filename: string;
  files: { path: string }[];
}

pack(
  'it holds the built library, the addon, the native sources and what installs system packages, and no tests',
  () => {
    run(process.execPath, ['tools/prepack.mjs'], ROOT);
    const [packed] = JSON.parse(
      run('npm', ['pack', '--json', '--ignore-scripts', '--pack-destination', folder], ROOT),
    ) as [Packed];
    const paths = packed.files.map((file) => file.path);
    for (const path of [
      'dist/index.js',
      'dist/index.d.ts',
      'dist/stack/testing.js',
      'dist/native/qstack.node',
      'native/tcp/engine.cc',
      'native/capi/qstack.h',
      'native/node/binding.gyp',
      'meson.build',
      'deps/packages.json',
      'dist/stack/dashboard/page/main.js',
      'stack/dashboard/page/index.html',
      'stack/dashboard/page/style.css',
      'bin/qstack.mjs',
      'LICENSE',
    ]) {
      assert.ok(paths.includes(path), path);
    }
    assert.equal(
      paths.filter((path) => path.startsWith('dist/test/') || path.startsWith('native/node/build/')),
      [],
    );
  },
);

pack('it installs into an empty folder', () => {
  writeFileSync(join(folder, 'package.json'), '{"name":"user","private":true,"type":"module"}');
  const tarball = join(folder, `qstack-${JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')).version}.tgz`);
  run('npm', ['install', '--prefer-offline', '--no-audit', '--no-fund', '--ignore-scripts', tarball]);
  run(join(folder, 'node_modules/.bin/qstack'), ['--help']);
});

pack("the README's example compiles against it, strictly", () => {
  const example = /```ts\n([\s\S]*?)```/.exec(readFileSync(join(ROOT, 'README.md'), 'utf8'))?.[1] ?? '';
  assert.match(example, /from 'qstack'/);
  writeFileSync(join(folder, 'server.ts'), example);
  const strict = ['--strict', '--noUncheckedIndexedAccess', '--target', 'es2023', '--module', 'nodenext'];
  run(process.execPath, [
    TSC,
    ...strict,
    '--typeRoots',
    join(ROOT, 'node_modules/@types'),
    '--types',
    'node',
    'server.ts',
  ]);
});

pack("the README's example runs: it answers with what Redis holds, and ends in order", async () => {
  const redis = await redisUp(2, join(folder, 'redis'), { foreground: [] });
  const device = `memif:${join(folder, 'memif', 'q.sock')}`;
  const sockets = redis.map(({ socket }) => socket).join(',');
  const args = ['run', 'server.js', '--device', `${device}?server`, '--redis', sockets, '--max-concurrency', '1000'];
  server = spawn(join(folder, 'node_modules/.bin/qstack'), args, { cwd: folder, stdio: ['ignore', 'pipe', 'inherit'] });
  const [line] = (await once(server.stdout as NonNullable<typeof server.stdout>, 'data')) as [Buffer];
  assert.match(line.toString(), /^listening 10\.0\.0\.1:7000 levels alarm > normal > bulk/);
  const [first, second] = await exchange(`${device}?client`, 7_000);
  assert.is(Buffer.from(first ?? []).toString('latin1'), 'none');
  assert.is(second?.length, 64);
  const ended = once(server, 'exit');
  server.kill('SIGTERM');
  assert.equal(await ended, [0, null]);
});

pack.run();
