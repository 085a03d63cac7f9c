// The program monitor, through its command line, on captures whose latencies are known.
// watchdog: 480s
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import Ajv2020 from 'ajv/dist/2020.js';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { Report } from '../../tools/monitor/report.js';
import { capture, iotConversation, iotRequest, type Segment } from './monitor-frames.js';

const BIN = fileURLToPath(new URL('../../../bin/monitor.mjs', import.meta.url));
const SCHEMA = fileURLToPath(new URL('../../../docs/schema/monitor.json', import.meta.url));
const validate = new Ajv2020.default({ strict: true, allowUnionTypes: true }).compile(
  JSON.parse(readFileSync(SCHEMA, 'utf8')),
);

interface Ran {
  status: number | null;
  out: string;
  err: string;
}

const monitor = suite<{ folder: string; iot: string }>('monitor');

function run(flags: readonly string[], input?: Buffer): Ran {
  const { status, stdout, stderr } = spawnSync(process.execPath, [BIN, ...flags], {
    input: input ?? '',
    timeout: 60_000,
  });
  return { status, out: stdout.toString(), err: stderr.toString() };
}

function report(flags: readonly string[], input?: Buffer): Report {
  const ran = run([...flags, '--json'], input);
  assert.is(ran.status, 0, ran.err);
  const parsed = JSON.parse(ran.out) as Report;
  assert.ok(validate(parsed), JSON.stringify(validate.errors));
  return parsed;
}

const texts = (
  ...lines: [us: number, from: 'client' | 'server', seq: number, ack: number, text: string][]
): Segment[] =>
  lines.map(([us, from, seq, ack, text]) => ({ us, from, seq, ack, payload: Buffer.from(text, 'latin1') }));

function fileOf(folder: string, name: string, segments: readonly Segment[]): string {
  const path = join(folder, name);
  writeFileSync(path, capture(segments));
  return path;
}

monitor.before((context) => {
  context.folder = mkdtempSync(join(tmpdir(), 'qstack-monitor-'));
  const both = [...iotConversation(1_500, 1), ...iotConversation(1_500, 2, 10)];
  context.iot = fileOf(
    context.folder,
    'iot.pcap',
    both.sort((a, b) => a.us - b.us),
  );
});
monitor.after(({ folder }) => rmSync(folder, { recursive: true, force: true }));

monitor(
  '--pcap --iot: levels, latencies and what was sent again are those of the capture, with any number of shards',
  ({ iot }) => {
    for (const shards of ['1', '3']) {
      const {
        levels,
        counts,
        capture: seen,
        intervals,
      } = report(['--pcap', iot, '--iot', '--shards', shards, '--interval', '1s', '--quiet']);
      assert.equal(
        levels.map(({ name, requests, responses, p50_us, max_us }) => [name, requests, responses, p50_us, max_us]),
        [
          ['high', 1_500, 1_500, 200, 200],
          ['low', 1_500, 1_500, 700, 700],
        ],
      );
      assert.is(counts.request_retransmissions, 2);
      assert.is(counts.response_retransmissions, 2);
      assert.is(counts.connections_seen, 2);
      assert.is(seen.frames, 6_004);
      assert.equal(
        intervals.map((interval) => interval.counts.connections),
        [2, 2],
      );
      assert.is(
        intervals.reduce((sum, interval) => sum + interval.counts.requests, 0),
        3_000,
      );
    }
  },
);

monitor('--iot --levels: more levels than two, as mcc writes them', ({ folder }) => {
  const level = (value: number) => {
    const bytes = iotRequest(value, false);
    bytes[5] = value;
    return bytes;
  };
  const values = [1, 2, 0, 3].map((value, i) => ({
    us: i,
    from: 'client' as const,
    seq: i * 200,
    ack: 0,
    payload: level(value),
  }));
  const path = fileOf(folder, 'levels.pcap', values);
  const { levels } = report(['--pcap', path, '--iot', '--levels', 'alarm,normal,bulk', '--quiet']);
  assert.equal(
    levels.map(({ name, requests }) => [name, requests]),
    [
      ['alarm', 1],
      ['normal', 1],
      ['bulk', 2],
    ],
  );
  assert.match(run(['--pcap', path, '--levels', 'a,b']).err, /--levels: they are those of --rule, --classify or --iot/);
});

monitor('--pcap -: standard input; a table without --json', ({ iot }) => {
  const { status, out, err } = run(['--pcap', '-', '--iot'], readFileSync(iot));
  assert.is(status, 0, err);
  assert.match(out, /│ high {2}│ +1,500 │ +1,500 │/);
  assert.match(out, /sent again: requests 2, responses 2/);
  assert.match(err, /^watching -, port 80/);
  // The last interval is as long as what was seen.
  assert.is(report(['--pcap', iot, '--iot', '--quiet']).intervals[0]?.duration_s, 2);
});

monitor('--answer requests: low messages wait for nothing; --connections bounds the table', ({ iot }) => {
  const one = report(['--pcap', iot, '--iot', '--answer', 'requests', '--quiet']);
  assert.is(one.levels[1]?.responses, 0);
  assert.is(one.levels[0]?.responses, 1_500);
  const small = report(['--pcap', iot, '--iot', '--connections', '1', '--shards', '1', '--quiet']);
  assert.ok(small.counts.evicted > 1_000);
});

monitor('--hcmonitor-files: cdf.txt, sketch.txt and burst.txt as HCMonitor writes them', ({ folder, iot }) => {
  const out = join(folder, 'files');
  report(['--pcap', iot, '--iot', '--hcmonitor-files', out, '--interval', '1s', '--quiet']);
  const cdf = readFileSync(join(out, 'cdf.txt'), 'utf8').split('\n');
  // Connections are scaled to a minute.
  assert.is(cdf[0], 'connections:120,req_retrans:2,rsp_retrans:2,avg_delay:0.450000');
  assert.is(cdf[1], 'recv_pri_high:1000, recv_pri_low:1000.');
  assert.is(cdf[2], 'pri_high_num:1000,low_pri_num:1000');
  assert.is(cdf[3], 'CDF:     total:           high_pri:                   low_pri:      ');
  assert.is(cdf[4], '0:  0.2000; 0.2000; 0.7000');
  assert.match(cdf[5] ?? '', /^0\.10: 0\.200\d; 0\.2000; 0\.7000$/);
  assert.is(cdf[18], '1.0000: 0.7000; 0.2000; 0.7000');
  assert.is(cdf.length, 2 * 19 + 1);
  const sketch = readFileSync(join(out, 'sketch.txt'), 'utf8').trimEnd().split('\n').map(Number);
  assert.is(sketch.length, 260);
  assert.equal([sketch[2], sketch[7]], [500, 500]);
  const burst = readFileSync(join(out, 'burst.txt'), 'utf8').trimEnd().split('\n');
  assert.is(burst[0], '10.0.1.1:5,10.0.1.2:5,10');
  assert.is(
    burst.reduce((sum, line) => sum + Number(line.split(',').at(-1)), 0),
    3_000,
  );
});

monitor('--hgrm: one file, or a folder with a file by level', ({ folder, iot }) => {
  const [file, dir] = [join(folder, 'all.hgrm'), join(folder, 'hgrm')];
  report(['--pcap', iot, '--iot', '--hgrm', file, '--quiet']);
  report(['--pcap', iot, '--iot', '--hgrm', dir, '--quiet']);
  assert.match(readFileSync(file, 'utf8'), /Total count {4}= +3000\]/);
  assert.match(readFileSync(join(dir, 'low.hgrm'), 'utf8'), /Total count {4}= +1500\]/);
});

monitor('merge: results of several monitors add up, and say so where a file is none', ({ folder, iot }) => {
  const files = ['a.json', 'b.json'].map((name, index) => {
    const path = join(folder, name);
    writeFileSync(
      path,
      JSON.stringify(report(['--pcap', iot, '--iot', '--quiet', ...(index === 0 ? ['--answer', 'requests'] : [])])),
    );
    return path;
  });
  const merged = report(['merge', ...files]);
  assert.is(merged.monitors, 2);
  assert.is(merged.levels[0]?.responses, 3_000);
  assert.is(merged.levels[1]?.p99_us, 700);
  assert.is(merged.counts.requests, 6_000);
  assert.match(run(['merge', ...files]).out, /│ low {3}│ +3,000 │ +1,500 │/);
  const bad = run(['merge', iot]);
  assert.is(bad.status, 1);
  assert.match(bad.err, /iot\.pcap is no result of monitor --json/);
});

monitor(
  '--capture-over: the frames of slow responses in files of mode 0600, which tshark reads with their comments',
  ({ folder, iot }) => {
    const dir = join(folder, 'slow');
    const flags = [
      '--pcap',
      iot,
      '--iot',
      '--capture-over',
      '600us',
      '--capture-dir',
      dir,
      '--capture-max',
      '2',
      '--capture-span',
      '1ms',
    ];
    const { captured } = report(flags);
    assert.is(captured.length, 2);
    assert.equal(readdirSync(dir).length, 2);
    for (const path of captured) {
      assert.is(statSync(path).mode & 0o777, 0o600);
      const fields = ['frame.time_epoch', 'ip.src', 'tcp.len', 'frame.comment'].flatMap((field) => ['-e', field]);
      const { status, stdout, stderr } = spawnSync('tshark', ['-r', path, '-T', 'fields', ...fields], {
        encoding: 'utf8',
      });
      assert.is(status, 0, stderr);
      const frames = stdout
        .trimEnd()
        .split('\n')
        .map((line) => line.split('\t'));
      assert.equal(frames.at(-1)?.slice(1), ['10.0.0.1', '146', 'this response took 700 us (level low)']);
      assert.ok(frames.every(([time]) => Number(time) > 1_767_323_045));
      // Nothing of the other connection, and no further back than asked for.
      assert.ok(frames.every(([, ip]) => ip === '10.0.0.1' || ip === frames[0]?.[1] || ip === frames.at(-2)?.[1]));
      assert.ok(frames.length >= 2 && frames.length <= 5, String(frames.length));
    }
  },
);

monitor(
  '--framing, --port, --rule, --levels, --high-above, --classify: what a message is and which level it has',
  ({ folder }) => {
    const http = fileOf(folder, 'http.pcap', [
      ...texts([0, 'client', 0, 0, 'GET / HTTP/1.1\r\n\r\n'], [300, 'server', 0, 18, 'HTTP/1.1 200 OK\r\n\r\n']),
      ...texts(
        [900, 'client', 18, 0, 'POST /long HTTP/1.1\r\nx: y\r\n\r\n'],
        [1_500, 'server', 19, 48, 'HTTP/1.1 200 OK\r\n\r\n'],
      ),
    ]);
    const asked = (...flags: string[]) =>
      report(['--pcap', http, '--quiet', ...flags]).levels.map(({ name, responses, max_us }) => [
        name,
        responses,
        max_us,
      ]);
    assert.equal(asked('--framing', 'http'), [['all', 2, 600]]);
    assert.equal(asked('--framing', 'https'), [['all', 0, null]]);
    assert.equal(asked('--high-above', '20'), [
      ['high', 1, 600],
      ['low', 1, 300],
    ]);
    assert.equal(asked('--rule', 'payload[0] == 0x50 -> urgent', '--levels', 'urgent,usual'), [
      ['urgent', 1, 600],
      ['usual', 1, 300],
    ]);
    const conf = join(folder, 'levels.conf');
    writeFileSync(conf, 'levels = alarm, rest\nclassify = payload[0] == 0x47 -> alarm\n');
    assert.equal(asked('--classify', conf), [
      ['alarm', 1, 300],
      ['rest', 1, 600],
    ]);
    assert.is(report(['--pcap', http, '--framing', 'fixed 6', '--quiet']).counts.requests, 8);
    const other = run(['--pcap', http, '--port', '81,82']);
    assert.match(other.out, /4 segments were of other ports: see --port/);
    const prefixed = fileOf(
      folder,
      'prefix.pcap',
      texts([0, 'client', 0, 0, '\0\x04ab\0\x03c'], [50, 'server', 0, 7, '\0\x03x']),
    );
    assert.is(report(['--pcap', prefixed, '--framing', 'lengthPrefix offset=0 width=2', '--quiet']).counts.requests, 2);
  },
);

monitor(
  '-f setting.cfg: labels, priority and interval; flags go before it; unknown keys are named with their line',
  ({ folder, iot }) => {
    const cfg = join(folder, 'setting.cfg');
    writeFileSync(
      cfg,
      '# HCMonitor\nserver_port = 80;\nenableMCC = 1;\nenablePri = 1; /* by byte 5 */\nrequest_label = [0, 2];\nresponse_label = [1, 3]\ninterval = 1;\npr_queues = 1;\n',
    );
    const { levels, intervals } = report(['--pcap', iot, '-f', cfg, '--quiet']);
    assert.equal(
      levels.map(({ name, responses, max_us }) => [name, responses, max_us]),
      [
        ['high', 1_500, 200],
        ['low', 1_500, 700],
      ],
    );
    assert.is(intervals.length, 2);
    assert.is(report(['--pcap', iot, '-f', cfg, '--port', '81', '--quiet']).counts.segments, 0);
    writeFileSync(cfg, 'server_prt = 80;\nLabelOffset = 7000;\nenableSQL = 1;\n');
    const { status, err } = run(['--pcap', iot, '-f', cfg]);
    assert.is(status, 2);
    assert.match(err, /setting\.cfg:1: server_prt: there is no such key/);
    assert.match(err, /setting\.cfg:2: LabelOffset: a whole number from 0 to 1400/);
    assert.match(err, /setting\.cfg:3: enableSQL: --json takes its place \(warning\)/);
  },
);

monitor("EAL's part before --, -p, -q and -T are taken as HCMonitor takes them", ({ iot }) => {
  const { status, err, out } = run(['-c', 'fff', '-n3', '--pcap', iot, '--', '-p1', '-q', '1', '-T', '1', '--iot']);
  assert.is(status, 0, err);
  assert.match(out, /1,500/);
  assert.match(err, /-c: the mask fff names 12 cores; this machine has \d+ \(warning\)|^watching/);
  assert.match(run(['--pcap', iot, '-p', '6']).err, /-p 6: one monitor watches one source, so only port 1/);
});

monitor('--device: a DPDK port, until --duration is over', ({ iot }) => {
  const seen = report(['--device', `pcap:rx=${iot}`, '--iot', '--duration', '2s', '--quiet']);
  assert.is(seen.counts.requests, 3_000);
  assert.is(seen.levels[0]?.responses, 1_500);
  assert.is(seen.capture.dropped, 0);
  assert.match(run(['--device', 'memif:relative']).err, /^--device: "memif:relative" is not accepted/m);
});

monitor('--idle: what was silent for so long is forgotten', ({ folder }) => {
  const path = fileOf(folder, 'idle.pcap', texts([0, 'client', 0, 0, 'a'], [50_000, 'client', 1, 0, 'b']));
  assert.is(report(['--pcap', path, '--idle', '20ms', '--quiet']).counts.expired, 1);
  assert.is(report(['--pcap', path, '--quiet']).counts.expired, 0);
});

monitor('without a source the port mask names an interface, and what cannot be watched says what to give', () => {
  const { status, err } = run(['-c', 'fff', '-n3', '--', '-p80000000']);
  assert.is(status, 2);
  assert.match(err, /port 31 of -p is no interface \(.*\); give --interface NAME, --device STRING or --pcap FILE/);
  const gone = run(['--interface', 'no-such-if0']);
  assert.is(gone.status, 1);
  assert.match(gone.err, /monitor: no-such-if0: /);
});

monitor('each flag that is wrong is named, all at once', ({ iot }) => {
  const flags = [
    '--framing',
    'odd',
    '--port',
    '0',
    '--snaplen',
    '1',
    '--answer',
    'none',
    '--interval',
    'x',
    '--idle',
    'y',
  ];
  const more = [
    '--shards',
    '0',
    '--rule',
    'nonsense',
    '--capture-over',
    '-1s',
    '-T',
    'z',
    '--duration',
    'w',
    '-p',
    'g',
  ];
  const { status, err } = run(['--pcap', iot, '--interface', 'lo', ...flags, ...more]);
  assert.is(status, 2);
  for (const flag of [
    '--framing',
    '--port',
    '--snaplen',
    '--answer',
    '--interval',
    '--idle',
    '--shards',
    '--rule',
    '--capture-over',
    '-T',
    '--duration',
  ]) {
    assert.ok(
      err.split('\n').some((line) => line.startsWith(`${flag}:`)),
      `${flag} in ${err}`,
    );
  }
  assert.match(err, /one source at a time/);
});

monitor('results that cannot be written are told before anything is measured', ({ iot }) => {
  for (const flag of ['--hgrm', '--hcmonitor-files']) {
    const { status, err } = run(['--pcap', iot, flag, join(iot, 'below-a-file')]);
    assert.is(status, 1);
    assert.match(err, new RegExp(`^monitor: ${flag}: .*below-a-file cannot be written \\(ENOTDIR\\)`, 'm'));
  }
  assert.match(
    run(['--pcap', iot, '--capture-over', '1s', '--capture-dir', join(iot, 'x')]).err,
    /--capture-dir: .* cannot be written/,
  );
});

monitor('a file that is cut in the middle, or none at all, ends with exit 1 and a sentence', ({ folder, iot }) => {
  const cut = join(folder, 'cut.pcap');
  writeFileSync(cut, readFileSync(iot).subarray(0, 5_000));
  assert.match(run(['--pcap', cut]).err, /monitor: truncated dump file/);
  assert.is(run(['--pcap', join(folder, 'none.pcap')]).status, 1);
  mkdirSync(join(folder, 'dir'));
  assert.is(run(['--pcap', join(folder, 'dir')]).status, 1);
});

monitor.run();
