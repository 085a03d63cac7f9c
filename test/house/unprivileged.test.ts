// The whole main job as an ordinary user without any capability: Redis, iotepserver and mcc, small and short.
// watchdog: 180s
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { test } from 'uvu';
import * as assert from 'uvu/assert';

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
const MAIN = `${ROOT}dist/tools/start/main.js`;
const NOBODY = [
  '--reuid=65534',
  '--regid=65534',
  '--clear-groups',
  '--inh-caps=-all',
  '--bounding-set=-all',
  '--no-new-privs',
];
const FLAGS = ['--connections', '300', '--rate', '600', '--duration', '2s', '--high', '0.2', '--redis', '1', '--json'];

interface Level {
  name: string;
  sent: number;
  answered: number;
  lost: number;
  errors: number;
  p50_us: number;
  p99_us: number;
}

interface Result {
  connections: number;
  levels: Level[];
  mismatched: number;
  redis_ops: number;
  fifo: { levels: Level[]; mismatched: number };
}

/** As root the privileges are given up; anybody else has none. */
const become = process.getuid?.() === 0 ? ['setpriv', ...NOBODY] : [];

function runAs(command: string[]) {
  const { XDG_RUNTIME_DIR: _, ...env } = process.env;
  const [file = '', ...args] = [...become, ...command];
  return spawnSync(file, args, { cwd: '/', encoding: 'utf8', env: { ...env, HOME: '/nonexistent' } });
}

const readable = runAs(['test', '-r', MAIN]).status === 0;
const maybe = readable ? test : test.skip;
if (!readable) console.log(`skipped: user 65534 may not read ${ROOT}`);

maybe(
  'every message of every level is answered, by Redis’ own count as well, and nothing but JSON is on stdout',
  () => {
    const { status, stdout, stderr } = runAs([process.execPath, MAIN, ...FLAGS]);
    assert.is(status, 0, stderr);
    assert.is(stdout.trim().split('\n').length, 1);
    const result = JSON.parse(stdout) as Result;
    assert.is(result.connections, 300);
    assert.equal([result.mismatched, result.fifo.mismatched], [0, 0]);
    const levels = [...result.levels, ...result.fifo.levels];
    assert.equal(
      levels.map((level) => level.name),
      ['high', 'low', 'high', 'low'],
    );
    for (const level of levels) {
      assert.ok(level.sent > 100, JSON.stringify(level));
      assert.equal([level.answered, level.lost, level.errors], [level.sent, 0, 0], stderr);
      assert.ok(level.p50_us > 0 && level.p99_us >= level.p50_us);
    }
    const sent = result.levels.reduce((sum, level) => sum + level.sent, 0);
    assert.is(result.redis_ops, 2 * sent);
  },
);

maybe('it left nothing behind: no process and no folder', () => {
  const found = runAs(['sh', '-c', 'ls -d /tmp/qstack-start-* 2>/dev/null']);
  const own = found.stdout.split('\n').filter((path) => path !== '' && runAs(['test', '-O', path]).status === 0);
  assert.equal(own, []);
});

test.run();
