// Folders of sockets: whoever reaches a socket is trusted, so the folder must be ours alone.
import { chmodSync, chownSync, existsSync, mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { formatDevice, parseDevice, preparedDevice } from '../../stack/config/device.js';
import { makePrivateDir, runtimeDir } from '../../stack/config/runtime-dir.js';

const folders = suite('private folders');
let base = '';
folders.before.each(() => {
  base = mkdtempSync(join(tmpdir(), 'qstack-private-'));
});
folders.after.each(() => rmSync(base, { recursive: true }));

function refusal(path: string): string {
  try {
    makePrivateDir(path);
    return '';
  } catch (error) {
    return (error as Error).message;
  }
}

folders('a folder that is made has mode 0700, and so have those above it', () => {
  makePrivateDir(join(base, 'a/b'));
  for (const path of ['a', 'a/b']) assert.is(statSync(join(base, path)).mode & 0o777, 0o700);
  assert.is(refusal(join(base, 'a/b')), '');
});

folders('a folder into which others may write is refused and left as it is', () => {
  const open = join(base, 'open');
  mkdirSync(open);
  chmodSync(open, 0o1777);
  assert.match(refusal(open), /open to other users \(mode 1777\)/);
  assert.is(statSync(open).mode & 0o7777, 0o1777);
});

folders('a file in its place is refused', () => {
  writeFileSync(join(base, 'file'), '');
  assert.match(refusal(join(base, 'file')), /EEXIST|not a folder/);
});

if (process.getuid?.() === 0) {
  folders("another user's folder is refused", () => {
    const other = join(base, 'other');
    mkdirSync(other, { mode: 0o700 });
    chownSync(other, 65_534, 65_534);
    assert.match(refusal(other), /belongs to user 65534/);
  });
}

folders('the runtime folder itself is checked before anything is made in it', () => {
  const before = process.env.XDG_RUNTIME_DIR;
  process.env.XDG_RUNTIME_DIR = base;
  try {
    mkdirSync(join(base, 'qstack'));
    chmodSync(join(base, 'qstack'), 0o777);
    assert.match(refusal(join(runtimeDir(), 'memif')), /qstack is open to other users/);
    assert.not(existsSync(join(base, 'qstack/memif')));
  } finally {
    if (before === undefined) delete process.env.XDG_RUNTIME_DIR;
    else process.env.XDG_RUNTIME_DIR = before;
  }
});

folders('a memif server prepares the folder of its socket, and is named as it was written', () => {
  const text = `memif:${join(base, 'x/y.sock')}?server`;
  const device = parseDevice(text);
  assert.not.type(device, 'string');
  assert.is(preparedDevice(device as Exclude<typeof device, string>), text);
  assert.is(statSync(join(base, 'x')).mode & 0o777, 0o700);
});

const FILES = ['pcap:rx=in.pcap,tx=/tmp/out.pcap', 'pcap:tx=a', 'pcap:rx=a'];

folders('every kind of device is read back as it was written', () => {
  for (const text of [
    'memif:/run/q/a.sock?client',
    'tap:tap0',
    'af_packet:eth1',
    'af_xdp:eth1',
    'pcap:eth1',
    ...FILES,
    'net_null0',
  ]) {
    const device = parseDevice(text);
    assert.not.type(device, 'string', text);
    assert.is(formatDevice(device as Exclude<typeof device, string>), text);
  }
});

folders('capture files are named once each, and in words that DPDK reads as they are', () => {
  const faults: [string, RegExp][] = [
    ['pcap:rx=a,rx=b', /rx= stands there twice/],
    ['pcap:rx=a,tx=a', /read and written at the same time/],
    ['pcap:rx=a b', /is not rx=FILE or tx=FILE/],
    ['pcap:rx=a,infinite_rx=1', /"infinite_rx=1" is not/],
    ['pcap:rx=', /"rx=" is not/],
    ['pcap:', /no interface name/],
  ];
  for (const [text, sentence] of faults) assert.match(String(parseDevice(text)), sentence);
});

folders.run();
