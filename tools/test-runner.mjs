// Runs the tests: compiled uvu files (dist/test/**/*.test.js) and native doctest executables (from Meson's own list).
// In: names on the command line select files whose path contains one of them (`npm test -- tcp`). Out: one line per file, the
// output of those that fail, and as the last line `N passed, N failed`; exit 1 when anything failed or nothing ran.
// uvu exits 0 when a suite's `.run()` was forgotten and has no time limit; so each file is its own process with a watchdog,
// must report at least one test, and is read for suites that are never run.
import { execFileSync, spawn } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = resolve(dirname(fileURLToPath(import.meta.url)), '..');
const WHOLE_RUN_MS = 2_400_000;
const FILE_MS = 120_000;
const AFTER_SUMMARY_MS = 10_000;
// biome-ignore lint/suspicious/noControlCharactersInRegex: the colours of a test's output are escape sequences
const COLOURS = /\u001b\[[0-9;]*m/g;

/** @typedef {{ label: string, command: string[], env?: Record<string, string>, limitMs: number, read: (out: string) => Count }} Job */
/** @typedef {{ passed: number, failed: number, skipped: number, fault?: string }} Count */

/** @param {string} folder @param {string} suffix @returns {string[]} */
export function filesBelow(folder, suffix) {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith(suffix))
    .sort()
    .map((name) => join(folder, name));
}

/** Suites of a uvu file that are made but never run. @param {string} source @returns {string[]} */
export function suitesNotRun(source) {
  const names = [...source.matchAll(/\b(?:const|let)\s+(\w+)\s*=\s*suite\b/g)].map((match) => match[1] ?? '');
  if (/import\s*\{[^}]*\btest\b[^}]*\}\s*from\s*['"]uvu['"]/.test(source)) names.push('test');
  return names.filter((name) => !new RegExp(`\\b${name}\\.run\\(\\)`).test(source));
}

/** @param {string} out @returns {Count} */
export function readUvu(out) {
  const sum = { passed: 0, failed: 0, skipped: 0 };
  const text = out.replace(COLOURS, '');
  for (const [, total, passed, skipped] of text.matchAll(/Total:\s+(\d+)\s+Passed:\s+(\d+)\s+Skipped:\s+(\d+)/g)) {
    sum.passed += Number(passed);
    sum.failed += Number(total) - Number(passed);
    sum.skipped += Number(skipped);
  }
  return sum;
}

/** What doctest calls skipped are the cases of the program's other files. @param {string} out @returns {Count} */
export function readDoctest(out) {
  const sum = { passed: 0, failed: 0, skipped: 0 };
  const line = /test cases:\s*\d+\s*\|\s*(\d+) passed\s*\|\s*(\d+) failed/g;
  for (const [, passed, failed] of out.replace(COLOURS, '').matchAll(line)) {
    sum.passed += Number(passed);
    sum.failed += Number(failed);
  }
  return sum;
}

/** A file may ask for another limit in a comment: `watchdog: 240s`. @param {string} source @returns {number} */
function limitOf(source) {
  const asked = /watchdog: (\d+)s/.exec(source);
  return asked ? Number(asked[1]) * 1000 : FILE_MS;
}

/** @param {string} file @returns {Job} */
function uvuJob(file) {
  const label = relative(ROOT, file)
    .replace(/^dist\//, '')
    .replace(/\.js$/, '.ts');
  const source = readFileSync(file, 'utf8');
  const forgotten = suitesNotRun(source);
  const read = (/** @type {string} */ out) => {
    const sum = readUvu(out);
    if (forgotten.length > 0) return { ...sum, fault: `suite without .run(): ${forgotten.join(', ')}` };
    if (/\b\w+\.only\(/.test(source)) return { ...sum, fault: 'a .only( was left in the file' };
    return sum;
  };
  return { label, command: [process.execPath, '--enable-source-maps', file], limitMs: limitOf(source), read };
}

/** Test executables of one Meson build folder. @param {string} variant @returns {Job[]} */
function nativeJobs(variant) {
  const folder = join(ROOT, 'build', variant);
  if (!existsSync(join(folder, 'meson-info'))) return [];
  const listed = JSON.parse(execFileSync('meson', ['introspect', '--tests', folder], { encoding: 'utf8' }));
  const wanted = variant === 'tsan' ? listed.filter(inTsanSuite) : listed;
  return wanted.map((/** @type {any} */ test) => ({
    label: `test/native/${test.name} (${variant})`,
    command: variant === 'tsan' ? ['setarch', '-R', ...test.cmd] : test.cmd,
    env: { ...test.env, ...sanitizerEnv },
    limitMs: (test.timeout || 120) * 1000,
    read: readDoctest,
  }));
}

/** @param {{ suite: string[] }} test */
function inTsanSuite(test) {
  return test.suite.some((name) => name.split(':').includes('tsan'));
}

const sanitizerEnv = {
  ASAN_OPTIONS: 'detect_stack_use_after_return=1',
  UBSAN_OPTIONS: 'halt_on_error=1:print_stacktrace=1',
  TSAN_OPTIONS: 'halt_on_error=1',
};

/**
 * One process, its own process group, so that what it started ends with it.
 * @param {Job} job @param {number} limitMs @returns {Promise<{ out: string, code: number | null, ms: number, fault?: string }>}
 */
function runProcess(job, limitMs) {
  return new Promise((done) => {
    const started = Date.now();
    const [file = '', ...args] = job.command;
    const child = spawn(file, args, {
      cwd: ROOT,
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, ...job.env },
    });
    let out = '';
    /** @type {string | undefined} */ let fault;
    let finished = false;
    const stop = (/** @type {string} */ why) => {
      fault = why;
      endGroup(child.pid);
    };
    const watchdog = setTimeout(() => stop(`watchdog: still running after ${limitMs / 1000} s`), limitMs);
    /** @type {NodeJS.Timeout | undefined} */ let linger;
    const take = (/** @type {Buffer} */ bytes) => {
      out += bytes.toString('utf8');
      if (linger === undefined && out.includes('  Duration:  ')) {
        linger = setTimeout(() => stop('did not end after its summary: a handle was left open'), AFTER_SUMMARY_MS);
      }
    };
    child.stdout.on('data', take);
    child.stderr.on('data', take);
    const end = (/** @type {number | null} */ code) => {
      if (finished) return;
      finished = true;
      clearTimeout(watchdog);
      clearTimeout(linger);
      endGroup(child.pid);
      done({ out, code, ms: Date.now() - started, ...(fault ? { fault } : {}) });
    };
    child.on('error', (error) => {
      fault = error.message;
      end(null);
    });
    child.on('exit', (code) => setTimeout(end, 50, code));
  });
}

/** @param {number | undefined} pid */
function endGroup(pid) {
  if (pid === undefined) return;
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // The group has ended by itself.
  }
}

/** @param {Job} job @param {number} deadline @returns {Promise<Count & { ms: number, out: string }>} */
async function runJob(job, deadline) {
  const left = deadline - Date.now();
  if (left <= 0)
    return { passed: 0, failed: 1, skipped: 0, ms: 0, out: '', fault: 'not run: the whole run took too long' };
  const result = await runProcess(job, Math.min(job.limitMs, left));
  const count = job.read(result.out);
  const fault = result.fault ?? count.fault ?? faultOf(count, result.code);
  const failed = fault && count.failed === 0 ? 1 : count.failed;
  return { ...count, failed, ms: result.ms, out: result.out, ...(fault ? { fault } : {}) };
}

/** @param {Count} count @param {number | null} code @returns {string | undefined} */
function faultOf(count, code) {
  if (count.failed > 0) return `${count.failed} failed`;
  if (code !== 0) return `ended with ${code === null ? 'a signal' : `exit code ${code}`}`;
  if (count.passed + count.skipped === 0) return 'ran no test at all';
  return undefined;
}

/** Native programs first, which mostly compute; then files that mostly wait for processes that they started.
 * @param {string[]} filters @param {string[]} variants @returns {Job[]} */
function collect(filters, variants) {
  const jobs = [
    ...variants.flatMap(nativeJobs),
    ...filesBelow(join(ROOT, 'dist/test'), '.test.js').filter(hasSource).map(uvuJob),
  ];
  return filters.length === 0 ? jobs : jobs.filter((job) => filters.some((filter) => job.label.includes(filter)));
}

/** A compiled file whose source was deleted is not a test any more. @param {string} file */
function hasSource(file) {
  return existsSync(join(ROOT, relative(join(ROOT, 'dist'), file).replace(/\.js$/, '.ts')));
}

/** @param {string[]} args */
async function main(args) {
  const deadline = Date.now() + WHOLE_RUN_MS;
  const native = args.find((arg) => arg.startsWith('--native='));
  const variants =
    native === undefined ? ['asan', 'tsan'] : native.slice('--native='.length).split(',').filter(Boolean);
  const verbose = args.includes('--verbose');
  const jobs = collect(
    args.filter((arg) => !arg.startsWith('--')),
    variants,
  );
  let passed = 0;
  let failed = 0;
  const run = async (/** @type {Job} */ job) => {
    const result = await runJob(job, deadline);
    passed += result.passed;
    failed += result.failed;
    const skipped = result.skipped > 0 ? `, ${result.skipped} skipped` : '';
    const verdict = result.fault ? `FAIL: ${result.fault}` : 'ok';
    console.log(`${job.label}  ${result.passed} passed${skipped}  ${(result.ms / 1000).toFixed(1)} s  ${verdict}`);
    if (result.fault || verbose) console.log(result.out.trimEnd().replace(/^/gm, '    '));
  };
  if (jobs.length === 0) console.log(`no test matches ${args.join(' ') || '(nothing is built)'}`);
  // From both ends at once, so that something that computes runs beside something that waits.
  const drain = async (/** @type {() => Job | undefined} */ next) => {
    for (let job = next(); job !== undefined; job = next()) await run(job);
  };
  await Promise.all([drain(() => jobs.shift()), drain(() => jobs.pop())]);
  console.log(`${passed} passed, ${failed} failed`);
  process.exitCode = failed > 0 || passed === 0 ? 1 : 0;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  await main(process.argv.slice(2));
}
