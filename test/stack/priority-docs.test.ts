// docs/priority.md against the code: its program and its configuration say the same, and every field of its table exists.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { explain, formatRule, parseCondition, parseRule } from '../../stack/classifier.js';
import { parseConfText } from '../../stack/config/text.js';
import type { ServeDefinition } from '../../stack/serve.js';
import { segment, segment6 } from './classifier-frames.js';

const PAGE = readFileSync(fileURLToPath(new URL('../../../docs/priority.md', import.meta.url)), 'utf8');
const LIBRARY = new URL('../../index.js', import.meta.url).href;

function block(start: string): string {
  const blocks = [...PAGE.matchAll(/```\w*\n([\s\S]*?)```/g)].map((match) => match[1] ?? '');
  const found = blocks.find((text) => text.startsWith(start));
  if (found === undefined) throw new Error(`no block of the page begins with ${start}`);
  return found;
}

/** The program of the page is plain JavaScript as it stands. */
async function program(): Promise<ServeDefinition> {
  const folder = mkdtempSync(join(tmpdir(), 'qstack-priority-'));
  try {
    const file = join(folder, 'server.mjs');
    writeFileSync(file, block('import').replace("'qstack'", `'${LIBRARY}'`));
    return ((await import(pathToFileURL(file).href)) as { default: ServeDefinition }).default;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

test('the lines of the page mean what its program says', async () => {
  const { levels, rules } = await program();
  const { entries, faults } = parseConfText(block('levels'), 'page');
  assert.equal(faults, []);
  const lines = entries.filter(({ key }) => key === 'classify').map(({ text }) => parseRule(text, levels));
  const single = rules.flatMap(({ level, condition }) => formatRule({ level, condition }));
  assert.equal(lines.map(formatRule), single);
});

test('the rules of the page give frames the levels that it promises', async () => {
  const { levels, rules, otherwise } = await program();
  const of = (frame: Uint8Array) => explain(rules, levels, frame, { otherwise }).level;
  const request = new Uint8Array(40);
  request[5] = 1;
  assert.is(of(segment({ payload: request })), 'alarm');
  assert.is(of(segment6({ trafficClass: 46 << 2 })), 'alarm');
  assert.is(of(segment({ source: [10, 9, 0, 1] })), 'bulk');
  assert.is(of(segment({ payload: [0, 0x10, 0, 0], destinationPort: 7050 })), 'bulk');
  assert.is(of(segment({ payload: [0, 0x10, 0, 0] })), 'normal');
});

test('what the table of fields writes in lines is understood', () => {
  const cells = [...PAGE.matchAll(/^\|[^|]*\|[^|]*\| (`.*`) \|$/gm)].map((match) => match[1] ?? '');
  const written = cells.flatMap((cell) => cell.split('`, `').map((text) => text.replaceAll('`', '')));
  assert.ok(written.length > 20, String(written.length));
  const complete = (text: string) => {
    const placed = text.replace(/^\[/, 'payload[').replace(/^&/, 'payload[n] &').replace('[n', '[5');
    const whole = placed.replace('& m', '& 0x02').replace('…', 'tcp');
    return /net|has|lacks|pcap/.test(whole) ? whole : `${whole} != 2`;
  };
  for (const text of written) assert.ok(parseCondition(complete(text)).alternatives.length > 0, text);
});

test.run();
