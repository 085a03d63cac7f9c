// The benchmark suite for correctness, without a bound on any figure: statistics, charts, and a small form of each member.
// Some thirty processes are started and ended: watchdog: 240s
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { type Context, interleaved, medianOf } from '../../tools/bench/benchmark.js';
import { parseBusySeconds } from '../../tools/bench/machine.js';
import { Namespace } from '../../tools/bench/namespaces.js';
import { median, summarize } from '../../tools/bench/statistics.js';
import { chartSvg, shortNumber } from '../../tools/bench/svg.js';
import { roundStep } from '../../tools/plot/axis.js';

const MAIN = fileURLToPath(new URL('../../tools/bench/main.js', import.meta.url));
const CONTEXT: Context = { runs: 3, seconds: 1, seed: 1, sweep: false, parts: [], connections: [], say: () => {} };

function bench(...args: string[]) {
  const folder = mkdtempSync(join(tmpdir(), 'qstack-bench-test-'));
  const run = spawnSync(process.execPath, [MAIN, ...args, '--out', folder], { encoding: 'utf8', timeout: 100_000 });
  rmSync(folder, { recursive: true, force: true });
  return run;
}

/** The JSON of one run of 100 ms. */
function smallForm(name: string): Record<string, unknown> {
  const { status, stdout, stderr } = bench(name, '--runs', '1', '--duration', '100ms', '--json');
  assert.is(status, 0, stderr);
  return JSON.parse(stdout) as Record<string, unknown>;
}

test('a median is the middle value, or between the two in the middle', () => {
  assert.is(median([3, 1, 2]), 2);
  assert.is(median([4, 1, 2, 3]), 2.5);
  assert.equal(summarize([3, 1, 2]), { median: 2, min: 1, max: 3, samples: [3, 1, 2] });
});

test('contenders take turns, so that a slow minute hits them all', async () => {
  const order: string[] = [];
  const contender = (name: string) => ({
    name,
    run: async () => {
      order.push(name);
      return { figure: order.length };
    },
  });
  const rows = await interleaved([contender('a'), contender('b')], CONTEXT);
  assert.equal(order, ['a', 'b', 'a', 'b', 'a', 'b']);
  assert.is(medianOf(rows, 'a', 'figure'), 3);
  assert.is(medianOf(rows, 'b', 'figure'), 4);
});

test('processors are busy with all that is neither idle nor stolen', () => {
  const stat = 'cpu  100 10 200 9000 50 20 30 7 0 0\ncpu0 1 2 3\n';
  assert.is(parseBusySeconds(stat), 3.6);
});

test('a chart has a line for each series, its points in place, and text that cannot become markup', () => {
  const series = [
    { name: 'a <b>', points: [[64, 1] as const, [128, 2] as const, [256, 4] as const] },
    { name: 'c', points: [[64, 4] as const, [256, 1] as const] },
  ];
  const svg = chartSvg({ name: 'x', title: 'T & U', x: 'bytes', y: 'rate', logarithmicX: true, series });
  assert.is(svg.match(/<polyline/g)?.length, 2);
  assert.match(svg, 'a &lt;b&gt;');
  assert.match(svg, 'T &amp; U');
  const [, line = ''] = /<polyline points="([^"]*)"/.exec(svg) ?? [];
  const [first = [], middle = [], last = []] = line.split(' ').map((point) => point.split(',').map(Number));
  // Equal steps of a logarithm are equally far apart, and larger values stand higher.
  assert.ok(Math.abs((first[0] ?? 0) + (last[0] ?? 0) - 2 * (middle[0] ?? 0)) < 0.2);
  assert.ok((first[1] ?? 0) > (middle[1] ?? 0) && (middle[1] ?? 0) > (last[1] ?? 0));
});

test('axes have round numbers', () => {
  assert.equal([1, 4, 9, 12, 60, 1_000].map(roundStep), [0.2, 1, 2, 5, 20, 200]);
  assert.equal([64, 1_024, 65_536, 1_048_576, 51_200, 1_500].map(shortNumber), [
    '64',
    '1 Ki',
    '64 Ki',
    '1 Mi',
    '50 Ki',
    '1,500',
  ]);
});

test('a name that is none is refused with those that there are', () => {
  const { status, stderr } = bench('bulky');
  assert.is(status, 2);
  assert.match(
    stderr,
    /one of port, bulk, echo, connect, idle, dashboard, nap, mirror, scale, flood, priority, redis, app, c10m, coroutine, /,
  );
});

test('bulk: bytes arrive by every way that this machine has, and the report names its command and versions', () => {
  const report = smallForm('bulk');
  const keys = ['memif_gbit_per_s', 'typescript_gbit_per_s'];
  if (Namespace.missing() === undefined) {
    keys.push('kernel_gbit_per_s', 'tap_in_ratio_to_kernel', 'tap_out_ratio_to_kernel');
    keys.push('af_packet_in_ratio_to_kernel', 'af_packet_out_ratio_to_kernel');
  }
  for (const key of keys) assert.ok((report[key] as number) > 0, `${key}: ${report[key]}`);
  assert.match(report.command as string, 'npm run bench -- bulk');
  assert.equal(Object.keys(report.versions as object), [
    'kernel',
    'node',
    'dpdk',
    'compiler',
    'cpu',
    'cores',
    'system_call_ns',
  ]);
});

test('port: frames come back', () => {
  assert.ok((smallForm('port').frames_per_s as number) > 0);
});

test('echo: every way that this machine has answers', () => {
  const report = smallForm('echo');
  const keys = [
    'requests_per_s',
    'native_requests_per_s',
    'p50_us_1_connection',
    'cpu_us_per_request',
    'ratio_to_port',
  ];
  if (Namespace.missing() === undefined) keys.push('ratio_to_kernel', 'native_ratio_to_kernel', 'ratio_to_node');
  for (const key of keys) assert.ok((report[key] as number) >= 0, `${key}: ${report[key]}`);
  assert.ok((report.requests_per_s as number) > 0);
});

test('flood: half load is answered and newcomers get in, with a flood and without', () => {
  const report = smallForm('flood');
  for (const key of ['syns_per_s', 'newcomers_s', 'p99_us']) assert.ok((report[key] as number) > 0, key);
  for (const key of ['answered_share', 'newcomers_answered_share', 'calm_answered_share']) {
    assert.ok((report[key] as number) > 0 && (report[key] as number) <= 1, `${key}: ${report[key]}`);
  }
});

test('coroutine, ring, classify, steer: each way does its work, and costs something', () => {
  const keys = {
    coroutine: ['pooled_ns', 'fresh_ns', 'async_ns'],
    ring: ['batch_ns', 'single_ns', 'typescript_ring_ns', 'message_channel_ns'],
    classify: ['one_rule', 'rules', 'rules_64', 'rules_64_of_three_headers', 'rules_64_of_one_field', 'pcap'].flatMap(
      (name) => [`${name}_ns`, `${name}_by_hand_ns`],
    ),
    steer: ['target_ns', 'one_thread_ns', 'two_threads_ns'],
  };
  for (const [name, figures] of Object.entries(keys)) {
    const report = smallForm(name);
    for (const key of figures) assert.ok((report[key] as number) > 0, `${key}: ${report[key]}`);
  }
});

test.run();
