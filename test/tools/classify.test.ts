// `qstack classify --explain`: what it says about each frame of a capture, and what it refuses.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { segment, segment6, tagged } from '../stack/classifier-frames.js';
import { pcapFile } from './pcap-file.js';

interface Context {
  folder: string;
  capture: string;
}

const MAIN = fileURLToPath(new URL('../../tools/qstack/main.js', import.meta.url));
const ETHERNET = 1;
const classify = suite<Context>('qstack classify');

function request(): Uint8Array {
  const bytes = new Uint8Array(40);
  bytes[5] = 1;
  return bytes;
}

function run(...args: string[]) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [MAIN, 'classify', ...args], { encoding: 'utf8' });
  return { status, stdout, stderr };
}

classify.before.each((context) => {
  context.folder = mkdtempSync(join(tmpdir(), 'qstack-classify-'));
  context.capture = join(context.folder, 'a.pcap');
  const arp = new Uint8Array(42);
  arp.set([8, 6], 12);
  const frames = [segment({ payload: request() }), tagged(segment6({ payload: [9] }), 5), segment(), arp];
  writeFileSync(context.capture, pcapFile(frames));
});
classify.after.each(({ folder }) => rmSync(folder, { recursive: true, force: true }));

const RULES = ['--rule', 'payload[5] == 1 and length > 80 -> high', '--rule', 'pcap "ip6" and vlan id 5 -> high'];

classify(
  'each frame has a line with its level, the rule and what its tests found; then come counts and the cost',
  ({ capture }) => {
    const { status, stdout, stderr } = run('--explain', capture, ...RULES);
    assert.is(stderr, '');
    assert.is(status, 0);
    const lines = stdout.trimEnd().split('\n');
    assert.equal(lines.slice(0, 10), [
      '1  0.000000  10.0.0.1:40000 > 10.1.0.2:80  94 B  high  rule 0 matches: payload[5] == 1 (found 1), length > 80 (found 94)',
      '2  0.000250  [fd00::1]:40000 > [fd00::2]:80  79 B  high  rule 1 matches: pcap "ip6" (found accepted), vlan id == 5 (found 5)',
      '3  0.000500  10.0.0.1:40000 > 10.1.0.2:80  54 B  low  no rule matches',
      '4  0.000750  42 B  high  not a TCP segment: control goes first',
      '4 frames:',
      '  1  rule 0: payload[5] == 1 and length > 80 -> high',
      '  1  rule 1: pcap "ip6" and vlan id == 5 -> high',
      '  1  otherwise -> low',
      '  1  no TCP segment: control',
      lines[9],
    ]);
    assert.match(lines[9] ?? '', /^\d+\.\d ns a frame/);
  },
);

classify(
  '--json: the same as one object; rules come from a module and a configuration as well',
  ({ folder, capture }) => {
    const file = join(folder, 'a.conf');
    writeFileSync(file, 'classify = dst port 80 and ip6[6] == 6 -> low\n');
    const module = fileURLToPath(new URL('../stack/fixtures/echo.js', import.meta.url));
    const { status, stdout } = run(module, '--explain', capture, '-f', file, '--json', '--limit', '3');
    assert.is(status, 0);
    const said = JSON.parse(stdout);
    assert.equal(said.rules, [
      { rule: 'dst port == 80 and ip6[6] == 6 -> low', frames: 1 },
      { rule: 'payload[0] == 1 -> high', frames: 0 },
    ]);
    assert.equal([said.otherwise, said.not_tcp, said.frames.length], [2, 0, 3]);
    assert.is(said.frames[1].rule, 0);
    assert.ok(said.ns_per_frame > 0);
  },
);

classify('--otherwise and --levels: what no rule matches has the level that is named', ({ capture }) => {
  const levels = ['--levels', 'alarm, normal, bulk', '--otherwise', 'normal'];
  const { status, stdout, stderr } = run('--explain', capture, '--rule', 'payload[5] == 1 -> alarm', ...levels);
  assert.is(status, 0, stderr);
  assert.match(stdout, /^ {2}\d+ {2}otherwise -> normal$/m);
  const refused = run('--explain', capture, ...levels.with(3, 'none'));
  assert.is(refused.status, 1);
  assert.match(refused.stderr, /--otherwise none: one of alarm, normal, bulk is expected/);
});

classify('a frame that the capture cut short is said to be', ({ capture }) => {
  writeFileSync(capture, pcapFile([segment({ payload: request() })], ETHERNET, 56));
  const { stdout } = run('--explain', capture, ...RULES);
  assert.match(stdout, /94 B {2}low {2}no rule matches \(the capture has cut this frame\)/);
});

classify(
  'what is no capture of Ethernet, a wrong rule and a missing file are refused by a sentence',
  ({ folder, capture }) => {
    const other = join(folder, 'b.pcap');
    writeFileSync(other, pcapFile([segment()], 113));
    const wrong: [string[], RegExp][] = [
      [['--explain', other], /b\.pcap: the frames are of Linux cooked v1; a capture of Ethernet is expected/],
      [['--explain', join(folder, 'none.pcap')], /none\.pcap: No such file or directory/],
      [['--explain', MAIN], /unknown file format/],
      [['--explain', capture, '--rule', 'dscp 64 -> high'], /column 1: dscp is compared with 64/],
      [['--explain', capture, '--rule', 'dscp 1 -> urgent'], /expected a level \(high, low\), found "urgent"/],
      [['--explain', capture, '--rule', 'pcap "tcp[" -> high'], /refused by libpcap: can't parse filter expression/],
    ];
    for (const [args, message] of wrong) {
      const { status, stderr } = run(...args);
      assert.match(stderr, message);
      assert.is(status, 1);
    }
    assert.is(run().status, 2);
  },
);

classify.run();
