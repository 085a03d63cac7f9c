// `monitor --mirror` where the server comes later, goes, and comes back; where another monitor reads; and where no server can be.
// The server is a stack of this process, of which only the mirror is used.
// watchdog: 240s
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { loadNative } from '../../stack/native.js';
import { MirrorLink } from '../../tools/monitor/watched-server.js';
import { Program } from '../apps/program.js';
import { smallStack } from '../stack/small-stack.js';

const native = loadNative();
const waits = suite<{ folder: string; path: string; programs: Program[] }>('a monitor of a mirror');

waits.before((context) => {
  native.startEal({});
  context.folder = mkdtempSync(join(tmpdir(), 'qstack-waits-'));
  context.path = join(context.folder, 'mirror', 'm.sock');
  context.programs = [];
  mkdirSync(join(context.folder, 'mirror'), { mode: 0o700 });
});
waits.after(async ({ folder, programs }) => {
  await Promise.all(programs.map((program) => program.stop('SIGKILL')));
  rmSync(folder, { recursive: true, force: true });
});

const serverOf = (folder: string, mirror: string) =>
  smallStack(`memif:${join(folder, 'memif', 'q.sock')}?server`, mirror);

function start(programs: Program[], mirror: string): Program {
  const program = new Program('tools/monitor/main.js', ['--mirror', mirror, '--json']);
  programs.push(program);
  return program;
}

waits(
  'it says that it waits, that it is connected, that the server is gone, and that the next one is there',
  async ({ folder, path, programs }) => {
    const monitor = start(programs, path);
    await monitor.said(`waiting for a server at ${path}: start one with \`mirror = memif:${path}\``);
    assert.not.match(monitor.err, /watching/);
    const first = serverOf(folder, path);
    await monitor.said(`watching the mirror ${path}`);
    native.destroy(first);
    await monitor.said(`the server at ${path} is gone; waiting for the next one`);
    const second = serverOf(folder, path);
    await monitor.said(`connected to the mirror ${path} again`);
    const late = start(programs, path);
    await late.said(`the server at ${path} has not taken this monitor in: one at a time reads a mirror; waiting`);
    assert.is(await monitor.stop('SIGINT'), 0, monitor.err);
    await late.said(`watching the mirror ${path}`);
    assert.is(await late.stop('SIGINT'), 0, late.err);
    native.destroy(second);
  },
);

waits('a path at which no server can be is refused with exit 2', async ({ folder, programs }) => {
  const file = join(folder, 'file');
  writeFileSync(file, '');
  const refused: [string, RegExp][] = [
    [
      join(folder, 'none', 'm.sock'),
      /--mirror: .*there is no folder \S+\/none; a server with `mirror = memif:\S+` makes it/,
    ],
    [join(file, 'm.sock'), /--mirror: .*\/file is no folder/],
    [file, /--mirror: .*it is there, and no socket/],
    ['m.sock', /--mirror: .*"m\.sock" is not an absolute path/],
    [join(folder, 'x'.repeat(106)), /--mirror: .*path is longer than 106 bytes/],
    [join(folder, 'mirror', 'm.sock?server'), /--mirror: "\S+\?server" is not accepted/],
  ];
  for (const [path, sentence] of refused) {
    const monitor = start(programs, path);
    assert.is(await monitor.ended, 2, path);
    assert.match(monitor.err, sentence);
  }
});

waits('half a second is given to a server that is there, and nothing is told twice', () => {
  const link = new MirrorLink('/m', () => false);
  assert.is(link.look(false, 1_000), undefined);
  assert.is(link.look(false, 1_499), undefined);
  assert.match(link.look(false, 1_500) ?? '', /^waiting for a server at \/m: /);
  assert.is(link.look(false, 9_000), undefined);
  assert.is(link.look(true, 9_100), undefined);
  assert.match(link.look(false, 9_200) ?? '', /is gone/);
  assert.is(link.look(false, 99_000), undefined);
  assert.match(link.look(true, 99_100) ?? '', /again$/);
});

waits.run();
