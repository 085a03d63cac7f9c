// clang-tidy in the tests: of the rooms on the packet's line a twentieth of the files, another one each day; `npm run tidy` reads
// all of native/.
// The whole takes minutes on two cores; what has not changed since it was clean is not read again.
// watchdog: 240s
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { fingerprint, type Source } from '../../tools/tidy/files.js';

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
const PARTS = 20;
const ROOMS = ['classify', 'flow', 'ip', 'mempool', 'redis', 'stack', 'tcp', 'wire'].map((room) => `native/${room}/`);
const DAY_MS = 86_400_000;

function tidy(...args: string[]) {
  return spawnSync(process.execPath, ['dist/tools/tidy/main.js', ...args], { cwd: ROOT, encoding: 'utf8' });
}

const part = (Math.floor(Date.now() / DAY_MS) % PARTS) + 1;

test(`clang-tidy finds nothing in part ${part} of ${PARTS} of the rooms on the packet's line`, () => {
  const { status, stdout, stderr } = tidy('--part', `${part}/${PARTS}`, ...ROOMS);
  assert.is(status, 0, `${stdout}${stderr}`);
  assert.match(stderr, /^\d+ files: \d+ clean, \d+ known to be, 0 with findings$/m);
});

test('the parts together are all files, and no file is in two of them', () => {
  const { stdout } = tidy('--json', '--list');
  const all = JSON.parse(stdout) as string[];
  const parts = Array.from({ length: PARTS }, (_, index) =>
    tidy('--json', '--list', '--part', `${index + 1}/${PARTS}`),
  );
  const together = parts.flatMap((run) => JSON.parse(run.stdout) as string[]);
  assert.equal(together.sort(), all);
  for (const file of ['native/tcp/input.cc', 'native/ip/fragments.cc', 'native/stack/stack.cc']) {
    assert.ok(all.includes(file), file);
  }
});

test('a planted mistake is found by the checks that are switched on', () => {
  const folder = mkdtempSync(join(tmpdir(), 'qstack-tidy-'));
  try {
    const file = join(folder, 'planted.cc');
    writeFileSync(
      file,
      '#include <utility>\n#include <string>\nstd::string twice(std::string a) {\n  std::string b = std::move(a);\n  return b + a;\n}\n',
    );
    const config = `--config-file=${join(ROOT, '.clang-tidy')}`;
    const args = ['--quiet', '--warnings-as-errors=*', config, file, '--', '-std=c++20'];
    const { status, stdout } = spawnSync('clang-tidy', args, { encoding: 'utf8' });
    assert.is(status, 1);
    assert.match(stdout, /bugprone-use-after-move/);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test('a file is read again when a header below it, its flags or the tool have changed', () => {
  const source: Source = { file: 'native/tcp/input.cc', args: [] };
  const mark = fingerprint(source, '14');
  assert.is(fingerprint(source, '14'), mark);
  assert.is.not(fingerprint(source, '15'), mark);
  assert.is.not(fingerprint({ ...source, args: ['-DNDEBUG'] }, '14'), mark);
  assert.is.not(fingerprint({ ...source, file: 'native/tcp/output.cc' }, '14'), mark);
});

test('every check that is left out stands in .clang-tidy with its reason', () => {
  const text = readFileSync(join(ROOT, '.clang-tidy'), 'utf8');
  const checks = /^Checks: "(.*)"$/m.exec(text)?.[1]?.split(',') ?? [];
  const without = checks.filter((check) => check.startsWith('-') && check !== '-*').map((check) => check.slice(1));
  assert.ok(without.length > 0);
  for (const check of without) assert.match(text, new RegExp(`^# ${check}: \\w.{20,}`, 'm'), check);
});

test('names that choose no file, and parts that are none, are refused', () => {
  assert.is(tidy('no-such-file').status, 2);
  assert.match(tidy('--part', '6/5').stderr, /such as 2\/5/);
});

test.run();
