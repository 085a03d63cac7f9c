// The layout description, what is generated from it, and what must never be generated.
import { readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { type Layout, layout } from '../../tools/layout/layout.js';
import { check, renderCxx, renderTypeScript } from '../../tools/layout/render.js';

const root = resolve(dirname(fileURLToPath(import.meta.url)), '../../..');
const read = (path: string) => readFileSync(join(root, path), 'utf8');
const it = suite('layout');

function structOf(fields: Layout['structs'][number]['fields'], bytes = 8): Layout {
  return { constants: [], enumerations: [], structs: [{ name: 'Sample', bytes, align: 4, doc: 'A sample.', fields }] };
}

it('native/abi/layout.hh is what the description generates', () => {
  assert.is(read('native/abi/layout.hh'), renderCxx(layout));
});

it('stack/abi.ts is what the description generates', () => {
  assert.is(read('stack/abi.ts'), renderTypeScript(layout));
});

it('the records have the offsets that docs/ARCHITECTURE.md 4 gives', () => {
  const document = read('docs/ARCHITECTURE.md');
  for (const [title, name] of [
    ['Event', 'EventRecord'],
    ['Send', 'SendRecord'],
    ['Release', 'ReleaseRecord'],
  ] as const) {
    const text = new RegExp(`\\*\\*${title}\\*\\* \\((\\d+) B\\): ([^]*?)\\n(?:Types|\\n)`).exec(document);
    assert.ok(text, title);
    const struct = layout.structs.find((candidate) => candidate.name === name)!;
    assert.is(struct.bytes, Number(text[1]));
    const documented = [...text[2]!.matchAll(/(?:^|[ ,\n])(\d+) `(\w+)`/g)].map(([, at, field]) => `${at} ${field}`);
    assert.equal(
      struct.fields.map((field) => `${field.at} ${field.name}`),
      documented,
    );
  }
});

it('a field that is not aligned, overlaps or leaves its struct is refused', () => {
  assert.throws(() => check(structOf([{ name: 'a', at: 2, type: 'u32', doc: '' }])), /not aligned/);
  const overlapping = [
    { name: 'a', at: 0, type: 'u32', doc: '' },
    { name: 'b', at: 2, type: 'u16', doc: '' },
  ] as const;
  assert.throws(() => check(structOf(overlapping)), /overlaps/);
  assert.throws(() => check(structOf([{ name: 'a', at: 8, type: 'u32', doc: '' }])), /fields end at 12/);
});

it.run();
