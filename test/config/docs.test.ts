// docs/configuration.md against the code: every key is there with its accepted range and its default, and no other.
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { KEY_NAMES, KEYS } from '../../stack/config/keys.js';
import { type Loaded, loadSettings } from '../../stack/config/load.js';
import { parseConfText } from '../../stack/config/text.js';

const PAGE = readFileSync(fileURLToPath(new URL('../../../docs/configuration.md', import.meta.url)), 'utf8');
const MACHINE = { machine: { cores: 2, memoryBytes: 2 ** 34 } };

interface Row {
  key: string;
  preset: string;
  doc: string;
  accepts: string;
}

const ROWS: Row[] = [...PAGE.matchAll(/^\| `(\w+)`.*? \| (.*?) \| (.*?) \| (.*) \|$/gm)].map(
  ([, key = '', preset = '', doc = '', accepts = '']) => ({ key, preset, doc, accepts }),
);

function load(object: Record<string, unknown>): Loaded {
  return loadSettings({ object }, MACHINE);
}

test('every key stands in the table once, in the order of the code', () => {
  assert.equal(
    ROWS.map((row) => row.key),
    KEY_NAMES,
  );
});

test('meaning and accepted range are those of the code', () => {
  for (const { key, doc, accepts } of ROWS) {
    const known = KEYS[key as keyof typeof KEYS];
    assert.equal([doc, accepts.replaceAll('\\|', '|')], [known.doc, known.accepts], key);
  }
});

test('a default that is a value is the default of the code', () => {
  const nothing = load({}).settings;
  const values = ROWS.filter(({ preset }) =>
    /^(\d[\w.,/]*|never|native|requests|iot|yield|separate|info)$/.test(preset),
  );
  assert.ok(values.length > 25, String(values.length));
  for (const { key, preset } of values) {
    const { settings, faults } = load({ [key]: preset.replaceAll(',', '') });
    assert.equal(faults, [], key);
    assert.equal(settings, nothing, key);
  }
});

test('the rules of the page are accepted', () => {
  const block = /```\n(levels[\s\S]*?)```/.exec(PAGE)?.[1] ?? '';
  const { entries } = parseConfText(block, 'page');
  const classify = entries.filter((entry) => entry.key === 'classify').map((entry) => entry.text);
  assert.is(classify.length, 2);
  assert.equal(load({ levels: 'high, low', classify }).faults, []);
  assert.is(load({ levels: 'a, b', classify }).faults.length, 2);
});

test.run();
