// Policies by themselves, and in the run queues under explicit time.
import { readFileSync } from 'node:fs';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { type Coroutine, Scheduler, sleep } from '../../coroutine/index.js';
import { makePolicy } from '../../coroutine/make-policy.js';
import type { Heads, PolicyKind, PolicyOptions, SchedulingPolicy } from '../../coroutine/policy.js';

const NONE: Heads = { since: () => 0 };
const msStamp = (ms: number) => Math.round(ms * 15_625) >>> 0;
const weighted = (...weights: number[]): PolicyOptions => ({
  kind: 'weighted',
  levels: weights.length,
  starvationBoundMs: 0,
  weights,
  budgetsMs: [],
});
const deadline = (...budgetsMs: number[]): PolicyOptions => ({
  kind: 'deadline',
  levels: budgetsMs.length,
  starvationBoundMs: 0,
  weights: [],
  budgetsMs,
});

/** Serves `mask` until `total` work is done; `cost` per entry of each level. Returns the work by level. */
function serve(policy: SchedulingPolicy, mask: number, cost: readonly number[], total: number): number[] {
  const done = cost.map(() => 0);
  for (let all = 0; all < total; ) {
    const level = policy.next(mask);
    assert.ok((mask & (1 << level)) !== 0, 'a level without work was named');
    const work = cost[level] as number;
    policy.charge(level, work);
    done[level] = (done[level] as number) + work;
    all += work;
  }
  return done;
}

test('weighted: backlogged levels share the work by their weights, whatever one piece of it costs', () => {
  const policy = makePolicy(weighted(4, 2, 1), NONE, 100);
  const [a = 0, b = 0, c = 0] = serve(policy, 0b111, [10, 700, 35], 700_000);
  assert.ok(Math.abs(a / 400_000 - 1) < 0.02, String(a));
  assert.ok(Math.abs(b / 200_000 - 1) < 0.02, String(b));
  assert.ok(Math.abs(c / 100_000 - 1) < 0.02, String(c));
});

test('weighted: what a level leaves goes to the others in proportion', () => {
  const policy = makePolicy(weighted(4, 2, 1), NONE, 100);
  const [, b = 0, c = 0] = serve(policy, 0b110, [10, 10, 10], 300_000);
  assert.ok(Math.abs(b / 200_000 - 1) < 0.02 && Math.abs(c / 100_000 - 1) < 0.02, `${b} ${c}`);
});

test('weighted: a level that was idle has saved nothing up, and one that was alone owes nothing', () => {
  const policy = makePolicy(weighted(1, 1), NONE, 100);
  serve(policy, 0b10, [10, 10], 1_000_000);
  const [a = 0, b = 0] = serve(policy, 0b11, [10, 10], 10_000);
  assert.ok(Math.abs(a - b) <= 300, `${a} ${b}`);
});

test('weighted: the debt of one long piece of work is paid in the rounds that follow, at once or never', () => {
  const policy = makePolicy(weighted(1, 1), NONE, 100);
  assert.is(policy.next(0b11), 0);
  policy.charge(0, 50_000);
  let between = 0;
  for (; policy.next(0b11) === 1; between += 10) policy.charge(1, 10);
  assert.ok(Math.abs(between - 50_000) <= 300, String(between));
});

/** The policy of a `case` line of the table; `heads` are those of the line at hand. */
function policyOfCase(words: readonly string[], heads: Heads): SchedulingPolicy {
  const kind = words[0] as PolicyKind;
  const [levels = 0, starvationBoundMs = 0, ...values] = words.slice(1).map(Number);
  return makePolicy({ kind, levels, starvationBoundMs, weights: values, budgetsMs: values }, heads, 100);
}

test('the table that the native policies read as well holds here', () => {
  let sinces: readonly number[] = [];
  let policy: SchedulingPolicy | undefined;
  let rounds = 0;
  const table = readFileSync(new URL('../../../test/coroutine/policy-cases.txt', import.meta.url), 'utf8');
  for (const line of table.trim().split('\n')) {
    const words = line.split(' ');
    if (words[0] === 'case') policy = policyOfCase(words.slice(1), { since: (level) => sinces[level] as number });
    if (words[0] === 'case' || words[0] === '#') continue;
    const [mask = 0, now = 0, work = 0, level = 0, ...rest] = words.map(Number);
    sinces = rest;
    policy?.begin(mask, now);
    assert.is(policy?.next(mask), level, line);
    policy?.charge(level, work);
    rounds++;
  }
  assert.is(rounds, 480);
});

test('deadline: the earliest goes first, the higher of two that are equal, also where stamps wrap', () => {
  const since = [0, 0, 0];
  const policy = makePolicy(deadline(5, 20, 100), { since: (level) => since[level] as number }, 1);
  const at = (...ms: number[]) => {
    ms.forEach((one, level) => {
      since[level] = (0xfffff000 + msStamp(one)) >>> 0;
    });
    return policy.next(0b111);
  };
  assert.is(at(0, 0, 0), 0);
  assert.is(at(16, 0, 0), 1, '21 ms, 20 ms, 100 ms');
  assert.is(at(15, 0, 0), 0, '20 ms twice');
  assert.is(at(120, 110, 1), 2);
});

function runAll(scheduler: Scheduler, spawns: readonly number[], handler: (level: number) => unknown): void {
  for (const level of spawns) scheduler.task(level).begin(() => handler(level), undefined);
}

test('weighted run queues: levels get their shares of run time, not of turns', () => {
  let us = 0;
  const scheduler = new Scheduler({ levels: 2, policy: weighted(3, 1), clockUs: () => us });
  const ran = [0, 0];
  const cost = [10, 50];
  // Each makes its successor: both levels always have work.
  const work = (level: number) => {
    us += cost[level] as number;
    ran[level] = (ran[level] as number) + (cost[level] as number);
    runAll(scheduler, [level], work);
  };
  for (let i = 0; i < 50; i++) runAll(scheduler, [0, 1], work);
  for (let turn = 0; turn < 2000; turn++) scheduler.runTurn(32);
  assert.ok(Math.abs(ran[0]! / ran[1]! - 3) < 0.1, ran.join(' '));
  assert.ok(Math.abs((scheduler.workUs[0] as number) - ran[0]!) < 1);
});

test('deadline run queues: a coroutine keeps its place by the arrival of its message after it has waited', () => {
  const scheduler = new Scheduler({ levels: 2, policy: deadline(10, 30) });
  const order: string[] = [];
  scheduler.advance(msStamp(1));
  const low = scheduler.task(1);
  low.begin(function* (): Coroutine<void> {
    yield* sleep(25);
    order.push('low, due at 31');
  }, undefined);
  scheduler.runTurn(8);
  scheduler.advance(msStamp(29));
  runAll(scheduler, [0], () => order.push('high, due at 39'));
  scheduler.runTurn(8);
  assert.equal(order, ['low, due at 31', 'high, due at 39']);
});

test.run();
