// `npm run sim`: plans of the simulation from one seed on, for so long; or the table of throughputs.
// Out: progress and what was found on stderr, results on stdout, the seed as the last line. Exit 0: every promise was
// kept; 1: one was broken (the smallest command that shows it is printed); 2: usage.

import { writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { relative } from 'node:path';
import { Command, InvalidArgumentError } from 'commander';
import { inParallel } from '../fuzz/lanes.js';
import { commandOf, FEATURES, type Limits, PLANTS } from './limits.js';
import { type Finding, type Progress, type Result, ROOT, simulate } from './program.js';
import { shrink } from './shrink.js';
import { cells, differences, markdown, measure, readTable, TABLE_FILE, tableOf } from './table.js';

interface Options extends Limits {
  readonly seed?: number;
  readonly minutes?: number;
  readonly virtualHours?: number;
  readonly plans?: number;
  readonly trace?: true;
  readonly shrink: boolean;
  readonly table?: true;
  readonly variant: string;
  readonly json?: true;
}

/** A plan that takes longer than this while it is shrunk does not end. */
const PLAN_MS_MAX = 60_000;

const EXAMPLES = `
Examples:
  npm run sim -- --seed 1 --minutes 30          plans 1, 2, 3 … for half an hour
  npm run sim -- --virtual-hours 10             from a fresh seed, until their clocks have counted ten hours
  npm run sim -- --seed 7 --plans 1 --trace     one plan, with every segment on stderr
  npm run sim -- --seed 7 --plans 1 --without sack,crashes --transfers 0,3
  npm run sim -- --table                        measures the table of throughputs and writes test/sim/throughput.md

Features that --without leaves out:
  ${FEATURES.join(' ').replace(/(.{60,90}) /g, '$1\n  ')}
`;

function positive(text: string): number {
  const value = Number(text.replaceAll('_', ''));
  if (value > 0) return value;
  throw new InvalidArgumentError('a number above 0 is expected');
}

function whole(text: string): number {
  const value = Number(text.replaceAll('_', ''));
  if (Number.isSafeInteger(value) && value >= 0) return value;
  throw new InvalidArgumentError('a whole number is expected');
}

function numbers(text: string): number[] {
  if (text === 'none') return [];
  return text.split(',').map(whole);
}

function features(text: string): string[] {
  const names = text.split(',');
  const unknown = names.find((name) => !FEATURES.includes(name));
  if (unknown === undefined) return names;
  throw new InvalidArgumentError(`there is no feature ${unknown}; --help lists them`);
}

function plant(text: string): string {
  if (PLANTS.includes(text)) return text;
  throw new InvalidArgumentError(`one of ${PLANTS.join(', ')} is expected`);
}

function command(): Command {
  return new Command('sim')
    .description('runs stacks against each other on a virtual clock and a network that goes wrong, and checks them')
    .option('--seed <n>', 'of the first plan; the next ones follow (default: a fresh one)', whole)
    .option('--minutes <m>', 'of real time, fractions allowed (default: 1, or no bound with another one)', positive)
    .option('--virtual-hours <h>', 'of simulated time', positive)
    .option('--plans <n>', 'how many plans', whole)
    .option('--hosts <n>', 'at most', whole)
    .option('--transfers <list>', 'only transfers with these numbers', numbers)
    .option('--faults <list>', 'only faults with these numbers; none', numbers)
    .option('--bytes <n>', 'of one direction of a transfer, at most', whole)
    .option('--without <features>', 'leaves features out of every plan', features)
    .option('--plant <fault>', `a fault that must be found: ${PLANTS.join(', ')}`, plant)
    .option('--trace', 'every segment on stderr')
    .option('--no-shrink', 'a failing plan is printed as it is')
    .option('--variant <name>', 'build to run: release, or asan where `npm test` has built it', 'release')
    .option('--table', 'measures the table of throughputs and writes it')
    .option('--json', 'the result as JSON on stdout')
    .addHelpText('after', EXAMPLES)
    .exitOverride((error) => process.exit(error.exitCode === 0 ? 0 : 2));
}

function show(progress: Progress, startedMs: number): void {
  if (!process.stderr.isTTY) return;
  const seconds = Math.round((Date.now() - startedMs) / 1_000);
  const { plans, segments, seed } = progress;
  process.stderr.write(
    `\r${seconds} s  ${plans} plans  ${segments.toLocaleString('en-US')} segments  seed ${seed}\x1b[K`,
  );
}

function limitsOf({ hosts, transfers, faults, bytes, without, plant }: Options): Limits {
  return { hosts, transfers, faults, bytes, without, plant };
}

async function smallest(finding: Finding, limits: Limits, variant: string): Promise<Limits> {
  process.stderr.write(`seed ${finding.seed} breaks: ${finding.sentence}\n${finding.detail}\nshrinking …\n`);
  const fails = async (smaller: Limits) => {
    const work = { seed: finding.seed, plans: 1, limits: smaller };
    const result = await simulate(variant, work, undefined, PLAN_MS_MAX);
    return result.finding?.sentence === finding.sentence ? result.finding : undefined;
  };
  const shrunk = await shrink(finding, limits, fails);
  process.stderr.write(`the smallest of ${shrunk.runs} plans that still break it: ${shrunk.finding.detail}\n`);
  return shrunk.limits;
}

function summary({ plans, segments, virtualSeconds, cpuSeconds }: Result): string {
  const rate = Math.round(segments / Math.max(cpuSeconds, 1e-3)).toLocaleString('en-US');
  return `${plans} plans, ${segments.toLocaleString('en-US')} segments in ${virtualSeconds.toFixed(0)} virtual seconds; ${rate} segments/s of CPU time`;
}

async function run(options: Options): Promise<void> {
  const seed = options.seed ?? Date.now() % 1_000_000_000;
  const bounded = options.plans !== undefined || options.virtualHours !== undefined;
  const seconds = options.minutes !== undefined ? options.minutes * 60 : bounded ? undefined : 60;
  const limits = limitsOf(options);
  const startedMs = Date.now();
  const work = {
    seed,
    seconds,
    plans: options.plans,
    virtualHours: options.virtualHours,
    limits,
    trace: options.trace,
  };
  const result = await simulate(options.variant, work, (progress) => show(progress, startedMs));
  if (process.stderr.isTTY) process.stderr.write('\r\x1b[K');
  const { finding } = result;
  const small = finding && (options.shrink ? await smallest(finding, limits, options.variant) : limits);
  const replay = finding && small && commandOf(finding.seed, small);
  if (options.json) process.stdout.write(`${JSON.stringify({ seed, ...result, replay })}\n`);
  else process.stdout.write(`${summary(result)}\n`);
  if (finding) {
    process.exitCode = 1;
    process.stderr.write(`broken: ${finding.sentence}\nreplay: ${replay}\n`);
  }
  if (!options.json) process.stdout.write(`seed ${finding?.seed ?? seed}\n`);
}

async function makeTable(options: Options): Promise<void> {
  let done = 0;
  const all = cells();
  const values = await inParallel(all, availableParallelism(), async (cell) => {
    const mbit = await measure(cell);
    done += 1;
    if (process.stderr.isTTY) process.stderr.write(`\r${done} of ${all.length} cells\x1b[K`);
    return [cell, mbit] as const;
  });
  if (process.stderr.isTTY) process.stderr.write('\r\x1b[K');
  const table = tableOf(values);
  let changed: string[] = [];
  try {
    changed = differences(table, readTable());
  } catch {
    // There is none yet, or one of another shape: it is replaced.
  }
  writeFileSync(TABLE_FILE, markdown(table));
  if (options.json) process.stdout.write(`${JSON.stringify(values.map(([cell, mbit]) => ({ ...cell, mbit })))}\n`);
  else process.stdout.write(markdown(table));
  process.stderr.write(`${relative(ROOT, TABLE_FILE)} written; ${changed.length} cells differ from before\n`);
  for (const line of changed) process.stderr.write(`  ${line}\n`);
}

async function main(argv: readonly string[]): Promise<void> {
  const options = command().parse(argv, { from: 'user' }).opts<Options>();
  await (options.table ? makeTable(options) : run(options));
}

await main(process.argv.slice(2)).catch((error: unknown) => {
  process.stderr.write(`sim: ${error instanceof Error ? error.message : error}\n`);
  process.exit(2);
});
