// The short form of `npm run fuzz`: every native target for some seconds, as many at a time as there are cores.
// The seed of each run is in its finding; QSTACK_FUZZ_SECONDS makes the runs longer.
// watchdog: 240s
import { availableParallelism } from 'node:os';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { inParallel } from '../../tools/fuzz/lanes.js';
import { fuzz, readOutput } from '../../tools/fuzz/libfuzzer.js';
import { NATIVE_TARGETS } from '../../tools/fuzz/targets.js';

const SECONDS = Number(process.env.QSTACK_FUZZ_SECONDS ?? 30);

/** Far below what a run reaches: less means that the target gets nowhere. */
const EDGES_MIN: Record<string, number> = { packet: 1_500, rules: 250, rings: 1_200, redis: 150, capi: 1_500 };

test('no target is broken by what libFuzzer makes of the committed inputs, and each gets somewhere', async () => {
  const results = await inParallel(NATIVE_TARGETS, availableParallelism(), (target) => fuzz(target, SECONDS, 0));
  for (const { target, executions, edges, edgesTotal, finding } of results) {
    console.log(`${target}: ${executions} executions, ${edges} of ${edgesTotal} edges`);
    assert.is(finding, undefined, `${target}: ${finding?.file}\n${finding?.output.slice(-4_000)}`);
    assert.ok(executions > 200, `${target}: ${executions} executions`);
    assert.ok(edges >= (EDGES_MIN[target] ?? 1), `${target}: ${edges} edges`);
  }
});

test('what libFuzzer says of a run is read', () => {
  const output = [
    'INFO: Loaded 1 modules   (5875 inline 8-bit counters): 5875 [0x1, 0x2),',
    '#2\tINITED cov: 100 ft: 101 corp: 1/1b exec/s: 0 rss: 32Mb',
    '#700\tNEW    cov: 2752 ft: 9482 corp: 604/9929b lim: 38 exec/s: 186 rss: 296Mb L: 25/38 MS: 1',
    'stat::number_of_executed_units: 812',
  ].join('\n');
  assert.equal(readOutput(output), { executions: 812, edges: 2_752, edgesTotal: 5_875, inputs: 604 });
});

test.run();
