// The keys `mirror` and `mirror_snap`: what they accept, and what is refused, in a file and as flags of a program.
// watchdog: 240s
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { formatFault } from '../../stack/config/fault.js';
import { loadSettings } from '../../stack/config/load.js';
import { Program } from '../apps/program.js';

const mirror = suite<{ folder: string }>('mirror');
const ANOTHER = 'the path of another socket';
const SNAP = 'a whole number from 64 to 1,468';
const PLACE = 'memif:/path of a socket in a folder of its own';

mirror.before((context) => {
  context.folder = mkdtempSync(join(tmpdir(), 'qstack-mirror-keys-'));
});
mirror.after(({ folder }) => rmSync(folder, { recursive: true, force: true }));

function load(...lines: string[]) {
  const object = Object.fromEntries(lines.map((line) => line.split(' = ') as [string, string]));
  const { settings, faults } = loadSettings({ object }, { machine: { cores: 2, memoryBytes: 2 ** 34 } });
  return { settings, faults: faults.map((fault) => formatFault(fault).replace('options: ', '')) };
}

mirror('a socket, its role left out or named, and as many bytes of a frame as a record holds', () => {
  const device = { kind: 'memif', path: '/r/m/m.sock', role: 'server' };
  for (const text of ['memif:/r/m/m.sock', 'memif:/r/m/m.sock?server', 'memif:/r/m/m.sock?role=server'])
    assert.equal(load(`mirror = ${text}`).settings?.mirror, { device, snap: 256 });
  for (const snap of [64, 1_468])
    assert.is(load('mirror = memif:/r/m/m.sock', `mirror_snap = ${snap}`).settings?.mirror?.snap, snap);
  assert.is(load('mirror_snap = 100').settings?.mirror, undefined);
});

mirror('what is no socket that a server can make is refused', () => {
  const long = `/r/${'x'.repeat(104)}`;
  const refused: [string, RegExp][] = [
    ['tap:q0', /mirror: "tap:q0" is no memif:\/path/],
    ['memif:/r/m/m.sock?client', /mirror: "memif:\/r\/m\/m\.sock\?client" is no memif:\/path/],
    ['/r/m/m.sock', /mirror: "\/r\/m\/m\.sock" is no memif:\/path/],
    ['memif:m.sock', /mirror: .*"m\.sock" is not an absolute path/],
    ['memif:/m.sock', /mirror: .*must lie in a folder of its own/],
    [`memif:${long}`, /mirror: .*longer than 106 bytes/],
  ];
  for (const [text, sentence] of refused) {
    const [fault = '', ...more] = load(`mirror = ${text}`).faults;
    assert.match(fault, sentence);
    assert.ok(fault.endsWith(PLACE), fault);
    assert.equal(more, []);
  }
});

mirror('fewer bytes than a header with its addresses, or more than a record holds, are refused', () => {
  for (const [text, why] of [
    ['63', 'out of range'],
    ['1469', 'out of range'],
    ['64.5', 'not a'],
    ['all', 'not a'],
  ] as const) {
    const [fault = ''] = load('mirror = memif:/r/m/m.sock', `mirror_snap = ${text}`).faults;
    assert.ok(fault.startsWith(`mirror_snap: "${text}" is ${why}`) && fault.endsWith(SNAP), fault);
  }
});

mirror('the socket of the device, its role whatever, is no place for the mirror', () => {
  for (const role of ['', '?server', '?client'])
    assert.equal(load(`device = memif:/r/m/../q.sock${role}`, 'mirror = memif:/r/q.sock').faults, [
      `mirror: /r/q.sock is the socket of \`device\`; ${ANOTHER}`,
    ]);
  assert.equal(load('device = memif:/r/q.sock', 'mirror = memif:/r/q.sock~').faults, [
    `mirror: /r/q.sock~ and /r/q.sock: PATH~ belongs to the memif at PATH; ${ANOTHER}`,
  ]);
  assert.is(load('device = memif:/r/q.sock~', 'mirror = memif:/r/q.sock').faults.length, 1);
  assert.equal(load('device = memif:/r/q.sock', 'mirror = memif:/r/m.sock').faults, []);
  assert.equal(load('device = tap:q0', 'mirror = memif:/r/m.sock').faults, []);
});

mirror('a program refuses them as flags and in a file, all at once, with exit 2', async ({ folder }) => {
  const socket = join(folder, 'memif', 'q.sock');
  const flags = ['--device', `memif:${socket}`, '--mirror', `memif:${socket}`, '--mirror-snap', '63'];
  const flagged = new Program('apps/iotepserver/main.js', flags);
  assert.is(await flagged.ended, 2, flagged.err);
  assert.ok(flagged.err.includes(`--mirror: mirror: ${socket} is the socket of \`device\`; ${ANOTHER}\n`), flagged.err);
  assert.ok(flagged.err.includes(`--mirror-snap: mirror_snap: "63" is out of range; ${SNAP}\n`), flagged.err);
  const file = join(folder, 'a.conf');
  writeFileSync(file, `device = memif:${socket}\nmirror_snap = 2000\nmirror = memif:${socket}\n`);
  const filed = new Program('apps/iotepserver/main.js', ['-f', file]);
  assert.is(await filed.ended, 2, filed.err);
  assert.equal(filed.err.trimEnd().split('\n'), [
    `${file}:2: mirror_snap: "2000" is out of range; ${SNAP}`,
    `${file}:3: mirror: ${socket} is the socket of \`device\`; ${ANOTHER}`,
  ]);
});

mirror.run();
