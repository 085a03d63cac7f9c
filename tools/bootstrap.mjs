// The door of `npm start`, `npm test` and `npm run build`; it needs nothing but Node.
// In: a task and its arguments. Out: the set-up that is missing, a line for each step, then the task itself.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = resolve(dirname(fileURLToPath(import.meta.url)), '..');

/** @param {string} file @param {string[]} args */
function run(file, args) {
  const { status } = spawnSync(file, args, { cwd: ROOT, stdio: 'inherit' });
  if (status !== 0) process.exit(status ?? 1);
}

const [task = 'build', ...rest] = process.argv.slice(2);
if (!existsSync(join(ROOT, 'node_modules/typescript'))) run('npm', ['ci']);
const native = join(ROOT, 'tools/build-native.mjs');
if (existsSync(native)) {
  run(process.execPath, [native]);
  if (task === 'test') {
    run(process.execPath, [native, '--variant', 'asan', '--tests']);
    run(process.execPath, [native, '--variant', 'tsan', '--tests']);
  }
}
run(process.execPath, [join(ROOT, 'node_modules/typescript/bin/tsc'), '-p', 'tsconfig.json']);
if (task === 'test') run(process.execPath, [join(ROOT, 'tools/test-runner.mjs'), ...rest]);
if (task === 'start') run(process.execPath, [join(ROOT, 'dist/tools/start/main.js'), ...rest]);
