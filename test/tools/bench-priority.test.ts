// The benchmark of priorities for correctness, without a bound on any figure: its arithmetic, a small form of each part, a ^C.
// Some twenty processes are started and ended: watchdog: 240s
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { StageSpectrum } from '../../stack/dashboard/snapshot.js';
import type { Context } from '../../tools/bench/benchmark.js';
import { interleavedSurveys, medianOf } from '../../tools/bench/benchmark.js';
import { aimText, isReached } from '../../tools/bench/priority/aim.js';
import { counterOf, DeviceTally, seededRandom } from '../../tools/bench/priority/device-tally.js';
import { classServer, crc16, stateServer } from '../../tools/bench/priority/shard.js';
import { formatReport, jsonReport } from '../../tools/bench/report.js';
import { wayP99Ms } from '../../tools/bench/stages.js';
import { summarize } from '../../tools/bench/statistics.js';
import { chartSvg } from '../../tools/bench/svg.js';
import { leftIn } from './leftovers.js';

const MAIN = fileURLToPath(new URL('../../tools/bench/main.js', import.meta.url));
const LIMIT_MS = 100_000;
const bench = suite('priority');
let folder = '';
let child: ChildProcess | undefined;

bench.before.each(() => {
  folder = mkdtempSync(join(tmpdir(), 'qstack-bench-'));
});
bench.after.each(() => {
  child?.kill('SIGKILL');
  rmSync(folder, { recursive: true, force: true });
});

function small(part: string, duration = '100ms'): Record<string, number> {
  const flags = ['priority', '--part', part, '--runs', '1', '--duration', duration, '--json', '--out', folder];
  const { status, stdout, stderr } = spawnSync(process.execPath, [MAIN, ...flags], {
    encoding: 'utf8',
    timeout: LIMIT_MS,
  });
  assert.is(status, 0, stderr);
  return JSON.parse(stdout) as Record<string, number>;
}

function reply(counter: number, status = 200): { u8(at: number): number } {
  const text = `HTTP/1.1 ${status} `.padEnd(126, 'x') + counter.toString(16).padStart(8, '0');
  return { u8: (at) => text.charCodeAt(at) };
}

bench('an aim says its ratio, its bound, and whether it was reached', () => {
  const aim = { key: 'k', what: 'one to the other', ratio: 1.8, atMost: 2 };
  assert.is(aimText(aim), 'one to the other: 1.8, aimed at at most 2: reached');
  assert.not(isReached({ ...aim, ratio: 2.1 }));
  assert.not(isReached({ ...aim, ratio: Number.NaN }));
  assert.match(aimText({ key: 'k', what: 'share', ratio: 0.5, atLeast: 1 }), 'aimed at at least 1: not reached');
});

bench('a device’s Redis server is that of CRC16 over what stands between the braces of its key', () => {
  assert.is(crc16('123456789'), 0x31c3);
  const ports = Array.from({ length: 100 }, (_, index) => 10_000 + index);
  const servers = new Set(ports.map((port) => stateServer('10.0.1.2', port, 2)));
  assert.equal([...servers].sort(), [0, 1]);
  assert.is(classServer('10.0.1.7', 1), 0);
});

bench('devices count what was sent in their window, and its answers whenever they come, each once', () => {
  const tally = new DeviceTally(1);
  const message = new Uint8Array(200);
  const counter = () => new DataView(message.buffer).getUint32(0, true);
  tally.write(message, 'a', 1, performance.now());
  const early = counter();
  assert.is(message[5], 1);
  tally.begin();
  tally.write(message, 'a', 0, performance.now() - 5);
  const low = counter();
  assert.is(message[5], 0);
  tally.write(message, 'a', 1, performance.now());
  const failed = counter();
  tally.write(message, 'b', 1, performance.now());
  tally.end();
  assert.is(tally.awaited(['a']), 2);
  for (const one of [reply(early), reply(low), reply(low), reply(failed, 503)]) tally.answered(one);
  assert.is(tally.awaited(['a']), 0);
  assert.is(tally.awaited(['a', 'b']), 1);
  const { a, b } = tally.report(['a', 'b']);
  assert.equal([a?.high.sent, a?.high.answered, a?.high.errors, a?.high.p99_us], [1, 0, 1, null]);
  assert.equal([a?.low.sent, a?.low.answered, b?.high.sent], [1, 1, 1]);
  assert.ok((a?.low.p50_us ?? 0) >= 5_000);
  assert.is(counterOf(reply(0xfedcba98)), 0xfedcba98);
});

bench('levels are drawn by the seed, in their shares', () => {
  const [one, same] = [seededRandom(7), seededRandom(7)];
  const drawn = Array.from({ length: 10_000 }, () => one());
  assert.equal(
    drawn.slice(0, 50),
    Array.from({ length: 50 }, () => same()),
  );
  const share = drawn.filter((value) => value < 0.2).length / drawn.length;
  assert.ok(share > 0.18 && share < 0.22, `${share}`);
});

bench('a contender whose run gives several rows has the median of each', async () => {
  const context: Context = { runs: 3, seconds: 1, seed: 1, sweep: false, parts: [], connections: [], say: () => {} };
  let run = 0;
  const survey = { name: 's', run: async () => ({ a: { x: ++run }, b: { x: 10 * run } }) };
  const rows = await interleavedSurveys([survey], context);
  assert.equal([medianOf(rows, 'a', 'x'), medianOf(rows, 'b', 'x')], [2, 20]);
});

bench('each part has a table of its own columns', () => {
  const row = (name: string, part: string, column: string) => ({
    ...{ name, part },
    figures: { [column]: summarize([1]) },
  });
  const rows = [row('a', 'first', 'x_ms'), row('b', 'second', 'y_ms')];
  const result = { rows, values: { ratio: 2 }, charts: [], notes: ['a note'] };
  const facts = { name: 'n', command: 'c', runs: 1, seconds: 1, seed: 1, versions: {} };
  const text = formatReport({ ...facts, result });
  assert.is(text.match(/┌/g)?.length, 2);
  assert.not.match(text.slice(0, text.indexOf('└')), 'y_ms');
  assert.is(jsonReport({ ...facts, result }).ratio, 2);
});

bench('a logarithmic axis has powers of ten, equally far apart, and a point without a figure is none', () => {
  const points = [[0, 0.5] as const, [1, Number.NaN] as const, [2, 50] as const];
  const axes = { x: 'x', y: 'ms', logarithmicY: true, ticks: ['p50', 'p99', 'max'] };
  const svg = chartSvg({ name: 'c', title: 't', ...axes, series: [{ name: 's', points }] });
  const rows = [...svg.matchAll(/<line [^>]*y1="([\d.]+)"/g)].map((match) => Number(match[1]));
  assert.is(rows.length, 4); // 0.1, 1, 10, 100
  const steps = rows.slice(1).map((y, index) => Math.round((rows[index] as number) - y));
  assert.is(new Set(steps).size, 1);
  assert.is(svg.match(/<circle/g)?.length, 2);
  assert.not.match(svg, 'NaN');
  for (const tick of axes.ticks) assert.match(svg, `>${tick}<`);
});

bench('p99 of the way through the server is that of what came between two readings', () => {
  const wire = (cells: number[]): StageSpectrum[] => [
    { stage: 'tcp', level: 'high', cells: [9_000, 1_000] },
    { stage: 'wire', level: 'low', cells: [] },
    { stage: 'wire', level: 'high', cells },
  ];
  const before = wire([100, 5, 9_000, 50]);
  assert.is(wayP99Ms(before, wire([100, 104, 300, 1, 9_000, 50]), 'high'), 0.1);
  assert.is(wayP99Ms(before, wire([100, 103, 300, 2, 9_000, 50]), 'high'), 0.3);
  assert.ok(Number.isNaN(wayP99Ms(before, before, 'high')));
  assert.ok(Number.isNaN(wayP99Ms(before, wire([100, 104, 9_000, 50]), 'low')));
});

bench('a part that is none is refused with those that there are', () => {
  const { status, stderr } = spawnSync(process.execPath, [MAIN, 'priority', '--part', 'loud'], { encoding: 'utf8' });
  assert.is(status, 2);
  assert.match(stderr, 'one of load, overload, burst, unordered, harm');
});

bench('overload: both levels are answered, and each ratio is told', () => {
  const report = small('overload');
  const ratios = ['high_p99_ratio_to_half_load', 'high_p99_times_below_off', 'goodput_ratio_to_capacity'];
  for (const key of [...ratios, 'low_silence_in_bounds', 'capacity_per_s']) {
    assert.ok((report[key] as number) > 0, `${key}: ${report[key]}`);
  }
  assert.ok((report.high_answered_share as number) > 0 && (report.high_answered_share as number) <= 1);
});

bench('unordered and harm: good devices are answered', () => {
  // Whose p98 has to be one: in a window of 100 ms a machine may stop for all of it.
  assert.ok((small('unordered', '1s').in_order_p98_ratio_to_unordered as number) > 0);
  const report = small('harm');
  for (const trouble of ['greedy_connection', 'slow_readers', 'slow_redis_server']) {
    assert.ok((report[`${trouble}_p99_ratio_to_calm`] as number) > 0, trouble);
    assert.ok((report[`${trouble}_answered_share`] as number) > 0, trouble);
  }
});

/** Processes whose command line names our folder. */
function running(): string[] {
  const commandOf = (pid: string) => {
    const path = `/proc/${pid}/cmdline`;
    try {
      return existsSync(path) ? readFileSync(path, 'utf8') : '';
    } catch {
      return ''; // it has just ended
    }
  };
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  return pids.map(commandOf).filter((command) => command.includes(folder));
}

bench('the first ^C ends all processes by their pid, with exit 1 and no result', async () => {
  const flags = ['priority', '--part', 'unordered', '--duration', '60s', '--json', '--out', folder];
  const started = spawn(process.execPath, [MAIN, ...flags], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, TMPDIR: folder },
  });
  child = started;
  let out = '';
  started.stdout?.on('data', (bytes: Buffer) => {
    out += bytes.toString();
  });
  started.stderr?.resume();
  const isMeasuring = () => running().some((command) => command.includes('devices.js'));
  while (!isMeasuring() && started.exitCode === null) await sleep(20);
  const exit = once(started, 'exit');
  started.kill('SIGINT');
  assert.equal(await exit, [1, null]);
  assert.is(out, '');
  assert.equal(running(), []);
  assert.equal(leftIn(folder), []);
});

bench.run();
