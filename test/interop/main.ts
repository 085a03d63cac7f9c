// `npm run interop`: everything that is run against our stack, in its long form, over each kind of device, with and without faults.
// Out: on stderr a line before each run and one behind it, and a table at the end; with --json an object per run on stdout.
// Exit 0 ok, 1 a run failed or was interrupted, 2 usage.
import { spawnSync } from 'node:child_process';
import Table from 'cli-table3';
import { Command, InvalidArgumentError } from 'commander';
import { type InteropCase, judge, type RunResult } from './cases/case.js';
import { CASES } from './cases/index.js';
import { LINK_KINDS, type LinkKind, Namespace } from './namespace.js';

interface Options {
  readonly only?: string[];
  readonly port?: LinkKind[];
  readonly faults?: boolean;
  readonly seconds?: number;
  readonly seed?: number;
  readonly json?: true;
}

interface Run {
  readonly one: InteropCase;
  readonly kind: LinkKind;
  readonly faults: boolean;
}

/** Devices of which each one is tried in full; pcap is tried by tests. */
const KINDS: readonly LinkKind[] = ['tap', 'af_packet', 'af_xdp'];
const TOOLS = CASES.map(({ tool }) => tool);
/** Beside a case's own seconds: namespace, server, and the wait until every connection is gone. Faults lengthen that. */
const AROUND_S = 7;
const AROUND_WITH_FAULTS_S = 15;

const EXAMPLES = `
Examples:
  npm run interop                                        everything, some 50 minutes; ^C prints what is done so far
  npm run interop -- --only connections --port af_xdp    5 minutes, and 5 with faults
  npm run interop -- --only "iperf3 -s" --only ab --no-faults
  npm run --silent interop -- --seconds 4 --json > interop.json

Cases:
${CASES.map(({ tool, says }) => `  ${tool.padEnd(12)} ${says}`).join('\n')}`;

function oneOf<T extends string>(names: readonly T[]) {
  return (text: string, before: T[] | undefined): T[] => {
    if (names.includes(text as T)) return [...(before ?? []), text as T];
    throw new InvalidArgumentError(`one of ${names.join(', ')} is expected`);
  };
}

function positive(text: string): number {
  if (Number(text) > 0) return Number(text);
  throw new InvalidArgumentError('a number above 0 is expected');
}

function command(): Command {
  return new Command('interop')
    .description('runs kernel tools against our stack in network namespaces of its own; as root')
    .option('--only <tool>', 'one of the cases below (may be repeated)', oneOf(TOOLS))
    .option('--port <kind>', `one of ${LINK_KINDS.join(', ')} (may be repeated)`, oneOf(LINK_KINDS))
    .option('--faults', 'only with faults in between: 5 % loss, reordering and duplication each way')
    .option('--no-faults', 'only without')
    .option('--seconds <n>', 'length of each run, instead of its own', positive)
    .option('--seed <n>', 'of faults and of random connections', positive)
    .option('--json', 'results as JSON on stdout')
    .addHelpText('after', EXAMPLES)
    .exitOverride((error) => process.exit(error.exitCode === 0 ? 0 : 2));
}

function runsOf({ only, port, faults }: Options): Run[] {
  const ways = [false, true].filter((way) => faults === undefined || faults === way);
  const cases = CASES.filter(({ tool }) => only === undefined || only.includes(tool));
  return cases.flatMap((one) => (port ?? KINDS).flatMap((kind) => ways.map((way) => ({ one, kind, faults: way }))));
}

/** Why it cannot be run here; undefined when it can. */
async function missing(runs: readonly Run[]): Promise<string | undefined> {
  if (process.getuid?.() !== 0) return 'network namespaces need root: run it with sudo';
  const programs = [...new Set(runs.map(({ one }) => one.program))];
  const absent = programs.filter((name) => spawnSync('which', [name]).status !== 0);
  if (absent.length > 0) return `not installed: ${absent.join(', ')}; node deps/check.mjs names the packages`;
  return Namespace.missing();
}

function secondsOf({ one, faults }: Run, { seconds = one.seconds }: Options): number {
  return seconds * one.parts + (faults ? AROUND_WITH_FAULTS_S : AROUND_S);
}

function placeOf(tool: string, port: LinkKind, faults: boolean): string {
  return `${tool} over ${port}${faults ? ' with faults' : ''}`;
}

function minutes(runs: readonly Run[], options: Options): string {
  const total = runs.reduce((sum, run) => sum + secondsOf(run, options), 0);
  return total < 90 ? `${Math.round(total)} s` : `${Math.round(total / 60)} minutes`;
}

function describe({ tool, port, faults, tookSeconds, measured, fault, seed }: RunResult): string {
  return `${placeOf(tool, port, faults)}: ${fault === undefined ? measured : `FAILED (seed ${seed}): ${fault}`} (${tookSeconds} s)`;
}

function table(results: readonly RunResult[]): string {
  const rows = new Table({
    head: ['tool', 'port', 'faults', 's', '', 'measured'],
    style: { head: [], border: [], compact: true },
  });
  for (const { tool, port, faults, tookSeconds, measured, fault } of results) {
    const said = measured ?? (fault ?? '').split('\n')[0]?.slice(0, 100) ?? '';
    rows.push([tool, port, faults ? '5 %' : '', tookSeconds, fault === undefined ? 'ok' : 'FAILED', said]);
  }
  return rows.toString();
}

async function main(argv: readonly string[]): Promise<void> {
  const options = command().parse(argv, { from: 'user' }).opts<Options>();
  const runs = runsOf(options);
  const reason = await missing(runs);
  if (reason !== undefined) {
    process.stderr.write(`interop: ${reason}\n`);
    process.exit(2);
  }
  const results = await runAll(runs, options);
  process.stderr.write(`${table(results)}\n`);
  if (options.json) process.stdout.write(`${JSON.stringify(results)}\n`);
  if (results.length < runs.length || results.some(({ fault }) => fault !== undefined)) process.exitCode = 1;
}

/** ^C ends the programs of the run that goes on, and leaves out the others; a second one ends this as well. */
async function runAll(runs: readonly Run[], options: Options): Promise<RunResult[]> {
  const results: RunResult[] = [];
  let interrupted = false;
  process.once('SIGINT', () => {
    interrupted = true;
  });
  for (const [index, run] of runs.entries()) {
    if (interrupted) break;
    const { one, kind, faults } = run;
    const left = minutes(runs.slice(index), options);
    process.stderr.write(`${index + 1}/${runs.length} ${placeOf(one.tool, kind, faults)} (some ${left} left)\n`);
    const result = await judge(one, { ...options, kind, faults });
    results.push(result);
    process.stderr.write(`${describe(result)}\n`);
  }
  return results;
}

await main(process.argv.slice(2));
