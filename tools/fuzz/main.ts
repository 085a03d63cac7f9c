// `npm run fuzz`: every target, or one, for so many minutes each; two at a time.
// Out: a table of executions and coverage; with a finding its input, what it broke, how to replay it, and exit 1.
import { spawnSync } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { relative } from 'node:path';
import Table from 'cli-table3';
import { Command, InvalidArgumentError } from 'commander';
import { inParallel } from './lanes.js';
import { type FuzzResult, fuzz, merge } from './libfuzzer.js';
import { NATIVE_TARGETS, type NativeTarget, PROPERTY_TARGETS, type PropertyTarget, placesOf, ROOT } from './targets.js';

interface Options {
  readonly minutes: number;
  readonly target?: string;
  readonly cases: number;
  readonly jobs: number;
  readonly seed: number;
  readonly merge?: true;
  readonly json?: true;
}

const NAMES = [...NATIVE_TARGETS, ...PROPERTY_TARGETS].map(({ name }) => name);

function positive(text: string): number {
  const value = Number(text.replaceAll('_', ''));
  if (value > 0) return value;
  throw new InvalidArgumentError('a number above 0 is expected');
}

function known(name: string): string {
  if (NAMES.includes(name)) return name;
  throw new InvalidArgumentError(`one of ${NAMES.join(', ')} is expected`);
}

function command(): Command {
  return new Command('fuzz')
    .description('fuzzes the native targets by libFuzzer and the TypeScript ones by fast-check')
    .option('--minutes <n>', 'time for each native target', positive, 1)
    .option('--target <name>', `one of ${NAMES.join(', ')}`, known)
    .option('--cases <n>', 'cases for each TypeScript target', positive, 1_000_000)
    .option('--jobs <n>', 'targets at a time', positive, availableParallelism())
    .option('--seed <n>', 'of the first run of each target', positive, 0)
    .option('--merge', 'no fuzzing: adds what was found to the committed inputs, as few of them as possible')
    .option('--json', 'results as JSON on stdout')
    .exitOverride((error) => process.exit(error.exitCode === 0 ? 0 : 2));
}

function percent(part: number, whole: number): string {
  return whole === 0 ? '' : `${((100 * part) / whole).toFixed(1)} %`;
}

function table(results: readonly FuzzResult[]): string {
  const rows = new Table({
    head: ['target', 'executions', 'per second', 'edges', 'of', '', 'inputs', 'seed'],
    style: { head: [], border: [], compact: true },
  });
  for (const r of results) {
    const perSecond = Math.round(r.executions / r.seconds);
    rows.push([
      r.target,
      r.executions,
      perSecond,
      r.edges,
      r.edgesTotal,
      percent(r.edges, r.edgesTotal),
      r.inputs,
      r.seed,
    ]);
  }
  return rows.toString();
}

function describeFinding({ target, finding }: FuzzResult): string {
  const file = finding?.file === undefined ? '' : relative(ROOT, finding.file);
  const program = relative(ROOT, placesOf(target).program);
  return `${finding?.output.slice(-6_000)}\n${target}: broken by ${file}\nreplay: ${program} ${file}`;
}

/** The properties' own tests with more cases. A failure is shown with its seed and the smallest case. */
function runProperties({ name, tests }: PropertyTarget, cases: number): boolean {
  process.stderr.write(`${name}: ${cases} cases of each property\n`);
  const env = { ...process.env, QSTACK_CASES: String(cases) };
  const run = (test: string) =>
    spawnSync(process.execPath, [`dist/test/${test}.test.js`], { cwd: ROOT, env, stdio: ['ignore', 2, 2] });
  return tests.every((test) => run(test).status === 0);
}

async function fuzzAll(targets: readonly NativeTarget[], options: Options): Promise<boolean> {
  const results = await inParallel(targets, options.jobs, (target) => fuzz(target, options.minutes * 60, options.seed));
  if (results.length > 0) process.stderr.write(`${table(results)}\n`);
  if (options.json)
    process.stdout.write(`${JSON.stringify(results.map(({ finding, ...r }) => ({ ...r, finding: finding?.file })))}\n`);
  const broken = results.filter(({ finding }) => finding !== undefined);
  for (const result of broken) process.stderr.write(`${describeFinding(result)}\n`);
  return broken.length === 0;
}

async function main(argv: readonly string[]): Promise<void> {
  const options = command().parse(argv, { from: 'user' }).opts<Options>();
  const chosen = ({ name }: { readonly name: string }) => options.target === undefined || options.target === name;
  const native = NATIVE_TARGETS.filter(chosen);
  if (options.merge) {
    for (const target of native) await merge(target);
    return;
  }
  let well = await fuzzAll(native, options);
  for (const property of PROPERTY_TARGETS.filter(chosen)) well = runProperties(property, options.cases) && well;
  if (!well) process.exitCode = 1;
}

await main(process.argv.slice(2));
