// monitor: the command. Reads flags, starts the native monitor, prints progress on stderr and results on stdout.
// Exit 0 ok, 1 the source failed, 2 usage.
import { availableParallelism } from 'node:os';
import { programFacts } from '../../stack/dashboard/program-facts.js';
import { loadNative } from '../../stack/native.js';
import { withoutToken } from '../dashboard/flags.js';
import { openDashboard } from '../dashboard/open.js';
import type { FlagTexts } from '../mcc/flag-reader.js';
import { mergeCommand, monitorCommand } from './command.js';
import { MonitorSource } from './dashboard-source.js';
import { splitEalArguments } from './eal-arguments.js';
import { Live } from './live.js';
import { mergeReports, readReport } from './merge.js';
import { loadMonitor } from './native.js';
import { type MonitorOptions, readOptions } from './options.js';
import { formatReport, levelResult, type Report } from './report.js';
import { sourceName } from './sources.js';
import { Watch, writeHgrm } from './watch.js';

const VERSIONS = { qstack: '0.1.0', node: process.versions.node };

function say(sentence: string): void {
  process.stderr.write(`${sentence}\n`);
}

function print(report: Report, json: boolean): void {
  process.stdout.write(`${json ? JSON.stringify(report) : formatReport(report)}\n`);
}

function optionsOrExit(argv: readonly string[]): MonitorOptions {
  const { own, warnings } = splitEalArguments(argv, availableParallelism());
  const command = monitorCommand();
  command.parse(own, { from: 'user' });
  const parsed = readOptions(command.opts<FlagTexts>());
  for (const warning of [...warnings, ...parsed.warnings]) say(`${warning} (warning)`);
  if (parsed.options !== undefined) return parsed.options;
  for (const fault of parsed.faults) say(fault);
  process.exit(2);
}

/** ^C ends the capture and the summary follows; a second one quits. */
function stopOnSignals(watch: Watch): void {
  let signals = 0;
  const onSignal = () => {
    signals += 1;
    if (signals > 1) process.exit(1);
    watch.stop();
  };
  process.on('SIGINT', onSignal);
  process.on('SIGTERM', onSignal);
}

function startDevice(device: string): void {
  const address = /^[\da-f]{4}:[^,]*/i.exec(device)?.[0];
  loadNative().startEal({ memoryMb: 64, pci: address === undefined ? [] : [address] });
}

async function monitor(argv: readonly string[]): Promise<void> {
  const options = optionsOrExit(argv);
  const { source, quiet } = options;
  const note = (sentence: string) => {
    if (quiet) return;
    live.leave();
    say(sentence);
  };
  const live = new Live({
    quiet,
    isTerminal: process.stderr.isTTY === true,
    periodMs: options.periodMs,
    write: (text) => process.stderr.write(text),
    nowMs: () => performance.now(),
  });
  const native = loadMonitor();
  if (source.kind === 'device') startDevice(source.device);
  if (source.kind === 'mirror') startDevice('memif');
  const about = `${sourceName(source)}, port ${options.ports.join(', ')}`;
  const shown = new MonitorSource(programFacts('monitor', about), options);
  const dashboard = await openDashboard(shown, options);
  try {
    const watch = new Watch(native, options, [live, shown], note);
    stopOnSignals(watch);
    print(await watch.run(withoutToken(`monitor ${argv.join(' ')}`), VERSIONS), options.json);
  } finally {
    await dashboard.close();
  }
}

function merge(argv: readonly string[]): void {
  const command = mergeCommand();
  command.parse(argv, { from: 'user' });
  const { json, hgrm } = command.opts<{ json?: boolean; hgrm?: string }>();
  const report = mergeReports(command.args.map(readReport), `monitor merge ${argv.join(' ')}`);
  if (hgrm !== undefined) writeHgrm(hgrm, report.levels.map(levelResult));
  print(report, json === true);
}

async function main(argv: readonly string[]): Promise<void> {
  if (argv[0] === 'merge') merge(argv.slice(1));
  else await monitor(argv);
}

main(process.argv.slice(2)).catch((error: Error) => {
  say(`monitor: ${error.message}`);
  process.exitCode = 1;
});
