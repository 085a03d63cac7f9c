// The set-up behind `npm start` and `npm test`, on a small clone whose compilers only write down that they were called.
import { spawnSync } from 'node:child_process';
import {
  chownSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
const NOBODY = 65_534;
const isRoot = process.getuid?.() === 0;
const COMPILER = `import { appendFileSync, mkdirSync, writeFileSync } from 'node:fs';
const variant = process.argv[process.argv.indexOf('--variant') + 1];
appendFileSync('calls.log', 'native ' + variant + '\\n');
mkdirSync('build/' + variant + '/node', { recursive: true });
writeFileSync('build/' + variant + '/node/qstack.node', '');
`;
const TYPESCRIPT = `const fs = require('node:fs');
if (process.argv.includes('stack/dashboard/page')) {
  fs.mkdirSync('dist/stack/dashboard/page', { recursive: true });
  fs.writeFileSync('dist/stack/dashboard/page/main.js', '');
  process.exit();
}
fs.appendFileSync('calls.log', 'typescript\\n');
fs.mkdirSync('dist/tools/start', { recursive: true });
fs.writeFileSync('dist/index.js', '');
fs.writeFileSync('dist/tools/start/main.js', 'console.log(JSON.stringify(process.argv.slice(2))); process.exitCode = 7;');
`;

const bootstrap = suite('bootstrap');
let clone = '';

function put(path: string, text: string): void {
  mkdirSync(dirname(join(clone, path)), { recursive: true });
  writeFileSync(join(clone, path), text);
}

bootstrap.before.each(() => {
  clone = mkdtempSync(join(tmpdir(), 'qstack-clone-'));
  spawnSync('chmod', ['755', clone]);
  for (const path of ['tools/bootstrap.mjs', 'deps/check.mjs', 'deps/install.mjs', 'deps/packages.json']) {
    mkdirSync(dirname(join(clone, path)), { recursive: true });
    copyFileSync(join(ROOT, path), join(clone, path));
  }
  put('package-lock.json', '{"packages":{"":{}}}');
  put('node_modules/.package-lock.json', '{"packages":{}}');
  put('node_modules/typescript/bin/tsc', TYPESCRIPT);
  put('node_modules/package.json', '{"type":"commonjs"}');
  put('tools/build-native.mjs', COMPILER);
  put('native/tcp/engine.cc', '// native');
  put('stack/app.ts', '// typescript');
});
bootstrap.after.each(() => rmSync(clone, { recursive: true }));

function run(task: string[], env: Record<string, string> = {}, uid?: number) {
  const args = [join(clone, 'tools/bootstrap.mjs'), ...task];
  const options = { cwd: clone, encoding: 'utf8' as const, env: { ...process.env, ...env } };
  return spawnSync(process.execPath, args, uid === undefined ? options : { ...options, uid, gid: uid });
}

function calls(): string[] {
  const log = join(clone, 'calls.log');
  return existsSync(log) ? readFileSync(log, 'utf8').trim().split('\n') : [];
}

bootstrap('a fresh clone is built in a line for each step, on stderr', () => {
  const { status, stdout, stderr } = run(['build']);
  assert.is(status, 0, stderr);
  assert.equal(calls(), ['native release', 'typescript']);
  assert.is(stdout, '');
  assert.match(stderr, /building the native core \(release\): done in [\d.]+ s/);
});

bootstrap('nothing is done twice, and only what changed is done again', () => {
  run(['build']);
  run(['build']);
  assert.is(calls().length, 2);
  put('stack/app.ts', '// changed');
  run(['build']);
  assert.equal(calls().slice(2), ['typescript']);
  put('native/tcp/engine.cc', '// changed');
  run(['build']);
  assert.equal(calls().slice(3), ['native release']);
});

bootstrap('an output that was removed is made again', () => {
  run(['build']);
  rmSync(join(clone, 'build/release'), { recursive: true });
  run(['build']);
  assert.equal(calls().slice(2), ['native release']);
});

bootstrap('a start hands its flags over, keeps stdout for the result, and ends as the task ends', () => {
  const { status, stdout } = run(['start', '--json', '--rate', '5k/s']);
  assert.is(stdout, '["--json","--rate","5k/s"]\n');
  assert.is(status, 7);
});

bootstrap('a step that fails shows what it said and ends with exit 1', () => {
  put('tools/build-native.mjs', 'console.error("no compiler"); process.exitCode = 3;');
  const { status, stderr } = run(['build']);
  assert.is(status, 1);
  assert.match(stderr, /no compiler\n[\s\S]*failed: .*build-native\.mjs/);
  assert.equal(calls(), []);
});

bootstrap('an ordinary user without the system packages is told the one command, and gets exit 2', () => {
  put('fake/dpkg-query', '#!/bin/sh\nexit 1\n');
  spawnSync('chmod', ['755', join(clone, 'fake/dpkg-query')]);
  const path = { PATH: `${join(clone, 'fake')}:${process.env.PATH}` };
  const { status, stdout, stderr } = run(['start'], path, isRoot ? NOBODY : undefined);
  assert.is(status, 2, stderr);
  assert.is(stdout, '');
  assert.is(stderr.match(/apt-get install/g)?.length, 1);
  assert.match(stderr, /apt-get update && apt-get install -y --no-install-recommends .*redis-server/);
  assert.equal(calls(), []);
});

if (isRoot) {
  bootstrap('a clone of another user is built as that user, although root asks for it', () => {
    for (const folder of ['', 'build', 'dist']) {
      mkdirSync(join(clone, folder), { recursive: true });
      chownSync(join(clone, folder), NOBODY, NOBODY);
    }
    const { status, stderr } = run(['build']);
    assert.is(status, 0, stderr);
    for (const made of ['calls.log', 'dist/index.js', 'build/release/node/qstack.node', 'build/stamps/typescript']) {
      assert.is(statSync(join(clone, made)).uid, NOBODY, made);
    }
  });
}

bootstrap.run();
