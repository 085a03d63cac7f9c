// What the programs of this folder have in common: flags and a configuration in, a stack on the air, an orderly end.
// Exit 0 after a stop that was asked for, 1 when the start failed, 2 for usage and configuration.
import type { Command } from 'commander';
import { addConfigFlags, flagEntries, type ShortFlags } from '../stack/config/flags.js';
import { type Sources, settingsOrExit } from '../stack/config/load.js';
import type { StackSettings } from '../stack/config/settings.js';
import type { Stack } from '../stack/control.js';
import { Dashboard } from '../stack/dashboard/dashboard.js';
import { programFacts } from '../stack/dashboard/program-facts.js';
import { StackSource } from '../stack/dashboard/stack-source.js';
import { planText } from '../stack/native-options.js';
import type { LevelOverload } from '../stack/overload.js';
import type { RuleHits } from '../stack/rule-set.js';
import type { StageTime } from '../stack/sojourn.js';
import { reload } from './reload.js';

/** Flags that the short help shows; the others of the configuration work as well. */
const SHOWN = ['workers', 'payload_at', 'host_ip', 'device', 'port', 'max_concurrency', 'dashboard', 'log_level'];

export function programFlags(command: Command, shown: readonly string[] = [], short?: ShortFlags): Command {
  addConfigFlags(command, [...SHOWN, ...shown], short);
  return command
    .option('--plan', 'print threads and memory, and start nothing')
    .allowExcessArguments(false)
    .exitOverride((error) => process.exit(error.exitCode === 0 ? 0 : 2));
}

function sourcesOf(command: Command): Sources {
  const file = command.getOptionValue('config') as string | undefined;
  return { ...(file === undefined ? {} : { file }), flags: flagEntries(command) };
}

/** Settings of a parsed command; with --plan they are printed, and the process ends. */
export function settingsOf(
  command: Command,
  levels: number,
  defaults: Readonly<Record<string, unknown>> = {},
): StackSettings {
  const settings = settingsOrExit({ defaults, ...sourcesOf(command) });
  if (command.getOptionValue('plan') !== true) return settings;
  process.stdout.write(`${planText(settings, levels)}\n`);
  process.exit(0);
}

/** `listening 10.0.0.1:80 …`: the one line that says that packets are answered from now on; on stderr where stdout is JSON. */
export function sayListening(stack: Stack, more: string, json = false): void {
  (json ? process.stderr : process.stdout).write(`listening ${stack.addresses.join(' ')} ${more}\n`);
}

/**
 * The control socket, and with --dashboard the page. Its address is said like `listening`, with the token behind `#`: on stderr
 * where stdout is JSON. Where it cannot be had the stack is stopped.
 */
export async function openDashboard(stack: Stack, name: string, json = false): Promise<Dashboard> {
  const { dashboard: at, dashboardToken: token } = stack.settings;
  const source = new StackSource(stack, programFacts(name, stack.addresses.join(' ')));
  const dashboard = await Dashboard.open(source, { at, token }).catch(async (error: Error) => {
    await stack.stop();
    throw error;
  });
  if (dashboard.url !== undefined) (json ? process.stderr : process.stdout).write(`dashboard ${dashboard.url}\n`);
  return dashboard;
}

/** Resolves at SIGTERM or the first ^C; the second one quits at once. */
export function untilSignal(): Promise<void> {
  return new Promise((resolve) => {
    let signals = 0;
    const onSignal = () => {
      signals += 1;
      if (signals > 1) process.exit(130);
      resolve();
    };
    process.on('SIGINT', onSignal);
    process.on('SIGTERM', onSignal);
  });
}

/** SIGHUP reads the configuration file again. Without a file it ends the process, as it always does. */
export function reloadOnHangup(stack: Stack, command: Command): void {
  const sources = sourcesOf(command);
  if (sources.file === undefined) return;
  process.on('SIGHUP', () => process.stderr.write(`${reload(stack, sources)}\n`));
}

/** A line for each rule: how often it has given a frame its level. */
export function ruleHitsText(hits: readonly RuleHits[]): string {
  const width = Math.max(...hits.map((one) => String(one.hits).length));
  return hits
    .map(
      ({ rule, level, hits: count }) =>
        `  ${String(count).padStart(width)}  ${rule}${rule === 'otherwise' ? ` -> ${level}` : ''}`,
    )
    .join('\n');
}

/** A line for each level: nothing but zeros while there is not too much. */
export function overloadText(levels: readonly LevelOverload[]): string {
  const column = (count: number) => String(count).padStart(10);
  return levels
    .map(
      ({ level, deferred, moved, shed }) =>
        `  ${level.padEnd(8)} deferred ${column(deferred)}  moved ${column(moved)}  shed ${column(shed)}`,
    )
    .join('\n');
}

/** A line for each stage and level that anything has passed. */
export function stagesText(times: readonly StageTime[]): string {
  const time = (us: number) => (us < 1_000 ? `${us.toFixed(1)} us` : `${(us / 1_000).toFixed(1)} ms`).padStart(11);
  return times
    .filter(({ count }) => count > 0)
    .map(
      ({ stage, level, count, p50_us, p99_us, p999_us, max_us }) =>
        `  ${stage.padEnd(8)} ${level.padEnd(8)} ${String(count).padStart(10)}` +
        `  p50 ${time(p50_us)}  p99 ${time(p99_us)}  p99.9 ${time(p999_us)}  max ${time(max_us)}`,
    )
    .join('\n');
}

/** Runs a program's main part; a fault is one sentence on stderr. */
export async function runProgram(name: string, main: () => Promise<void>): Promise<void> {
  try {
    await main();
    process.exit(0);
  } catch (error) {
    const { message, code } = error as Error & { code?: string };
    process.stderr.write(`${name}: ${message}${code?.startsWith('QST_') ? ` (${code})` : ''}\n`);
    process.exit(1);
  }
}
