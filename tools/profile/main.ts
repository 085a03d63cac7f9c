// `npm run profile -- WHAT`: instructions per packet, or where time goes in app threads and in native threads.
// Out: tables on stdout, or JSON; progress on stderr. Exit 0 ok, 1 it failed or packets cost more than they may, 2 usage.
import { existsSync } from 'node:fs';
import { join, relative } from 'node:path';
import { Command, InvalidArgumentError } from 'commander';
import { parseCount, parseDurationMs, parseRatePerS } from '../../stack/config/units.js';
import { ROOT } from '../bench/places.js';
import { profileApp } from './app.js';
import {
  type InstructionTable,
  incomparable,
  measureFunctions,
  measureInstructions,
  readTable,
  TABLE_FILE,
  tableText,
  worse,
  writeTable,
} from './instructions.js';
import { largest, largestText, type Profile } from './largest.js';
import type { Load } from './load.js';
import { profileStack } from './stack.js';

const EXAMPLES = `
Examples:
  npm run profile -- instructions              instructions per packet beside those of the table
  npm run profile -- instructions --functions  and which functions they are spent in
  npm run profile -- instructions --update     after a change that is worth it: writes the table
  npm run profile -- app                       JavaScript of iotepserver's threads, saturated by mcc
  npm run profile -- app --clinic              clinic's flame graph of its handlers
  npm run profile -- app --duration 10s bin/qstack.mjs run server.js --host-ip 10.0.0.1/16
  npm run profile -- stack --connections 100k --duration 10s
  npm run profile -- stack --pid 4711          of a process that runs already
  npm run --silent profile -- stack --json`;

const say = (line: string) => void process.stderr.write(`profile: ${line}\n`);

function read<T>(parse: (text: string) => T | undefined, accepts: string) {
  return (text: string): T => {
    const value = parse(text);
    if (value !== undefined) return value;
    throw new InvalidArgumentError(`${accepts} is expected`);
  };
}

const positive = read((text) => {
  const value = parseCount(text);
  return value !== undefined && value > 0 ? value : undefined;
}, 'a whole number above 0');
const duration = read((text) => parseDurationMs(text), 'a duration such as 10s');
const rate = read(parseRatePerS, 'a rate such as 20k/s');

interface InstructionOptions {
  readonly functions?: true;
  readonly update?: true;
  readonly check?: true;
  readonly table?: string;
  readonly top: number;
  readonly json?: true;
}

async function instructions(options: InstructionOptions): Promise<void> {
  const { table = TABLE_FILE, top, json } = options;
  const now = await measureInstructions();
  const profiles = options.functions ? await measureFunctions() : [];
  const before = existsSync(table) ? readTable(table) : undefined;
  const { why, faults } = comparison(now, before, relative(ROOT, table));
  if (json) {
    const shares = Object.fromEntries(profiles.map((one) => [one.name, largest(one, top)]));
    print({ ...now, before: before?.instructions, compared: why === undefined, faults, functions: shares });
  } else {
    process.stdout.write(`${tableText(now.instructions, before?.instructions)}\n`);
    tell(profiles, top, (cost) => cost.toFixed(1));
  }
  for (const line of why === undefined ? faults : [why, ...faults]) say(line);
  if (options.update) {
    writeTable(table, now);
    say(`${relative(ROOT, table)} written`);
  } else if (options.check && faults.length > 0) process.exitCode = 1;
}

/** What a check finds, and why it may compare nothing. */
function comparison(now: InstructionTable, before: InstructionTable | undefined, file: string) {
  if (before === undefined)
    return { why: undefined, faults: [`there is no ${file} to compare with: --update writes it`] };
  const why = incomparable(now, before);
  return { why, faults: why === undefined ? worse(now.instructions, before.instructions) : [] };
}

function print(value: unknown): void {
  process.stdout.write(`${JSON.stringify(value)}\n`);
}

function tell(profiles: readonly Profile[], top: number, format: (cost: number) => string): void {
  for (const profile of profiles) process.stdout.write(`\n${largestText(profile, top, format)}\n`);
}

interface LoadFlags {
  readonly connections: number;
  readonly rate?: number;
  readonly duration?: number;
  readonly top: number;
  readonly json?: true;
}

const DURATION_MS = 5_000;

function loadOf({ connections, rate, duration = DURATION_MS }: LoadFlags): Load {
  return { connections, ratePerS: rate, durationMs: duration };
}

function tellThreads(profiles: readonly Profile[], { top, json }: LoadFlags): void {
  if (json) print(profiles.map((one) => ({ thread: one.name, functions: largest(one, top) })));
  else tell(profiles, top, (ms) => `${ms.toFixed(1)} ms`);
}

async function app(script: string[], flags: LoadFlags & { clinic?: true; out?: string }): Promise<void> {
  const { clinic = false, out = join(ROOT, 'build/profile'), json } = flags;
  const load = script.length > 0 ? { ...loadOf(flags), durationMs: flags.duration ?? 0 } : loadOf(flags);
  const found = await profileApp({ ...load, clinic, out, script }, say);
  if (typeof found !== 'string') {
    tellThreads(found, flags);
    return say('a .cpuprofile opens in Chromium: developer tools, Performance, Load profile');
  }
  say('clinic flame sees the main thread alone; without --clinic worker threads are profiled as well');
  if (json) print({ html: found });
  else process.stdout.write(`flame graph: ${relative(process.cwd(), found)}\n`);
}

async function stack(flags: LoadFlags & { pid: number[] }): Promise<void> {
  tellThreads(await profileStack({ ...loadOf(flags), pids: flags.pid }, say), flags);
}

function loadFlags(command: Command): Command {
  return outputFlags(command)
    .option('--connections <n>', 'of mcc', positive, 1_000)
    .option('--rate <rate>', 'messages a second (default: as many as are answered)', rate)
    .option('--duration <time>', 'of the load (default: 5s)', duration);
}

function outputFlags(command: Command): Command {
  return command.option('--top <n>', 'functions that are shown', positive, 12).option('--json', 'JSON on stdout');
}

function program(): Command {
  const root = new Command('npm run profile --')
    .description('instructions per packet, and where time goes')
    .enablePositionalOptions()
    .addHelpText('after', EXAMPLES)
    .exitOverride((error) => process.exit(error.exitCode === 0 ? 0 : 2));
  outputFlags(root.command('instructions'))
    .description(
      'instructions per packet by kind of packet (callgrind), beside those of docs/benchmarks/instructions.json',
    )
    .option('--check', 'exit 1 when a kind of packet costs more than 5 % more; another compiler is not compared')
    .option('--update', 'write the table')
    .option('--functions', 'the functions that they are spent in, without those that these call')
    .option('--table <file>', 'another table than docs/benchmarks/instructions.json')
    .action(instructions);
  loadFlags(root.command('app'))
    .description('time by JavaScript function and thread, of iotepserver under load or of a script')
    .argument(
      '[script...]',
      'a program of Node, from the root of the clone, and its arguments; until ^C, its end, or for --duration',
    )
    .option('--clinic', "clinic's flame graph of the main thread as HTML; npm fetches clinic for it")
    .option('--out <folder>', 'where files are written (default: build/profile)')
    .passThroughOptions()
    .action(app);
  loadFlags(root.command('stack'))
    .description('CPU time by native function and thread (perf), of iotepserver and mcc under load or of a process')
    .option(
      '--pid <pid>',
      'a process that runs already; may be repeated',
      (text, before: number[]) => [...before, positive(text)],
      [],
    )
    .action(stack);
  return root;
}

try {
  await program().parseAsync(process.argv.slice(2), { from: 'user' });
} catch (error) {
  say(error instanceof Error ? error.message : String(error));
  process.exitCode = 1;
}
