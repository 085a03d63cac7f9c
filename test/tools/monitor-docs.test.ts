// docs/monitor.md against the code: every flag, every key of setting.cfg and every count of the JSON, both ways.
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { monitorCommand } from '../../tools/monitor/command.js';
import { COUNT_NAMES } from '../../tools/monitor/native.js';
import { parseSettingCfg, SETTING_DEFAULTS, SETTING_KEYS } from '../../tools/monitor/setting-cfg.js';

const read = (path: string) => readFileSync(fileURLToPath(new URL(`../../../${path}`, import.meta.url)), 'utf8');
const PAGE = read('docs/monitor.md');

test('every flag stands in the table once, with its default, and no other', () => {
  const section = PAGE.slice(PAGE.indexOf('## 4. Flags'), PAGE.indexOf('## 5. Results'));
  const rows = [...section.matchAll(/^\| `(-[^`]+)` \| ?(.*?) ?\| .+ \|$/gm)].map(([, flags, preset]) => [
    flags,
    preset,
  ]);
  const { options } = monitorCommand();
  assert.equal(
    rows.map(([flags]) => flags),
    options.map(({ flags }) => flags),
  );
  for (const { flags, defaultValue } of options) {
    if (defaultValue !== undefined)
      assert.is(rows.find(([found]) => found === flags)?.[1], String(defaultValue), flags);
  }
});

test('every key of setting.cfg stands in the table with its default', () => {
  const rows = [...PAGE.matchAll(/^\| `([A-Za-z_]+)` \| (\[.*?\]|[\d.]+) \| .+ \|$/gm)].map(([, key, preset]) => [
    key,
    preset,
  ]);
  assert.equal(
    rows.map(([key]) => key),
    [...SETTING_KEYS],
  );
  const text = rows.map(([key, preset]) => `${key} = ${preset};`).join('\n');
  const { settings, faults } = parseSettingCfg(text, 'page');
  assert.equal(faults, []);
  assert.equal(settings, SETTING_DEFAULTS);
});

test('the schema names every count', () => {
  const schema = JSON.parse(read('docs/schema/monitor.json')) as { properties: { counts: { required: string[] } } };
  assert.equal(schema.properties.counts.required, [...COUNT_NAMES]);
});

test('--help fits a screen and has examples, --help-all has every flag', () => {
  const page = (everyFlag: boolean) => {
    let help = '';
    const command = monitorCommand(everyFlag);
    command.configureOutput({ writeOut: (text) => (help += text), getOutHelpWidth: () => 80 });
    command.outputHelp();
    return help.trimEnd();
  };
  const lines = page(false).split('\n').length;
  assert.ok(lines >= 24 && lines <= 40, `${lines} lines`);
  assert.match(page(false), /Examples:\n {2}monitor --interface eth0/);
  for (const { flags } of monitorCommand().options) assert.ok(page(true).includes(`  ${flags}`), flags);
});

test('setting.cfg: hexadecimal numbers, comments, lists in both brackets, and colons', () => {
  const { settings, faults } = parseSettingCfg(
    'LabelOffset : 0x06; // six\nrequest_label = (0, 2)\n/* many\nlines */ response_label = [ 1 , 3, ];\nHrate = 5e-2; enablePri = true;',
    'setting.cfg',
  );
  assert.equal(faults, []);
  assert.equal(settings, { ...SETTING_DEFAULTS, enablePri: 1 });
});

test('setting.cfg: what cannot be read is named with its line, and reading goes on', () => {
  const { faults, settings } = parseSettingCfg(
    'server_port 80;\nrequest_label = [0, 300];\ninterval = 5;\nrx_queues = "4";\npr_queues = {',
    'a.cfg',
  );
  assert.equal(
    faults.map((fault) => fault.split(': ')[0]),
    ['a.cfg:1', 'a.cfg:5', 'a.cfg:2', 'a.cfg:4'],
  );
  assert.is(settings.interval, 5);
});

test.run();
