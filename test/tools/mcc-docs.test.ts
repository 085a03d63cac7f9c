// docs/mcc.md against the command, both ways: every flag is explained there, and no flag there is unknown to it.
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { mccCommand } from '../../tools/mcc/command.js';
import { readOptions } from '../../tools/mcc/options.js';
import { PHASE_SYNTAX } from '../../tools/mcc/phases.js';
import { THRESHOLD_SYNTAX } from '../../tools/mcc/thresholds.js';

const PAGE = readFileSync(fileURLToPath(new URL('../../../docs/mcc.md', import.meta.url)), 'utf8');
const OPTIONS = mccCommand().options.filter(({ hidden }) => !hidden);
/** First cells of the tables. */
const CELLS = [...PAGE.matchAll(/^\| (`.*?`) \|/gm)].map((match) => match[1] ?? '');
const WRITTEN = CELLS.flatMap((cell) => cell.split('`').filter((text) => text.startsWith('-')));

test('each flag of the command stands in a table as --help writes it', () => {
  for (const { flags } of OPTIONS) assert.ok(WRITTEN.includes(flags), flags);
});

test('each flag in the tables is one of the command', () => {
  const known = [...OPTIONS.map(({ flags }) => flags), '--help'];
  for (const flags of WRITTEN) assert.ok(known.includes(flags), flags);
});

test('flags in sentences and examples are known as well', () => {
  const known = new Set([...mccCommand().options.flatMap(({ long, short }) => [long, short]), '--help']);
  const own = PAGE.split('\n').filter((line) => !/^npx (qstack|iotepserver)/.test(line));
  for (const [, flag] of own.join('\n').matchAll(/(?<![\w-])(--?[a-z][\w-]*)/g)) {
    assert.ok(known.has(flag ?? ''), flag);
  }
});

test('each phase is explained, and none that there is not', () => {
  const [table = ''] = PAGE.slice(PAGE.indexOf('| phase |')).split('\n\n');
  const phases = [...table.matchAll(/^\| `([a-z]+):/gm)].map((match) => match[1]);
  const known = new Set([...PHASE_SYNTAX.matchAll(/([a-z]+):/g)].map((match) => match[1]));
  assert.equal(new Set(phases), known);
});

/** Words of a line as a shell splits them. */
function words(line: string): string[] {
  return [...line.matchAll(/'([^']*)'|(\S+)/g)].map((match) => match[1] ?? match[2] ?? '');
}

test('each metric of --fail-if is explained, and none that there is not', () => {
  const known = [...(/METRIC is one of (.*)$/.exec(THRESHOLD_SYNTAX)?.[1] ?? '').split(', ')].sort();
  const table = PAGE.slice(PAGE.indexOf('| metric |'));
  const cells = [...table.matchAll(/^\| (`.*?`) \| [^|]* \| [^|]* \|$/gm)].map((match) => match[1] ?? '');
  const written = cells.flatMap((cell) => [...cell.matchAll(/`([^`]+)`/g)].map((match) => match[1] ?? ''));
  assert.equal(written.sort(), known);
});

test('--help fits a screen and has examples, --help-all has every flag', () => {
  const page = (everyFlag: boolean) => {
    let text = '';
    const command = mccCommand(everyFlag).configureOutput({
      writeOut: (part) => {
        text += part;
      },
      getOutHelpWidth: () => 120,
    });
    command.outputHelp();
    return text;
  };
  const lines = page(false).trimEnd().split('\n');
  assert.ok(lines.length <= 50, `${lines.length} lines`);
  assert.ok(lines.filter((line) => /^ {2}mcc -/.test(line)).length >= 5);
  for (const { flags } of OPTIONS) assert.ok(page(true).includes(`  ${flags}`), flags);
});

test('the examples of the page and of --help are accepted', () => {
  const help = mccCommand().configureOutput({ writeOut: () => {} });
  let text = '';
  help.configureOutput({ writeOut: (part) => (text += part) }).outputHelp();
  const lines = [...`${PAGE}\n${text}`.matchAll(/^ *(?:npx )?mcc (-.*?)(?: {3,}.*| > .*)?$/gm)].map(([, line]) => line);
  assert.ok(lines.length > 8, lines.join('\n'));
  for (const line of lines) {
    if (line === undefined || line === '--help') continue;
    const command = mccCommand();
    command.parse(words(line), { from: 'user' });
    assert.equal(readOptions(command.opts(), 2).faults, [], line);
  }
});

test.run();
