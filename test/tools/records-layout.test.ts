// The layout of records: both generated files are what the description gives, and the description fits together.
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import * as abi from '../../stack/abi.js';
import { type Layout, layout } from '../../tools/layout/layout.js';
import { check, renderCxx, renderTypeScript } from '../../tools/layout/render.js';

const ROOT = new URL('../../../', import.meta.url);
const fileOf = (path: string) => readFileSync(fileURLToPath(new URL(path, ROOT)), 'utf8');

function withStruct(bytes: number, fields: Layout['structs'][number]['fields']): Layout {
  return { constants: [], enumerations: [], structs: [{ name: 'Wrong', bytes, align: 4, doc: '', fields }] };
}

test('both languages have what the description gives: `node dist/tools/layout/generate.js`', () => {
  assert.is(fileOf('native/abi/layout.hh'), renderCxx(layout));
  assert.is(fileOf('stack/abi.ts'), renderTypeScript(layout));
});

test('fields that overlap, are misaligned or leave their struct are refused', () => {
  const field = (at: number) => ({ name: `at_${at}`, at, type: 'u32', doc: '' }) as const;
  assert.throws(() => check(withStruct(8, [field(0), field(2)])), /not aligned/);
  assert.throws(() => check(withStruct(8, [field(4), field(4)])), /overlaps/);
  assert.throws(() => check(withStruct(4, [field(0), field(4)])), /fields end at 8/);
  assert.throws(() => check(withStruct(6, [field(0)])), /alignment/);
});

test('the header pages have room for as many apps, stacks and rings as there may be', () => {
  assert.ok(abi.ARENA_HEADER_BYTES <= abi.APP_LINES_AT);
  assert.ok(abi.APP_LINES_AT + abi.APPS_MAX * abi.APP_LINE_BYTES <= abi.STACK_LINES_AT);
  assert.ok(abi.STACK_LINES_AT + abi.STACKS_MAX * abi.STACK_LINE_BYTES <= abi.RING_DIRECTORY_AT);
  const directory = abi.RING_SETS_MAX * abi.RINGS_PER_APP * abi.RING_ENTRY_BYTES;
  assert.is(abi.RING_DIRECTORY_AT + directory, abi.HEADER_BYTES);
  assert.is(abi.HEADER_BYTES % 4096, 0);
});

test.run();
