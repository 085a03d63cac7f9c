// `npm start` without its processes: its flags, what it tells the programs, and what it makes of their answers.
import { readFileSync } from 'node:fs';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { loadSettings } from '../../stack/config/load.js';
import { parseConfText } from '../../stack/config/text.js';
import { mccCommand } from '../../tools/mcc/command.js';
import { readOptions } from '../../tools/mcc/options.js';
import { type Phase, parsePhases } from '../../tools/mcc/phases.js';
import type { LevelReport, RunReport } from '../../tools/mcc/report.js';
import { Child } from '../../tools/start/child.js';
import { generatorArguments } from '../../tools/start/generator.js';
import { bytesOfRollup, ownBytesOfRollup } from '../../tools/start/memory.js';
import { readStartOptions, type StartOptions, startCommand } from '../../tools/start/options.js';
import { isHigherLoad, mainPhases, overloadPhases } from '../../tools/start/phases.js';
import { callsOf } from '../../tools/start/redis-stats.js';
import { gain, resultObject, resultText } from '../../tools/start/result.js';
import { configText } from '../../tools/start/server.js';

function read(...argv: string[]) {
  const command = startCommand();
  command.parse(argv, { from: 'user' });
  return readStartOptions(command.opts());
}

test('without flags 100,000 connections get waves of 20,000 messages for 10 s, 5 % of them high', () => {
  assert.equal(read(), {
    connections: 100_000,
    ratePerS: undefined,
    durationMs: 10_000,
    burst: 20_000,
    highShare: 0.05,
    redisServers: undefined,
    seed: 1,
    json: false,
  });
});

test('flags have units', () => {
  const options = read('--connections', '1M', '--rate', '100k/s', '--duration', '30s', '--high', '10%', '--json');
  assert.not(Array.isArray(options));
  const { connections, ratePerS, durationMs, highShare, json } = options as Exclude<typeof options, string[]>;
  assert.equal([connections, ratePerS, durationMs, highShare, json], [1_000_000, 100_000, 30_000, 0.1, true]);
});

test('every wrong flag is named at once, with what is accepted', () => {
  assert.equal(read('--connections', '0', '--high', '2'), [
    '--connections: "0" is not accepted; 1 to 16,777,216',
    '--high: "2" is not accepted; a share from 0 to 1, such as 0.05',
  ]);
});

test('the server’s configuration is accepted by the parser', () => {
  const redis = [{ kind: 'redis' as const, index: 0, pid: 1, socket: '/tmp/x/redis-0.sock', port: 0 }];
  const text = configText({ folder: '/tmp/x', connections: 100_000, priorities: false, redis });
  const { entries, faults } = parseConfText(text, 'a.conf');
  assert.equal(faults, []);
  const object = Object.fromEntries(entries.map((entry) => [entry.key, entry.text]));
  const { settings, faults: wrong } = loadSettings({ object });
  assert.equal(wrong, []);
  assert.equal([settings?.priorities, settings?.answer, settings?.redis.length], [false, 'all', 1]);
});

test('a server may be given packets and lines of its own', () => {
  const plan = { folder: '/tmp/x', connections: 10, priorities: true, redis: [], packets: 4_096 };
  const lines = ['policy = weighted', 'weights = high 4, low 1'];
  const { entries, faults } = parseConfText(configText({ ...plan, lines }), 'a.conf');
  assert.equal(faults, []);
  const text = (key: string) => entries.filter((entry) => entry.key === key).map((entry) => entry.text);
  assert.equal([text('max_num_buffers'), text('policy')], [['4096'], ['weighted']]);
});

test('the generator takes flags in place of those that follow from its load', () => {
  const load = { folder: '/tmp/x', connections: 100, phases: 'paced:1/1s', highShare: 0.05, seed: 1, say: () => {} };
  const flags = generatorArguments({ ...load, flags: { '-w': '0' } });
  assert.equal(flags.filter((flag) => flag === '-w').length, 1);
  assert.is(flags[flags.indexOf('-w') + 1], '0');
});

test('the generator’s command line is accepted by the generator, and both meet at one socket', () => {
  const phases = 'wave:20000/1s/10s,pause:1s,capacity:4s,pause:1s,paced:150%/5s';
  const load = { folder: '/tmp/x', connections: 1_000_000, phases, highShare: 0.05, seed: 1, say: () => {} };
  const command = mccCommand();
  command.parse(generatorArguments(load), { from: 'user' });
  const { options, faults } = readOptions(command.opts());
  assert.equal(faults, []);
  assert.is(options?.phases.length, 5);
  assert.is(options?.device.kind === 'memif' ? options.device.path : '', '/tmp/x/memif/qstack.sock');
});

test('an overload that is made again has the load of its twin, whatever capacity it finds itself', () => {
  const [search, , overload] = parsePhases(overloadPhases(115_800), false) as Phase[];
  assert.is(search?.kind, 'capacity');
  assert.equal(overload, { kind: 'paced', ratePerS: 173_700, durationMs: 5_000 });
  assert.equal([isHigherLoad(105_000, 100_000), isHigherLoad(106_000, 100_000)], [false, true]);
});

test('the overload of the main run is a share of the capacity that it measures', () => {
  const phases = parsePhases(mainPhases(read() as StartOptions), false) as Phase[];
  assert.equal(
    phases.map((phase) => phase.kind),
    ['wave', 'pause', 'capacity', 'pause', 'paced'],
  );
});

test('only the calls of SET and GET count as Redis’ work', () => {
  const info =
    '# Commandstats\r\ncmdstat_set:calls=10,usec=1\r\ncmdstat_get:calls=5,usec=1\r\ncmdstat_config|resetstat:calls=1\r\n';
  assert.is(callsOf(info), 15);
});

test('memory is Pss and hugepages', () => {
  assert.is(
    bytesOfRollup('Rss: 900 kB\nPss:      100 kB\nPss_Dirty: 50 kB\nShared_Hugetlb: 8 kB\nPrivate_Hugetlb: 4 kB\n'),
    112 * 1_024,
  );
});

test('what a process has of its own is that without pages of files', () => {
  const rollup =
    'Pss: 100 kB\nPss_Dirty: 50 kB\nPss_Anon: 60 kB\nPss_File: 33 kB\nPss_Shmem: 7 kB\nPrivate_Hugetlb: 4 kB\n';
  assert.is(ownBytesOfRollup(rollup), 71 * 1_024);
});

function level(name: string, p99_us: number): LevelReport {
  const counts = { offered: 10, sent: 10, answered: 10, lost: 0, errors: 0, failed_sends: 0, unsent: 0 };
  const longest = { send_delay_max_us: 1, silence_max_us: 1 };
  return {
    name,
    ...counts,
    p50_us: 1,
    p90_us: 2,
    p99_us,
    p999_us: p99_us,
    p9999_us: p99_us,
    max_us: p99_us,
    ...longest,
  };
}

function run(highP99: number): RunReport {
  return {
    phase: 'wave:20000/1000ms',
    duration_s: 10,
    offered_per_s: 20_000,
    answered_per_s: 20_000,
    levels: [level('high', highP99), level('low', 90_000)],
    ...{
      mismatched: 0,
      late: 0,
      unexpected: 0,
      failed_sends: 0,
      reconnects: 0,
      renewals: 0,
      hiccup_p99_us: 3,
      hiccup_max_us: 9,
    },
  };
}

const measured = {
  connections: 100_000,
  connected: 100_000,
  main: { on: run(500), off: run(50_000) },
  overload: { on: run(700), off: run(70_000), capacityPerS: 100_000 },
  redisOps: 400_000,
  bytesPerConnection: 450,
  busyBytesPerConnection: 240,
};

test('the JSON object has priorities on at the top, off in fifo, and the overload with its own twin', () => {
  const object = resultObject(measured) as unknown as RunReport & {
    fifo: RunReport;
    overload: RunReport & { fifo: RunReport };
    server_bytes_per_connection: number;
    server_busy_bytes_per_connection: number;
  };
  assert.equal(Object.keys(object).slice(0, 4), ['connections', 'offered_per_s', 'answered_per_s', 'levels']);
  assert.is(object.levels[0]?.p99_us, 500);
  assert.is(object.fifo.levels[0]?.p99_us, 50_000);
  assert.is(object.overload.fifo.levels[0]?.p99_us, 70_000);
  assert.is(object.server_bytes_per_connection, 450);
  assert.is(object.server_busy_bytes_per_connection, 240);
});

test('a single run has no overload in its object', () => {
  assert.not('overload' in resultObject({ ...measured, overload: undefined }));
});

test('the table has each level with priorities on beside off, and how much it brings', () => {
  const text = resultText(measured);
  assert.match(text, /high +│ on .*\n.*high +│ off/);
  assert.match(text, /100 times lower with priorities on/);
  assert.is(gain(measured.overload), 100);
  assert.match(text, /per connection, server: 450 B: 210 B of an idle one/);
});

test('a child’s lines are heard, and its last words are kept for the message of its end', async () => {
  const lines: string[] = [];
  const child = new Child({
    name: 'demo',
    command: [process.execPath, '-e', 'console.log("out"); console.error("it broke"); process.exit(3)'],
    onLine: (line) => lines.push(line),
  });
  assert.is(await child.ended, 3);
  assert.equal(lines.sort(), ['it broke', 'out']);
  assert.match(child.failure(), /demo ended by itself[\s\S]*it broke/);
});

test('a program that does not exist is a failure with a reason', async () => {
  const child = new Child({ name: 'nothing', command: ['/nonexistent/program'] });
  assert.ok((await child.ended) > 0);
  assert.match(child.failure(), /nonexistent\/program/);
});

test('a child has a process group of its own, which no ^C reaches, within our session', async () => {
  const groupAndSession = (stat = '') =>
    stat
      .replace(/^.*\) /s, '')
      .split(' ')
      .slice(2, 4)
      .map(Number);
  const lines: string[] = [];
  const child = new Child({ name: 'stat', command: ['cat', '/proc/self/stat'], onLine: (line) => lines.push(line) });
  assert.is(await child.ended, 0);
  const [, session] = groupAndSession(readFileSync('/proc/self/stat', 'utf8'));
  assert.equal(groupAndSession(lines[0]), [child.pid, session]);
});

test('a stop reaches what the child started', async () => {
  const child = new Child({ name: 'shell', command: ['sh', '-c', 'sleep 60 & wait'] });
  const startMs = Date.now();
  await child.stop();
  assert.ok(Date.now() - startMs < 5_000);
});

test.run();
