// The members of the suite that are about many connections, in their small form: for correctness, without a bound on any figure.
// watchdog: 240s
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { Namespace } from '../../tools/bench/namespaces.js';
import type { Chart } from '../../tools/bench/svg.js';

const MAIN = fileURLToPath(new URL('../../tools/bench/main.js', import.meta.url));

function bench(...args: string[]) {
  const folder = mkdtempSync(join(tmpdir(), 'qstack-bench-test-'));
  const run = spawnSync(process.execPath, [MAIN, ...args, '--out', folder], { encoding: 'utf8', timeout: 100_000 });
  rmSync(folder, { recursive: true, force: true });
  return run;
}

/** The JSON of one run of 100 ms. */
function smallForm(name: string, ...more: string[]): Record<string, unknown> {
  const { status, stdout, stderr } = bench(name, '--runs', '1', '--duration', '100ms', '--json', ...more);
  assert.is(status, 0, stderr);
  return JSON.parse(stdout) as Record<string, unknown>;
}

test('connect: connections open, are answered and close, every way that this machine has', () => {
  const report = smallForm('connect');
  const keys = ['requests_per_s', 'native_requests_per_s', 'p99_us'];
  if (Namespace.missing() === undefined) keys.push('ratio_to_kernel', 'native_ratio_to_kernel', 'ratio_to_node');
  for (const key of keys) assert.ok((report[key] as number) > 0, `${key}: ${report[key]}`);
  assert.ok((report.cpu_us_per_request as number) >= 0);
  assert.match((report.notes as string[]).join('\n'), /TIME-WAIT is 1 s on our side/);
});

test('idle: connections are held, and what they take is told by stack, with the plan beside it', () => {
  const report = smallForm('idle', '--connections', '3000');
  const each = report.bytes_per_connection as Record<string, number>;
  const stacks = Namespace.missing() === undefined ? ['iotepserver', 'mcc', 'kernel', 'node'] : ['iotepserver', 'mcc'];
  // Of so few connections the memory of the programs hides what they take: any number will do.
  for (const stack of stacks) assert.ok(Number.isFinite(each[stack]), `${stack}: ${each[stack]}`);
  const planned = report.planned_of_measured as Record<string, number>;
  for (const stack of ['iotepserver', 'mcc']) assert.ok((planned[stack] ?? 0) > 0, stack);
});

test('dashboard: what a page and a listing cost a server that holds connections', () => {
  const report = smallForm('dashboard', '--connections', '3000');
  assert.is(report.connections, 3_000);
  for (const key of ['page_cores', 'page_control_cores', 'listing_cores'])
    assert.ok(Number.isFinite(report[key]), `${key}: ${report[key]}`);
  assert.is((report.rows as unknown[]).length, 3);
});

test('nap: an idle server has a share of a core, and answers', () => {
  const report = smallForm('nap', '--connections', '100');
  for (const key of ['cores', 'syn_p50_ms', 'message_p50_ms', 'native_p50_ms', 'floor_cores', 'floor_page_us'])
    assert.ok((report[key] as number) > 0, `${key}: ${report[key]}`);
});

test('idle: fewer connections than those it compares with are refused', () => {
  const { status, stderr } = bench('idle', '--connections', '1000');
  assert.is(status, 1);
  assert.match(stderr, /--connections: more than 1,000 are needed/);
});

test('scale: messages have a cost at each number of connections, and the chart a point', () => {
  // A machine may stand still for all of 100 ms, and then there is no message whose cost it could be.
  const report = smallForm('scale', '--duration', '900ms', '--connections', '100', '--connections', '1k');
  for (const key of ['cpu_ns_per_message', 'cpu_ns_per_message_two_threads']) {
    const costs = report[key] as Record<string, number>;
    assert.equal(Object.keys(costs), ['100', '1000']);
    for (const cost of Object.values(costs)) assert.ok(cost > 0, key);
  }
  for (const key of ['ratio', 'ratio_two_threads']) assert.ok((report[key] as number) > 0, key);
  const [chart] = report.charts as Chart[];
  assert.equal(
    chart?.series[0]?.points.map(([connections]) => connections),
    [100, 1_000],
  );
});

test('a number of connections that is none is refused', () => {
  const { status, stderr } = bench('scale', '--connections', 'many');
  assert.is(status, 2);
  assert.match(stderr, /a number of connections up to 16777216 is expected, such as 100k or 1M/);
});

test.run();
