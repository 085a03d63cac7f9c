// The simulation (tools/sim, native/sim): seeds that failed once, fresh plans for a minute, and faults that are planted to
// see whether it notices. The seed of the fresh ones is printed, and that of the plan that fails is printed last, with the
// command that runs it again. QSTACK_SIM_SECONDS asks for another time.
// watchdog: 300s
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { commandOf, FEATURES, flagsOf, type Limits } from '../../tools/sim/limits.js';
import { causeIn, type Finding, programOf, ROOT, simulate } from '../../tools/sim/program.js';
import { shrink } from '../../tools/sim/shrink.js';

const SECONDS = Number(process.env.QSTACK_SIM_SECONDS ?? 60);
/** Of the fresh seconds, with the sanitizers: a tenth as many segments, but every byte of memory is watched. */
const SANITIZED = 0.3;

/** `SEED [flag value]… # what was broken`, one a line. */
function pastFailures(): { seed: number; flags: string[] }[] {
  const lines = readFileSync(join(ROOT, 'test/sim/seeds.txt'), 'utf8').split('\n');
  return lines
    .map((line) => line.replace(/#.*/, '').trim())
    .filter((line) => line !== '')
    .map((line) => {
      const [seed = '', ...flags] = line.split(/\s+/);
      return { seed: Number(seed), flags };
    });
}

function limitsOf(flags: readonly string[]): Limits {
  const value = (name: string) => (flags.includes(name) ? flags[flags.indexOf(name) + 1] : undefined);
  const numbers = (text: string | undefined) =>
    text === undefined ? undefined : text === 'none' ? [] : text.split(',').map(Number);
  const number = (text: string | undefined) => (text === undefined ? undefined : Number(text));
  return {
    hosts: number(value('--hosts')),
    bytes: number(value('--bytes')),
    transfers: numbers(value('--transfers')),
    faults: numbers(value('--faults')),
    without: value('--without')?.split(','),
    plant: value('--plant'),
  };
}

function describe(finding: Finding | undefined, limits: Limits = {}): string {
  return finding === undefined ? '' : `${finding.sentence}\n${finding.detail}\n${commandOf(finding.seed, limits)}`;
}

test('the features that can be left out are those of the native program', () => {
  const plan = readFileSync(join(ROOT, 'native/sim/plan.hh'), 'utf8');
  const list = plan.slice(plan.indexOf('QSTACK_SIM_FEATURES(X)'), plan.indexOf('// clang-format on'));
  assert.equal(
    [...list.matchAll(/\bX\((\w+)\)/g)].map((match) => match[1]),
    FEATURES,
  );
});

test('what failed once does not fail again', async () => {
  for (const { seed, flags } of pastFailures()) {
    const limits = limitsOf(flags);
    assert.equal(flagsOf(limits), flags, 'the line holds flags that the simulation knows');
    const { finding, plans } = await simulate('release', { seed, plans: 1, limits });
    assert.is(finding, undefined, describe(finding, limits));
    assert.is(plans, 1);
  }
});

test('fresh plans keep every promise', async () => {
  const seed = Date.now() % 1_000_000_000;
  console.log(`seed ${seed}`);
  const release = await simulate('release', { seed, seconds: SECONDS * (1 - SANITIZED), limits: {} });
  console.log(`${release.plans} plans, ${release.segments} segments, ${release.cpuSeconds} s of CPU time`);
  assert.is(release.finding, undefined, describe(release.finding));
  assert.ok(release.segments > 10_000, `${release.segments} segments`);
  if (!existsSync(programOf('asan'))) return;
  const sanitized = await simulate('asan', { seed, seconds: SECONDS * SANITIZED, limits: {} });
  console.log(`${sanitized.plans} plans with sanitizers, ${sanitized.segments} segments`);
  assert.is(sanitized.finding, undefined, describe(sanitized.finding));
});

test('the same seed gives the same run, bit for bit', async () => {
  const work = { seed: 42, plans: 5, limits: {} };
  const [first, second] = [await simulate('release', work), await simulate('release', work)];
  assert.ok(first.segments > 0);
  assert.is(second.digest, first.digest);
  assert.is((await simulate('release', { ...work, seed: 43 })).digest === first.digest, false);
});

/** Seeds from one on until the planted fault is found; then its smallest form. */
async function plantAndShrink(plant: string): Promise<{ found: Finding; limits: Limits; again: Finding | undefined }> {
  const { finding } = await simulate('release', { seed: 1, seconds: 20, limits: { plant } });
  assert.ok(finding, `${plant} was not noticed`);
  const fails = async (limits: Limits) => {
    const result = await simulate('release', { seed: finding.seed, plans: 1, limits }, undefined, 20_000);
    return result.finding?.sentence === finding.sentence ? result.finding : undefined;
  };
  const { limits } = await shrink(finding, { plant }, fails);
  return { found: finding, limits, again: await fails(limits) };
}

test('a byte that the network alters behind a right checksum is noticed, and the run made small', async () => {
  const { found, limits, again } = await plantAndShrink('alter');
  assert.match(found.sentence, /unaltered/);
  assert.is(limits.transfers?.length, 1);
  assert.is(limits.faults?.length, 0);
  assert.is(limits.hosts ?? 2, 2);
  assert.ok((limits.without?.length ?? 0) > FEATURES.length / 2);
  assert.is(again?.sentence, found.sentence);
});

test('an acknowledgment of bytes that never arrived is noticed, and the run made small', async () => {
  const { found, limits, again } = await plantAndShrink('forge_ack');
  assert.match(found.sentence, /nothing is taken as acknowledged that the peer does not have/);
  assert.is(limits.transfers?.length, 1);
  assert.is(again?.sentence, found.sentence);
});

test('a stack that answers a segment of another stack is noticed, and the run made small', async () => {
  const { found, limits, again } = await plantAndShrink('keep_pieces');
  assert.match(found.sentence, /a segment leaves from the stack that the answer comes to/);
  for (const feature of ['stacks', 'fragments']) assert.not(limits.without?.includes(feature) ?? false, feature);
  assert.is(limits.faults?.length, 1);
  assert.is(again?.sentence, found.sentence);
});

test('why a process ended itself is read from what it wrote', () => {
  assert.is(causeIn("x: a.cc:1: f(): Assertion `n > 0' failed.\n"), "x: a.cc:1: f(): Assertion `n > 0' failed.");
  assert.is(
    causeIn('==12==ERROR: AddressSanitizer: heap-use-after-free on address 0x60e000000040 at\n#0'),
    'ERROR: AddressSanitizer: heap-use-after-free on address … at',
  );
});

test.run();
