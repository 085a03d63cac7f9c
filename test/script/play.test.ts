// `npm run script` on real scripts: what comes true, what does not, and what it says in either case.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { readPlayed } from '../../tools/script/played.js';

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
const PASSIVE = 'test/script/rfc9293-3.5-opening/passive.pkt';

function script(...args: string[]): { status: number | null; stdout: string; stderr: string } {
  return spawnSync(process.execPath, ['dist/tools/script/main.js', ...args], { cwd: ROOT, encoding: 'utf8' });
}

const play = suite('play');
let folder = '';
play.before.each(() => {
  folder = mkdtempSync(join(tmpdir(), 'qstack-script-'));
});
play.after.each(() => rmSync(folder, { recursive: true }));

play('a script that comes true exits 0, and with --verbose its conversation is shown', () => {
  const { status, stdout, stderr } = script(PASSIVE, '--verbose');
  assert.is(status, 0, stdout + stderr);
  assert.match(stdout, /^ok test\/script\/rfc9293-3\.5-opening\/passive\.pkt\tRFC 9293 3\.5: /);
  assert.match(stdout, /^0\.000000 > S\. 0:0\(0\) ack 1 win 65535 </m);
  assert.match(stderr, /1 of 1 scripts come true/);
});

play('a wrong expectation exits 1 and names file and line, what was expected and what came', () => {
  const wrong = join(folder, 'wrong.pkt');
  writeFileSync(wrong, '// Nobody listens.\n0 < S 0:0(0) win 1000\n+0 > S. 0:0(0) ack 1\n');
  const { status, stdout } = script(wrong);
  assert.is(status, 1);
  assert.match(stdout, /wrong\.pkt:3: the stack sent something else \(flags\)/);
  assert.match(stdout, /expected: 0\.000000 > S\. 0:0\(0\) ack 1\n/);
  assert.match(stdout, /came: {5}0\.000000 > R\. 0:0\(0\) ack 1 win 0\n/);
});

play('a folder without scripts and a place that does not exist are failures', () => {
  assert.is(script(folder).status, 1);
  assert.is(script(join(folder, 'nothing.pkt')).status, 2);
});

play('--json gives one object per script', () => {
  const [only] = JSON.parse(script(PASSIVE, '--json').stdout);
  assert.equal([only.ok, only.path], [true, PASSIVE]);
});

play('what the program prints is read, with the text that belongs to each script', () => {
  const played = readPlayed('ok a.pkt\tA.\n0.1 > .\nFAILED b.pkt\tB.\nb.pkt:3: why\n  more\n');
  assert.equal(
    played.map(({ ok, path, says, text }) => [ok, path, says, text]),
    [
      [true, 'a.pkt', 'A.', '0.1 > .\n'],
      [false, 'b.pkt', 'B.', 'b.pkt:3: why\n  more\n'],
    ],
  );
});

play.run();
