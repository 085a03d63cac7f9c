// mcc: the command. Reads flags, starts DPDK (kernel sockets need none) and one generator, prints progress on stderr and results
// on stdout. Exit 0 ok, 1 the run failed, 2 usage, 99 a condition of --fail-if came true. With an IPC channel (`fork`) every view
// and run is sent to the parent as well.
import { formatIpv4 } from '../../stack/config/address.js';
import { thisMachine } from '../../stack/config/machine.js';
import { programFacts } from '../../stack/dashboard/program-facts.js';
import { withoutToken } from '../dashboard/flags.js';
import { openDashboard } from '../dashboard/open.js';
import type { Histogram } from '../histogram/histogram.js';
import { gathered, takePart } from './cluster/main.js';
import type { Coordinator } from './cluster/options.js';
import { mccCommand } from './command.js';
import { MccSource } from './dashboard-source.js';
import type { FlagTexts } from './flag-reader.js';
import { generatorOf } from './generator.js';
import type { NativeMcc } from './native.js';
import { type MccOptions, readOptions } from './options.js';
import { type Output, openOutputs } from './outputs.js';
import { memoryFault, planText } from './plan.js';
import type { Report } from './report.js';
import { Runner } from './run.js';
import { formatSteps } from './steps-table.js';
import { isDone, UnfinishedTest } from './test-report.js';
import { failureLine } from './thresholds.js';
import { watch } from './watch.js';

/** What qstack and the machine's own parts are called, and which they are. */
const VERSIONS = { qstack: '0.1.0', node: process.versions.node };

const note = (sentence: string) => void process.stderr.write(`${sentence}\n`);

interface CommandLine {
  options: MccOptions;
  /** As they were typed, with defaults. */
  texts: FlagTexts;
  /** Without defaults. */
  own: FlagTexts;
}

function readOrExit(argv: readonly string[]): CommandLine {
  const command = mccCommand().exitOverride((error) => process.exit(error.exitCode === 0 ? 0 : 2));
  command.parse(argv, { from: 'user' });
  const texts = command.opts<FlagTexts>();
  const { options, faults, warnings } = readOptions(texts);
  for (const warning of warnings) process.stderr.write(`${warning} (warning)\n`);
  const typed = Object.entries(texts).filter(([name]) => command.getOptionValueSource(name) === 'cli');
  if (options !== undefined) return { options, texts, own: Object.fromEntries(typed) };
  process.stderr.write(faults.map((fault) => `${fault}\n`).join(''));
  process.exit(2);
}

/** The control socket, and with --dashboard the page. */
async function openPage(options: MccOptions, latencies: () => readonly Histogram[]): Promise<Output> {
  const { destination, port, connections, levels } = options;
  const about = `${connections} connections to ${formatIpv4(destination)}:${port}`;
  const names = levels.map(({ name }) => name);
  const source = new MccSource(programFacts('mcc', about), connections, names, latencies);
  const dashboard = await openDashboard(source, options);
  return { view: (view) => source.take(view), end: () => void dashboard.close() };
}

function beginning(options: MccOptions): string {
  const { connections, destination, port, source, networkStack, processes, sources } = options;
  const place = networkStack === 'kernel' && sources[0] === 0 ? '' : ` from ${formatIpv4(source)}`;
  const how = networkStack === 'kernel' ? ' by kernel sockets' : '';
  const each = processes > 1 ? `, in ${processes} processes because of the limit of open files (ulimit -Hn)` : '';
  return `${connections} connections${place} to ${formatIpv4(destination)}:${port}${how}${each}`;
}

/** ^C ends the run and the summary follows; a second one quits. */
function stopOnSignals(runner: Runner): void {
  let signals = 0;
  const onSignal = () => {
    signals += 1;
    if (signals > 1) process.exit(1);
    runner.stop();
  };
  process.on('SIGINT', onSignal);
  process.on('SIGTERM', onSignal);
}

/** Files are ended whatever comes of the run. */
async function measure(runner: Runner, command: string, outputs: readonly Output[]): Promise<Report> {
  let report: Report | undefined;
  try {
    report = await runner.measure(command, VERSIONS);
    return report;
  } finally {
    for (const output of outputs) output.end(report);
  }
}

async function make(generator: NativeMcc, options: MccOptions, command: string): Promise<number> {
  let outputs: Output[];
  try {
    outputs = openOutputs(options, command, note);
  } catch (error) {
    note((error as Error).message);
    return 2;
  }
  outputs.push(await openPage(options, () => runner.latencies()));
  const events = watch(options, outputs, () => runner.hiccups());
  const runner = new Runner(generator, options, events);
  stopOnSignals(runner);
  events.note(beginning(options));
  return conclude(options, await measure(runner, command, outputs));
}

/** The workers make the test; what it takes is taken from their machines. */
async function giveOut({ options, texts }: CommandLine, role: Coordinator, command: string): Promise<number> {
  const cluster = await gathered({ role, texts, options, note: options.quiet ? () => {} : note });
  try {
    return await make(cluster, options, command);
  } finally {
    await cluster.end();
  }
}

async function main(argv: readonly string[]): Promise<number> {
  const line = readOrExit(argv);
  const { options } = line;
  const { cluster } = options;
  // The report is read by others than the one who knows Redis' password, and the page's token.
  const command = withoutToken(`mcc ${argv.join(' ')}`).replace(/(rediss?:\/\/)[^@\s/]*@/, '$1...@');
  if (options.plan) {
    process.stdout.write(`${planText(options)}\n`);
    return 0;
  }
  if (cluster?.role === 'worker') return takePart(cluster, line.own, options.quiet ? () => {} : note);
  if (cluster?.role === 'coordinator') return giveOut(line, cluster, command);
  const fault = memoryFault(options, thisMachine().memoryBytes);
  if (fault !== undefined) {
    note(fault);
    return 2;
  }
  return make(generatorOf(options), options, command);
}

/** Prints what is left to say, and returns the exit status. */
function conclude(options: MccOptions, report: Report): number {
  const failures = options.thresholds.flatMap((threshold, index) => {
    const verdict = report.thresholds[index];
    return (verdict === undefined ? undefined : failureLine(threshold, verdict)) ?? [];
  });
  if (options.json) process.stdout.write(`${JSON.stringify(report)}\n`);
  else if (report.phases.length > 1) process.stdout.write(`${formatSteps(report.phases)}\n`);
  for (const line of failures) (options.json ? process.stderr : process.stdout).write(`--fail-if ${line}\n`);
  if (!isDone(report, options)) return 1;
  return failures.length > 0 ? 99 : 0;
}

/** A program that reads --json gets an object in any case. */
function fail(error: Error, isJson: boolean): void {
  process.stderr.write(`mcc: ${error.message}\n`);
  const reached = error instanceof UnfinishedTest ? error.reached : {};
  if (isJson) process.stdout.write(`${JSON.stringify({ error: error.message, ...reached, phases: [] })}\n`);
  process.exitCode = 1;
}

main(process.argv.slice(2)).then(
  (code) => {
    process.exitCode = code;
  },
  (error: Error) => fail(error, process.argv.includes('--json')),
);
