// Builds the native code: `node tools/build-native.mjs [--variant release|asan|tsan]`.
// In: the sources. Out: build/<variant> by Meson and ninja (with a sanitizer: the test programs); for release also the addon,
// build/release/node/qstack.node, by node-gyp. Quiet when nothing changed; on a failure the tools' own output, and their exit code.
import { spawnSync } from 'node:child_process';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { availableParallelism } from 'node:os';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const ROOT = resolve(dirname(fileURLToPath(import.meta.url)), '..');

/** Compilers at a time: all cores, unless the environment wants fewer. */
const JOBS = process.env.QSTACK_JOBS ?? String(availableParallelism());

/** Several sources are compiled at a time: their headers are read once. */
const UNITY = ['-Dunity=on', '-Dunity_size=12'];

/** A build with a sanitizer is made to be compiled quickly: no more optimization than keeps the tests quick, of debugging data
 * the lines for stack traces, the quicker linker. @param {string} sanitizers */
const sanitized = (sanitizers) => [
  ...UNITY,
  '-Dbuildtype=custom',
  '-Doptimization=1',
  '-Ddebug=true',
  '-Dcpp_args=-g1',
  '-Dcpp_link_args=-fuse-ld=gold',
  `-Db_sanitize=${sanitizers}`,
  '-Db_lundef=false',
];

/** Meson options per variant. Sanitizers run native test programs and fuzzers, never the addon. @type {Record<string, string[]>} */
const VARIANTS = {
  release: [...UNITY, '-Dbuildtype=release', '-Ddebug=true', '-Db_ndebug=false'],
  asan: [...sanitized('address,undefined'), '-Dfuzz=true'],
  tsan: sanitized('thread'),
};

/** Sanitizers and libFuzzer are clang's; a compiler cache in front of the usual compiler stays in front. */
const CLANG = Object.fromEntries(
  [
    ['CC', 'clang'],
    ['CXX', 'clang++'],
  ].map(([name = '', compiler]) => [name, process.env[name]?.startsWith('ccache ') ? `ccache ${compiler}` : compiler]),
);

/** Runs a tool; its output is shown only when it fails. @param {string} file @param {string[]} args @param {object} [env] */
function run(file, args, env = {}) {
  const result = spawnSync(file, args, {
    cwd: ROOT,
    encoding: 'utf8',
    maxBuffer: 1 << 28,
    env: { ...process.env, ...env },
  });
  if (result.error) {
    console.error(`${file} cannot be run: ${result.error.message}`);
    process.exit(1);
  }
  if (result.status === 0) return result.stdout;
  process.stderr.write(`${file} ${args.join(' ')}\n${result.stdout}${result.stderr}`);
  process.exit(result.status ?? 1);
}

/** One build of a variant at a time: a second waits for the first. @param {string} file */
function lock(file) {
  mkdirSync(dirname(file), { recursive: true });
  for (let told = false; ; told = true) {
    try {
      writeFileSync(file, `${process.pid}`, { flag: 'wx' });
      process.on('exit', () => rmSync(file, { force: true }));
      return;
    } catch (error) {
      if (/** @type {NodeJS.ErrnoException} */ (error).code !== 'EEXIST') throw error;
    }
    const owner = Number(existsSync(file) ? readFileSync(file, 'utf8') : 0);
    if (!told) console.log(`waiting for another build (process ${owner})`);
    if (owner > 0 && !existsSync(`/proc/${owner}`)) rmSync(file, { force: true });
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 200);
  }
}

/** @param {string} variant */
function configure(variant) {
  const folder = join(ROOT, 'build', variant);
  const options = [
    ...(VARIANTS[variant] ?? []),
    `-Dtests=${variant !== 'release'}`,
    `-Dwerror=${process.env.CI !== undefined && process.env.CI !== ''}`,
  ];
  const known = join(folder, 'qstack-options');
  const wanted = options.join(' ');
  if (existsSync(join(folder, 'build.ninja')) && existsSync(known) && readFileSync(known, 'utf8') === wanted)
    return folder;
  rmSync(folder, { recursive: true, force: true }); // Meson keeps a folder's compiler whatever it is told.
  run('meson', ['setup', folder, ROOT, ...options], variant === 'release' ? {} : CLANG);
  writeFileSync(known, wanted);
  return folder;
}

/** Folder with Node's headers, when npm is told of one: then node-gyp needs no download. */
function headers() {
  const result = spawnSync('npm', ['config', 'get', 'nodedir'], { cwd: ROOT, encoding: 'utf8' });
  const nodedir = result.status === 0 ? result.stdout.trim() : '';
  if (nodedir !== '' && nodedir !== 'undefined' && nodedir !== 'null') return [`--nodedir=${nodedir}`];
  // The headers that were installed together with this Node, where there are any.
  const prefix = dirname(dirname(process.execPath));
  return existsSync(join(prefix, 'include/node/node_api.h')) ? [`--nodedir=${prefix}`] : [];
}

/** gyp's Makefile does not know that the addon depends on the static libraries. @param {string} gypBuild @param {string} folder */
function relinkWhenOlder(gypBuild, folder) {
  const built = ['Release/qstack.node', 'Release/obj.target/qstack.node'].map((path) => join(gypBuild, path));
  const linked = Math.min(...built.map((path) => (existsSync(path) ? statSync(path).mtimeMs : 0)));
  const libraries = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.a'));
  if (!libraries.some((name) => statSync(join(folder, name)).mtimeMs > linked)) return;
  for (const path of built) rmSync(path, { force: true });
}

/** @param {string} folder of Meson's build */
function buildAddon(folder) {
  const libraries = run('pkg-config', ['--libs', 'libdpdk']).trim();
  const gyp = join(ROOT, 'native/node');
  const work = join(folder, 'node');
  const gypBuild = join(gyp, 'build');
  const settings = [`--meson_build=${folder}`, `--dpdk_libs=${libraries}`];
  const stamp = join(work, 'gyp-settings');
  const wanted = [...settings, process.version, readFileSync(join(gyp, 'binding.gyp'), 'utf8')].join('\n');
  mkdirSync(work, { recursive: true });
  const nodeGyp = [join(ROOT, 'node_modules/node-gyp/bin/node-gyp.js'), '--directory', gyp, '--silent'];
  if (!existsSync(join(gypBuild, 'Makefile')) || !existsSync(stamp) || readFileSync(stamp, 'utf8') !== wanted) {
    run(process.execPath, [
      ...nodeGyp,
      'configure',
      ...headers(),
      '--',
      ...settings.map((text) => `-D${text.slice(2)}`),
    ]);
    writeFileSync(stamp, wanted);
  }
  relinkWhenOlder(gypBuild, folder);
  run('make', ['--no-print-directory', `-j${JOBS}`, 'BUILDTYPE=Release', '-C', gypBuild]);
  const built = join(gypBuild, 'Release/qstack.node');
  const placed = join(work, 'qstack.node');
  if (existsSync(placed) && readFileSync(placed).equals(readFileSync(built))) return;
  // A process that has the old one loaded keeps it: the new file gets its own inode.
  copyFileSync(built, `${placed}.new`);
  renameSync(`${placed}.new`, placed);
  console.log(`${relative(ROOT, placed)} built`);
}

/** What is built with a sanitizer: what runs with it, and of ThreadSanitizer what tests the sharing of threads.
 * @param {string} variant @param {string} folder @returns {string[]} */
function ninjaTargets(variant, folder) {
  if (variant === 'asan')
    return [...testPrograms(folder, 'asan'), 'fuzzers', 'test/script/play', 'native/sim/qstack_sim'];
  if (variant === 'tsan') return testPrograms(folder, 'tsan');
  return ['all'];
}

/** @param {string} folder @param {string} variant @returns {string[]} */
function testPrograms(folder, variant) {
  const tests = JSON.parse(run('meson', ['introspect', '--tests', folder]));
  const programs = tests
    .filter(
      (/** @type {{ suite: string[] }} */ test) =>
        variant !== 'tsan' || test.suite.some((name) => name.endsWith('tsan')),
    )
    .map((/** @type {{ cmd: string[] }} */ test) => relative(folder, test.cmd[0] ?? ''));
  return [...new Set(programs)];
}

const { values } = parseArgs({ options: { variant: { type: 'string', default: 'release' } } });
if (!(values.variant in VARIANTS)) {
  console.error(`--variant ${values.variant}: one of ${Object.keys(VARIANTS).join(', ')} is expected`);
  process.exit(2);
}
lock(join(ROOT, 'build', `${values.variant}.lock`));
const folder = configure(values.variant);
run('ninja', ['-C', folder, `-j${JOBS}`, ...ninjaTargets(values.variant, folder)]);
if (values.variant === 'release') buildAddon(folder);
