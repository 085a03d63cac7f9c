// The table of error codes is whole: what the sources throw stands in it.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { ERROR_CODES } from '../../index.js';

const SOURCES: [folder: string, suffix: RegExp][] = [
  ['coroutine', /\.ts$/],
  ['mempool', /\.ts$/],
  ['stack', /\.ts$/],
  ['native/node', /\.(cc|hh)$/],
];

function* codesOf(folder: string, suffix: RegExp): Generator<[code: string, file: string]> {
  for (const name of readdirSync(folder, { recursive: true, encoding: 'utf8' })) {
    if (!suffix.test(name) || name.startsWith('build')) continue;
    const text = readFileSync(join(folder, name), 'utf8');
    for (const [code] of text.matchAll(/QST_ERR_[A-Z_]+[A-Z]/g)) yield [code, join(folder, name)];
  }
}

test('every code that the sources name stands in the table, with a sentence', () => {
  const missing = new Set<string>();
  let found = 0;
  for (const [folder, suffix] of SOURCES) {
    for (const [code, file] of codesOf(folder, suffix)) {
      found++;
      if (!Object.hasOwn(ERROR_CODES, code)) missing.add(`${code} (${file})`);
    }
  }
  assert.ok(found > 50, 'the sources were found');
  assert.equal([...missing], []);
  for (const sentence of Object.values(ERROR_CODES)) assert.match(sentence, /^[A-Z].*\.$/);
});

test('every code of the table is used', () => {
  const used = new Set<string>();
  for (const [folder, suffix] of SOURCES) {
    for (const [code, file] of codesOf(folder, suffix)) if (!file.endsWith('errors.ts')) used.add(code);
  }
  assert.equal(
    Object.keys(ERROR_CODES).filter((code) => !used.has(code)),
    [],
  );
});

test.run();
