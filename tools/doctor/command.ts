// `qstack doctor`: what of this machine matters, what it costs, and the command that mends it.
// In: the machine. Out: findings by group on stdout, or one JSON object; exit 1 when the main job cannot run here.
import { styleText } from 'node:util';
import { Command, InvalidArgumentError, Option } from 'commander';
import { parseDurationMs } from '../../stack/config/units.js';
import { CATALOG, type Finding, GROUPS, type State } from './catalog.js';
import { examine } from './examine.js';
import { probe } from './probe.js';
import { thisMachine } from './source.js';

const EXAMPLES = `
Examples:
  qstack doctor                  everything, with a probe of a second
  qstack doctor --quiet          only what costs something
  qstack doctor --json | jq '.findings[] | select(.state != "ok")'
Nothing is changed: commands that mend are printed, not run. Exit 1: iotepserver and mcc cannot run here.
docs/doctor.md says of each finding what it means.`;

const PROBE_MAX_MS = 60_000;
const NAME_WIDTH = Math.max(...Object.values(CATALOG).map(({ name }) => name.length));
const STYLES = { ok: 'green', note: 'cyan', warn: 'yellow', fail: 'red' } as const satisfies Record<State, string>;

export type Paint = (state: State | 'group', text: string) => string;

export const plain: Paint = (_, text) => text;
const coloured: Paint = (state, text) => styleText(state === 'group' ? 'bold' : STYLES[state], text);

function linesOf(finding: Finding, paint: Paint): string[] {
  const { id, state, found, cost, mend } = finding;
  const indent = ' '.repeat(NAME_WIDTH + 9);
  return [
    `  ${paint(state, state.padEnd(4))}  ${CATALOG[id].name.padEnd(NAME_WIDTH)}  ${found}`,
    ...(cost === undefined ? [] : [`${indent} ${cost}`]),
    ...(mend === undefined ? [] : [`${indent} $ ${mend}`]),
  ];
}

export function findingsText(findings: readonly Finding[], paint: Paint): string {
  const groups = GROUPS.map((group) => ({ group, own: findings.filter(({ id }) => CATALOG[id].group === group) }));
  const texts = groups
    .filter(({ own }) => own.length > 0)
    .map(({ group, own }) => [paint('group', group), ...own.flatMap((one) => linesOf(one, paint))].join('\n'));
  return [...texts, verdictText(findings)].join('\n');
}

export const canRun = (findings: readonly Finding[]) => findings.every(({ state }) => state !== 'fail');

function verdictText(findings: readonly Finding[]): string {
  const count = (state: State) => findings.filter((finding) => finding.state === state).length;
  if (canRun(findings)) return `the main job can run here; ${count('warn')} warnings, ${count('note')} notes`;
  return `the main job cannot run here: ${count('fail')} findings stand in its way`;
}

interface Flags {
  json?: true;
  quiet?: true;
  probe: number;
}

async function doctor({ json, quiet, probe: probeMs }: Flags): Promise<void> {
  if (process.stderr.isTTY) process.stderr.write('a polling loop looks for hiccups …\r');
  const findings = await examine(thisMachine, await probe(thisMachine, probeMs));
  if (process.stderr.isTTY) process.stderr.write('\u001b[K');
  const paint = process.stdout.isTTY === true && !process.env.NO_COLOR ? coloured : plain;
  const shown = quiet ? findings.filter(({ state }) => state === 'warn' || state === 'fail') : findings;
  if (json) {
    const named = findings.map(({ id, ...rest }) => ({ id, group: CATALOG[id].group, ...rest }));
    process.stdout.write(`${JSON.stringify({ can_run: canRun(findings), findings: named })}\n`);
  } else process.stdout.write(`${findingsText(shown, paint)}\n`);
  if (!canRun(findings)) process.exitCode = 1;
}

function probeTime(text: string): number {
  const ms = parseDurationMs(text);
  if (ms !== undefined && ms > 0 && ms <= PROBE_MAX_MS) return ms;
  throw new InvalidArgumentError('a duration up to 60s is expected.');
}

export function doctorCommand(): Command {
  return new Command('doctor')
    .description('what of this machine matters, what it costs, and the command that mends it')
    .option('--json', 'one JSON object on stdout')
    .option('--quiet', 'only warnings and failures')
    .addOption(new Option('--probe <time>', 'how long to look for hiccups').argParser(probeTime).default(1_000, '1s'))
    .addHelpText('after', EXAMPLES)
    .action(doctor);
}
