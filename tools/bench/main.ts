// `npm run bench`: every member of the suite, or those that are named, side by side with its peers.
// Out: a table and charts for each, or with --json one object each on stdout; progress on stderr.
// Exit 0 ok, 1 one of them failed, 2 usage.
import { relative } from 'node:path';
import { Command, InvalidArgumentError } from 'commander';
import { CONNECTIONS_MAX } from '../../stack/config/keys.js';
import { parseCount, parseDurationMs } from '../../stack/config/units.js';
import { app } from './app.js';
import type { Benchmark, Context } from './benchmark.js';
import { bulk } from './bulk.js';
import { c10m } from './c10m.js';
import { connect } from './connect.js';
import { dashboard } from './dashboard.js';
import { echo } from './echo.js';
import { flood } from './flood.js';
import { idle } from './idle.js';
import { versions } from './machine.js';
import { classify, coroutine, ring, steer } from './micro.js';
import { mirror } from './mirror.js';
import { nap } from './nap.js';
import { OUTPUT, ROOT } from './places.js';
import { port } from './port.js';
import { Stopped } from './priority/rig.js';
import { priority } from './priority.js';
import { redis } from './redis.js';
import { formatReport, jsonReport, type Report, writeCharts } from './report.js';
import { scale } from './scale.js';

const SUITE: readonly Benchmark[] = [
  port,
  bulk,
  echo,
  connect,
  idle,
  dashboard,
  nap,
  mirror,
  scale,
  flood,
  priority,
  redis,
  app,
  c10m,
  coroutine,
  ring,
  classify,
  steer,
];
const NAMES = SUITE.map(({ name }) => name);
const PARTS = SUITE.flatMap(({ parts = [] }) => parts);
const PARTS_BY_MEMBER = SUITE.flatMap(({ name, parts = [] }) =>
  parts.length > 0 ? [`of ${name}: ${parts.join(', ')}`] : [],
);

interface Options {
  readonly runs: number;
  readonly duration: number;
  readonly seed: number;
  readonly out: string;
  readonly sweep?: true;
  readonly part: readonly string[];
  readonly connections: readonly number[];
  readonly json?: true;
}

const EXAMPLES = `
Members:
${SUITE.map(({ name, what }) => `  ${name.padEnd(12)}${what}`).join('\n')}

Examples:
  npm run bench                                  all of them, which takes a while
  npm run bench -- bulk                          one
  npm run bench -- flood --runs 1 --duration 30s
  npm run bench -- bulk --sweep --out charts     with the charts over write and buffer sizes
  npm run bench -- c10m --runs 1 --connections 1M
  npm run bench -- idle --connections 100k --connections 1M
  npm run bench -- dashboard --connections 10368000 --runs 3 --duration 30s
  npm run bench -- priority --part overload --part burst
  npm run --silent bench -- bulk --json --runs 1 --duration 500ms`;

function positive(text: string): number {
  const value = Number(text.replaceAll('_', ''));
  if (Number.isSafeInteger(value) && value > 0) return value;
  throw new InvalidArgumentError('a whole number above 0 is expected');
}

function duration(text: string): number {
  const ms = parseDurationMs(text);
  if (ms !== undefined && ms > 0) return ms;
  throw new InvalidArgumentError('a duration such as 2s or 500ms is expected');
}

function known(name: string, before: readonly string[] = []): string[] {
  if (NAMES.includes(name)) return [...before, name];
  throw new InvalidArgumentError(`one of ${NAMES.join(', ')} is expected`);
}

function knownPart(name: string, before: readonly string[]): string[] {
  if (PARTS.includes(name)) return [...before, name];
  throw new InvalidArgumentError(`one of ${PARTS.join(', ')} is expected`);
}

function oneMore(text: string, before: readonly number[]): number[] {
  const value = parseCount(text);
  if (value !== undefined && value > 0 && value <= CONNECTIONS_MAX) return [...before, value];
  throw new InvalidArgumentError(`a number of connections up to ${CONNECTIONS_MAX} is expected, such as 100k or 1M`);
}

function command(): Command {
  return new Command('bench')
    .description('measures qstack beside its peers on this machine')
    .argument('[name...]', `of ${NAMES.join(', ')}; none: all`, known)
    .option('--runs <n>', 'runs of each contender; medians are reported', positive, 5)
    .option('--duration <time>', 'length of each measured window', duration, 2_000)
    .option('--seed <n>', 'of whatever is random', positive, 1)
    .option('--part <name>', `${PARTS_BY_MEMBER.join('; ')}; may be repeated; none: all`, knownPart, [])
    .option(
      '--connections <n>',
      'of idle, dashboard, mirror and app (100k), nap (1k), scale (1k to 1M) and c10m (10,368,000); may be repeated for idle and scale',
      oneMore,
      [],
    )
    .option('--sweep', 'also the charts that need many runs')
    .option('--out <folder>', 'where charts are written', OUTPUT)
    .option('--json', 'one object per benchmark on stdout')
    .addHelpText('after', EXAMPLES)
    .exitOverride((error) => process.exit(error.exitCode === 0 ? 0 : 2));
}

async function measure(benchmark: Benchmark, options: Options, line: string): Promise<Report> {
  const seconds = options.duration / 1_000;
  const { runs, seed } = options;
  const say = (what: string) => process.stderr.write(`${benchmark.name}: ${what}\n`);
  const { sweep = false, part: parts, connections } = options;
  const context: Context = { runs, seconds, seed, sweep, parts, connections, say };
  const result = await benchmark.measure(context);
  return {
    name: benchmark.name,
    command: line,
    runs,
    seconds: result.seconds ?? seconds,
    seed,
    versions: versions(),
    result,
  };
}

function tell(report: Report, options: Options): void {
  process.stdout.write(options.json ? `${JSON.stringify(jsonReport(report))}\n` : `${formatReport(report)}\n`);
  for (const fault of report.result.faults ?? []) {
    process.stderr.write(`${report.name}: ${fault}\n`);
    process.exitCode = 1;
  }
  for (const path of writeCharts(report, options.out)) process.stderr.write(`chart: ${relative(ROOT, path)}\n`);
}

async function main(argv: readonly string[]): Promise<void> {
  const parsed = command().parse(argv, { from: 'user' });
  const names = (parsed.processedArgs[0] as string[] | undefined) ?? NAMES;
  const options = parsed.opts<Options>();
  for (const benchmark of SUITE.filter(({ name }) => names.includes(name))) {
    const missing = benchmark.missing?.();
    if (missing !== undefined) {
      process.stderr.write(`${benchmark.name}: skipped: ${missing}\n`);
      continue;
    }
    try {
      tell(await measure(benchmark, options, `npm run bench -- ${argv.join(' ')}`), options);
    } catch (error) {
      process.stderr.write(`${benchmark.name}: ${(error as Error).message}\n`);
      process.exitCode = 1;
      if (error instanceof Stopped) return;
    }
  }
}

await main(process.argv.slice(2));
