// mcc: the command. Reads flags, starts DPDK (kernel sockets need none) and one generator, prints progress on stderr and results
// on stdout. Exit 0 ok, 1 the run failed, 2 usage, 99 a condition of --fail-if came true. With an IPC channel (`fork`) every view
// and run is sent to the parent as well.
import { formatIpv4 } from '../../stack/config/address.js';
import { thisMachine } from '../../stack/config/machine.js';
import { Dashboard } from '../../stack/dashboard/dashboard.js';
import { programFacts } from '../../stack/dashboard/program-facts.js';
import { loadNative } from '../../stack/native.js';
import { mccCommand } from './command.js';
import { MccSource } from './dashboard-source.js';
import { loadMcc, type NativeMcc } from './native.js';
import { type MccOptions, readOptions } from './options.js';
import { type Output, openOutputs } from './outputs.js';
import { memoryFault, planText } from './plan.js';
import { ProcessGroup } from './process-group.js';
import type { Report } from './report.js';
import { isDone, Runner, UnfinishedTest } from './run.js';
import { formatSteps } from './steps-table.js';
import { failureLine } from './thresholds.js';
import { watch } from './watch.js';

/** What qstack and the machine's own parts are called, and which they are. */
const VERSIONS = { qstack: '0.1.0', node: process.versions.node };

function optionsOrExit(argv: readonly string[]): MccOptions {
  const command = mccCommand().exitOverride((error) => process.exit(error.exitCode === 0 ? 0 : 2));
  command.parse(argv, { from: 'user' });
  const { options, faults, warnings } = readOptions(command.opts());
  for (const warning of warnings) process.stderr.write(`${warning} (warning)\n`);
  if (options !== undefined) return options;
  process.stderr.write(faults.map((fault) => `${fault}\n`).join(''));
  process.exit(2);
}

/** The control socket, and with --dashboard the page, whose address is said on stderr. */
async function openDashboard(options: MccOptions): Promise<Output> {
  const { destination, port, connections, dashboard: at, dashboardToken: token, levels } = options;
  const about = `${connections} connections to ${formatIpv4(destination)}:${port}`;
  const names = levels.map(({ name }) => name);
  const source = new MccSource(programFacts('mcc', about), connections, names);
  const dashboard = await Dashboard.open(source, { at, token });
  if (dashboard.url !== undefined) process.stderr.write(`dashboard ${dashboard.url}\n`);
  return { view: (view) => source.take(view), end: () => void dashboard.close() };
}

/** `--device 0000:03:00.0` is a NIC. */
function pciDevices({ device }: MccOptions): string[] {
  const address = device.kind === 'eal' ? /^[\da-f]{4}:[^,]*/i.exec(device.device)?.[0] : undefined;
  return address === undefined ? [] : [address];
}

/** DPDK is for our own stack alone; kernel sockets need more processes where one may not have so many files. */
function generatorOf(options: MccOptions): NativeMcc {
  if (options.networkStack === 'kernel') return options.processes > 1 ? new ProcessGroup(options.processes) : loadMcc();
  loadNative().startEal({ memoryMb: 64, pci: pciDevices(options) });
  return loadMcc();
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

async function main(argv: readonly string[]): Promise<number> {
  const options = optionsOrExit(argv);
  if (options.plan) {
    process.stdout.write(`${planText(options)}\n`);
    return 0;
  }
  const fault = memoryFault(options, thisMachine().memoryBytes);
  if (fault !== undefined) {
    process.stderr.write(`${fault}\n`);
    return 2;
  }
  const command = `mcc ${argv.join(' ')}`;
  const note = (sentence: string) => process.stderr.write(`${sentence}\n`);
  let outputs: Output[];
  try {
    outputs = openOutputs(options, command, note);
  } catch (error) {
    note((error as Error).message);
    return 2;
  }
  outputs.push(await openDashboard(options));
  const events = watch(options, outputs, () => runner.hiccups());
  const runner = new Runner(generatorOf(options), options, events);
  stopOnSignals(runner);
  events.note(beginning(options));
  return conclude(options, await measure(runner, command, outputs));
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
