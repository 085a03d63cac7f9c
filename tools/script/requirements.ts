// The requirements of RFC 9293, appendix B, and how they are met: test/script/rfc9293.json made into docs/rfc9293.md.
// In: the rows, in the appendix' order. Out: the document, and what is wrong with the rows: a script or test that they name
// and that is not there, a row that nothing shows and that gives no reason. `node dist/tools/script/requirements.js` writes it.
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
export const DOCUMENT = join(ROOT, 'docs/rfc9293.md');

export interface Requirement {
  readonly section: string;
  /** Of the RFC: `MUST-1`; empty for a line that only heads others. */
  readonly id: string;
  readonly level: string;
  readonly feature: string;
  readonly how: string;
  /** Scripts below test/script without `.pkt`, or `path/of/a_test.cc: name of the test`. */
  readonly shown: readonly string[];
  /** Why it is not met, or not as written. */
  readonly gap?: string;
}

export function readRequirements(): Requirement[] {
  return JSON.parse(readFileSync(join(ROOT, 'test/script/rfc9293.json'), 'utf8'));
}

function place(shown: string): string {
  const test = /^(\S+\.(?:cc|ts)): (.+)$/.exec(shown);
  return test === null ? `[${shown}](../test/script/${shown}.pkt)` : `[${test[2]}](../${test[1]})`;
}

function row({ id, level, feature, how, shown, gap }: Requirement): string {
  const answer = gap === undefined ? how : `${how} **Gap:** ${gap}`;
  return `| ${id} | ${level} | ${feature} | ${answer} | ${shown.map(place).join(', ')} |`;
}

function summary(rows: readonly Requirement[]): string {
  const lines = ['MUST', 'MUST NOT', 'SHOULD', 'SHOULD NOT', 'MAY'].map((level) => {
    const all = rows.filter((requirement) => requirement.level === level);
    return `| ${level} | ${all.length} | ${all.filter(({ gap }) => gap !== undefined).length} |`;
  });
  return ['| level | rows | with a gap |', '|---|---|---|', ...lines].join('\n');
}

export function renderRequirements(rows: readonly Requirement[]): string {
  const sections = [...new Set(rows.map(({ section }) => section))];
  const tables = sections.map((section) =>
    [
      `## ${section}`,
      '',
      '| id | level | requirement | how we meet it | shown by |',
      '|---|---|---|---|---|',
      ...rows.filter((requirement) => requirement.section === section).map(row),
    ].join('\n'),
  );
  return [
    '# RFC 9293, appendix B: requirement by requirement',
    '',
    '<!-- Made of test/script/rfc9293.json by `node dist/tools/script/requirements.js`; edit that. -->',
    '',
    'Every row of the requirement summary of RFC 9293, in its order and in our words; how the stack meets it; and the packet script',
    '(`npm run script -- test/script/NAME.pkt --verbose` plays it) or the test that shows it. A gap says what is not met and why.',
    '',
    summary(rows),
    '',
    tables.join('\n\n'),
    '',
  ].join('\n');
}

function nameFaults(shown: string): string[] {
  const test = /^(\S+\.(?:cc|ts)): (.+)$/.exec(shown);
  const path = test === null ? `test/script/${shown}.pkt` : (test[1] ?? '');
  if (!existsSync(join(ROOT, path))) return [`there is no ${path}`];
  if (test === null) return [];
  const names = readFileSync(join(ROOT, path), 'utf8');
  return names.includes(`"${test[2]}"`) || names.includes(`'${test[2]}'`) ? [] : [`${path} has no test "${test[2]}"`];
}

export function requirementFaults(rows: readonly Requirement[]): string[] {
  return rows.flatMap(({ id, feature, shown, gap }) => {
    const unexplained = shown.length === 0 && gap === undefined;
    const faults = unexplained ? ['nothing shows it, and no reason is given'] : shown.flatMap(nameFaults);
    return faults.map((fault) => `${id} (${feature}): ${fault}`);
  });
}

if (process.argv[1] === fileURLToPath(import.meta.url)) writeFileSync(DOCUMENT, renderRequirements(readRequirements()));
