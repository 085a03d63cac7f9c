// SIGHUP: rules and policy of the configuration are read again and replaced; what else changed is said, and a fault changes nothing.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { reload } from '../../apps/reload.js';
import { parseRule } from '../../stack/classifier.js';
import { loadSettings } from '../../stack/config/load.js';
import type { StackSettings } from '../../stack/config/settings.js';
import { Program } from './program.js';

interface Context {
  folder: string;
  file: string;
}

const hangup = suite<Context>('reload');

hangup.before.each((context) => {
  context.folder = mkdtempSync(join(tmpdir(), 'qstack-reload-'));
  context.file = join(context.folder, 'a.conf');
});
hangup.after.each(({ folder }) => rmSync(folder, { recursive: true, force: true }));

function running(file: string) {
  const { settings } = loadSettings({ file });
  if (settings === undefined) throw new Error('the configuration has faults');
  const placed: StackSettings[] = [];
  return {
    settings,
    placed,
    configure(fresh: StackSettings) {
      for (const { text } of fresh.classify) parseRule(text, ['high', 'low']);
      placed.push(fresh);
    },
  };
}

hangup('rules that changed are put in place, in their order', ({ file }) => {
  writeFileSync(file, 'levels = high, low\nclassify = dscp 46 -> high\n');
  const stack = running(file);
  writeFileSync(file, 'levels = high, low\nclassify = dst port 80 -> low\nclassify = dscp 10 -> high\n');
  assert.is(reload(stack, { file }), `${file}: 2 rules and the policy are in place`);
  assert.equal(
    stack.placed.map(({ classify }) => classify.map((line) => line.text)),
    [['dst port 80 -> low', 'dscp 10 -> high']],
  );
});

hangup('other settings that changed are named, and stay as they are', ({ file }) => {
  writeFileSync(file, 'port = 80\n');
  const stack = running(file);
  writeFileSync(file, 'port = 81\nrcvbuf = 8192\nclassify = dscp 46 -> high\n');
  assert.is(
    reload(stack, { file }),
    `${file}: 1 rules and the policy are in place; receiveBufferBytes, port changed as well, which takes effect when the program is started again`,
  );
  assert.is(stack.settings.port, 80);
});

hangup('a policy that changed is put in place, and is no other setting', ({ file }) => {
  writeFileSync(file, 'policy = strict\nstarvation_bound = 5ms\n');
  const stack = running(file);
  writeFileSync(file, 'policy = weighted\nweights = high 4, low 1\nmax_age = low 5s\n');
  assert.is(reload(stack, { file }), `${file}: 0 rules and the policy are in place`);
  const [fresh] = stack.placed;
  assert.equal([fresh?.policy, fresh?.weights, fresh?.maxAgesMs], ['weighted', { high: 4, low: 1 }, { low: 5_000 }]);
});

hangup('a fault is said with its line, and the rules stay', ({ file }) => {
  writeFileSync(file, '');
  const stack = running(file);
  writeFileSync(file, 'port = 80\nclassify = dscp 64 -> high\n');
  assert.match(
    reload(stack, { file }),
    /rules and policy stay as they are:\n.*a\.conf:2: classify: column 1: dscp is compared/,
  );
  writeFileSync(file, 'classify = dscp 1 -> urgent\n');
  assert.match(
    reload(stack, { file }),
    /rules and policy stay as they are: column \d+: expected a level \(high, low\)/,
  );
  assert.equal(stack.placed, []);
});

hangup(
  'qstack run: SIGHUP replaces the rules of a program on the air, and --stats names them, and what each level was denied',
  async ({ folder, file }) => {
    const device = `device = memif:${join(folder, 'm', 'q.sock')}?server\nmax_num_buffers = 1024\nmax_concurrency = 100\n`;
    writeFileSync(file, `${device}classify = dscp 46 -> high\n`);
    const program = new Program('tools/qstack/main.js', [
      'run',
      'dist/test/stack/fixtures/echo.js',
      '-f',
      file,
      '--stats',
    ]);
    try {
      await program.said('listening');
      await program.said('dscp == 46 -> high');
      writeFileSync(file, `${device}classify = dst port 7 -> low\n`);
      program.child.kill('SIGHUP');
      await program.said('1 rules and the policy are in place');
      await program.said('dst port == 7 -> low');
      writeFileSync(file, `${device}policy = weighted\nweights = high 4\n`);
      program.child.kill('SIGHUP');
      await program.said('rules and policy stay as they are: policy: the weight has nothing for level "low"');
      assert.match(program.err, /payload\[0\] == 1 -> high/);
      assert.match(program.err, /overload by level:\n {2}high +deferred +0 {2}moved +0 {2}shed +0\n {2}low +deferred/);
      assert.is(await program.stop(), 0);
    } finally {
      await program.stop('SIGKILL');
    }
  },
);

hangup.run();
