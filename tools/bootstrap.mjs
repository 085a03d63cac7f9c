// The door of `npm start`, `npm test`, `npm run build` and the other tasks: it needs nothing but Node, so it works in a fresh clone.
// In: a task and its arguments. Out: one line on stderr for each step of the set-up, then the task itself.
// A step whose inputs have not changed since it succeeded is not done again (stamps in build/stamps). Run as root in another
// user's clone, everything but the installation of system packages is done as that user.
import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, installCommand, missingPackages } from '../deps/check.mjs';
import { installMissing } from '../deps/install.mjs';

const ROOT = resolve(dirname(fileURLToPath(import.meta.url)), '..');
const STAMPS = join(ROOT, 'build/stamps');
const NODE_OLDEST = [20, 19];
const TSC = 'node_modules/typescript/bin/tsc';
const SKIPPED = new Set(['node_modules', 'build', 'dist', '.git']);

/** @param {string} text */
function say(text) {
  process.stderr.write(`qstack: ${text}\n`);
}

/** @param {string} text @param {number} code @returns {never} */
function stop(text, code) {
  say(text);
  process.exit(code);
}

/** Who a child runs as: the clone's owner when we are root and it is not. */
function identity() {
  const owner = statSync(ROOT);
  if (process.getuid?.() !== 0 || owner.uid === 0) return { env: process.env };
  const line = readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .map((entry) => entry.split(':'))
    .find((entry) => Number(entry[2]) === owner.uid);
  const home = line?.[5] && existsSync(line[5]) ? line[5] : join(ROOT, 'build');
  const env = {
    ...process.env,
    HOME: home,
    USER: line?.[0] ?? String(owner.uid),
    LOGNAME: line?.[0] ?? String(owner.uid),
  };
  for (const name of Object.keys(env))
    if (/^npm_config_(cache|userconfig|prefix|globalconfig)$/i.test(name)) delete (/** @type {any} */ (env)[name]);
  return { uid: owner.uid, gid: owner.gid, env };
}

/** A step's command: quiet when it succeeds, everything it said when it fails. @param {string[]} command */
function quietly(command) {
  const [file = '', ...args] = command;
  const { status, stdout, stderr, error } = spawnSync(file, args, {
    cwd: ROOT,
    encoding: 'utf8',
    maxBuffer: 2 ** 28,
    ...identity(),
  });
  if (status === 0) return;
  process.stderr.write(`${stdout ?? ''}${stderr ?? ''}${error ? `${error.message}\n` : ''}`);
  stop(`failed: ${command.join(' ')}`, 1);
}

/** Every file below the given files and folders. @param {string[]} names @returns {string[]} */
function filesOf(names) {
  return names.flatMap((name) => {
    const path = join(ROOT, name);
    if (!existsSync(path)) return [];
    if (!statSync(path).isDirectory()) return [name];
    const inside = readdirSync(path).filter((entry) => !SKIPPED.has(entry));
    return filesOf(inside.sort().map((entry) => join(name, entry)));
  });
}

/** @param {string[]} names @param {string[]} more */
function hashOf(names, more = []) {
  const hash = createHash('sha256');
  for (const name of filesOf(names))
    hash
      .update(`${name}\0`)
      .update(readFileSync(join(ROOT, name)))
      .update('\0');
  return hash.update(`${process.version}\0${process.arch}\0${more.join('\0')}`).digest('hex');
}

/**
 * @param {{ name: string, says: string, inputs: string[], more?: string[], outputs: string[], command: string[] }} step
 */
function step({ name, says, inputs, more, outputs, command }) {
  const stamp = join(STAMPS, name);
  const hash = hashOf(inputs, more);
  const done = existsSync(stamp) && readFileSync(stamp, 'utf8') === hash;
  if (done && outputs.every((output) => existsSync(join(ROOT, output)))) return;
  const started = Date.now();
  say(`${says} …`);
  quietly(command);
  writeFileAsOwner(stamp, hash);
  say(`${says}: done in ${((Date.now() - started) / 1000).toFixed(1)} s`);
}

/** @param {string} path @param {string} text */
function writeFileAsOwner(path, text) {
  const { uid } = /** @type {{ uid?: number }} */ (identity());
  if (uid === undefined) {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text);
  } else {
    quietly(['sh', '-c', 'mkdir -p "$(dirname "$1")" && printf %s "$2" > "$1"', 'sh', path, text]);
  }
}

function checkNode() {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  const [oldMajor = 0, oldMinor = 0] = NODE_OLDEST;
  if (process.platform !== 'linux') stop(`needs Linux; this is ${process.platform}`, 2);
  if (major > oldMajor || (major === oldMajor && minor >= oldMinor)) return;
  stop(`needs Node ${NODE_OLDEST.join('.')} or later; this is ${process.versions.node}`, 2);
}

/** @param {string[]} groups */
function systemPackages(groups) {
  const missing = missingPackages(groups);
  if (missing.length === 0) return;
  if (process.getuid?.() !== 0) {
    const lines = [
      'system packages are missing:',
      ...describe(missing),
      'this installs them, as root:',
      `  ${installCommand(missing)}`,
    ];
    stop(lines.join('\n'), 2);
  }
  say(`installing system packages: ${missing.map((item) => item.name).join(', ')} …`);
  try {
    installMissing(groups);
  } catch (error) {
    stop(error instanceof Error ? error.message : String(error), 1);
  }
}

/** What npm itself wrote down about node_modules, against the lockfile. */
function npmPackagesComplete() {
  const hidden = join(ROOT, 'node_modules/.package-lock.json');
  if (!existsSync(hidden)) return false;
  const read = (/** @type {string} */ path) =>
    /** @type {Record<string, any>} */ (JSON.parse(readFileSync(path, 'utf8')).packages);
  const [wanted, found] = [read(join(ROOT, 'package-lock.json')), read(hidden)];
  return Object.entries(wanted).every(([path, item]) => {
    if (path === '') return true;
    const same = found[path]?.version === item.version && found[path]?.integrity === item.integrity;
    return (same && existsSync(join(ROOT, path))) || (found[path] === undefined && item.optional === true);
  });
}

function npmPackages() {
  if (npmPackagesComplete()) return;
  say('installing npm packages by the lockfile …');
  quietly(['npm', 'ci', '--ignore-scripts', '--no-audit', '--no-fund']);
}

const NATIVE_INPUTS = ['native', 'meson.build', 'meson_options.txt', 'tools/build-native.mjs', 'package-lock.json'];

/** @param {string} variant @param {string} output */
function native(variant, output) {
  step({
    name: `native-${variant}`,
    says: `building the native core (${variant})`,
    inputs: [...NATIVE_INPUTS, ...(variant === 'release' ? [] : ['test/native', 'test/fuzz', 'test/script'])],
    more: [process.env.CI ?? ''],
    outputs: [output],
    command: [process.execPath, 'tools/build-native.mjs', '--variant', variant],
  });
}

function typescript() {
  step({
    name: 'typescript',
    says: 'compiling TypeScript',
    inputs: [
      'index.ts',
      'stack',
      'coroutine',
      'mempool',
      'apps',
      'tools',
      'test',
      'deps',
      'bin',
      'tsconfig.json',
      'package-lock.json',
    ],
    outputs: ['dist/index.js'],
    command: [process.execPath, TSC, '-p', 'tsconfig.json'],
  });
  step({
    name: 'page',
    says: "compiling the dashboard's page",
    inputs: ['stack/dashboard/page', 'stack/dashboard/snapshot.ts', 'tsconfig.json', 'package-lock.json'],
    outputs: ['dist/stack/dashboard/page/main.js'],
    command: [process.execPath, TSC, '-p', 'stack/dashboard/page'],
  });
}

/**
 * The task, in the foreground; ^C reaches it by the terminal, and we wait for its end.
 * @param {string[]} args @param {{ env: NodeJS.ProcessEnv }} who
 */
function hand(args, who = identity()) {
  const child = spawn(process.execPath, args, { cwd: ROOT, stdio: 'inherit', ...who });
  for (const signal of /** @type {const} */ (['SIGINT', 'SIGTERM', 'SIGHUP'])) {
    process.on(signal, () => {
      if (signal !== 'SIGINT' || !process.stdin.isTTY) child.kill(signal);
    });
  }
  child.on('exit', (code, signal) => process.exit(code ?? (signal ? 1 : 0)));
}

function main() {
  const [task = 'build', ...rest] = process.argv.slice(2);
  checkNode();
  const testing = ['script', 'test', 'fuzz', 'bench', 'tidy', 'interop', 'profile'];
  systemPackages(testing.includes(task) ? ['run', 'build', 'test'] : ['run', 'build']);
  npmPackages();
  native('release', 'build/release/node/qstack.node');
  typescript();
  if (task === 'start') return hand(['dist/tools/start/main.js', ...rest]);
  if (task === 'bench') return hand(['dist/tools/bench/main.js', ...rest]);
  if (task === 'profile') return hand(['dist/tools/profile/main.js', ...rest]);
  if (task === 'tidy') return hand(['dist/tools/tidy/main.js', ...rest]);
  // Namespaces are root's, whoever owns the clone.
  if (task === 'interop') return hand(['dist/test/interop/main.js', ...rest], { env: process.env });
  if (task === 'sim') return hand(['dist/tools/sim/main.js', ...rest]);
  if (task === 'soak') return hand(['dist/tools/soak/main.js', ...rest]);
  if (['test', 'script', 'fuzz'].includes(task)) native('asan', 'build/asan/build.ninja');
  if (task === 'fuzz') return hand(['dist/tools/fuzz/main.js', ...rest]);
  if (task === 'script') return hand(['dist/tools/script/main.js', ...rest]);
  if (task !== 'test') return say('built');
  native('tsan', 'build/tsan/build.ninja');
  return hand(['tools/test-runner.mjs', ...rest]);
}

main();
