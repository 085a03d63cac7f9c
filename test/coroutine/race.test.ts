// race() under explicit time: who wins, and what becomes of the others.
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import {
  all,
  type Coroutine,
  type Op,
  PooledOp,
  race,
  Scheduler,
  sleep,
  timeout,
  wait,
} from '../../coroutine/index.js';
import type { QstackError } from '../../stack/errors.js';

const msStamp = (ms: number) => Math.round(ms * 15625) >>> 0;

/** Completed by the test; like a Redis command, it is under way until its answer comes. */
class CommandOp<T> extends PooledOp<T> {
  recycled = 0;
  starts = 0;
  protected override start(): void {
    this.starts++;
  }
  protected override recycle(): void {
    this.recycled++;
  }
}

/** A value that holds something, like a reply in its place. */
class Held {
  nextResource = null;
  released = 0;
  releaseResource(): void {
    this.released++;
  }
}

function run(
  scheduler: Scheduler,
  body: () => Coroutine<unknown> | Op<unknown>,
): { outcome: unknown[]; cancel(): void } {
  const outcome: unknown[] = [];
  const task = scheduler.task(0, {
    taskDone: (_task, failed, error) => {
      if (failed) outcome.push((error as QstackError).code ?? (error as Error).message);
    },
  });
  task.begin(function* () {
    outcome.push(yield* body());
  }, undefined);
  settle(scheduler);
  return { outcome, cancel: () => task.cancel() };
}

function settle(scheduler: Scheduler): void {
  while (scheduler.hasReady && scheduler.runTurn(256) > 0);
}

test('race gives the value of the first and disarms the timers of the others', () => {
  const scheduler = new Scheduler({ levels: 1 });
  scheduler.advance(0);
  const { outcome } = run(scheduler, () => race(sleep(1000), timeout(500, sleep(400)), sleep(10)));
  assert.is(scheduler.timers.size, 4);
  scheduler.advance(msStamp(13));
  settle(scheduler);
  assert.equal(outcome, [undefined]);
  assert.is(scheduler.timers.size, 0);
});

test('the loser of a race stays out of its pool until its answer has come, and the answer is given back', () => {
  const scheduler = new Scheduler({ levels: 1 });
  const [fast, slow] = [new CommandOp<string>(), new CommandOp<Held>()];
  const { outcome } = run(scheduler, () => race(slow, fast));
  fast.complete('fast');
  settle(scheduler);
  assert.equal([outcome, fast.recycled, slow.recycled], [['fast'], 1, 0]);
  const held = new Held();
  slow.complete(held);
  assert.equal([slow.recycled, held.released], [1, 1]);
});

test('a loser of a race that fails later is not heard of', () => {
  const scheduler = new Scheduler({ levels: 1 });
  const [fast, slow] = [new CommandOp<number>(), new CommandOp<number>()];
  const { outcome } = run(scheduler, () => race(slow, fast));
  fast.complete(1);
  settle(scheduler);
  slow.fail(new Error('late'));
  settle(scheduler);
  assert.equal([outcome, slow.recycled], [[1], 1]);
});

test('a race fails when its first op fails', () => {
  const scheduler = new Scheduler({ levels: 1 });
  scheduler.advance(0);
  const failing = new CommandOp<number>();
  const { outcome } = run(scheduler, () => race(sleep(50), failing));
  failing.fail(new Error('first'));
  settle(scheduler);
  assert.equal([outcome, scheduler.timers.size], [['first'], 0]);
});

test('ops behind one that is done at once are never begun', () => {
  class ReadyOp extends PooledOp<number> {
    protected override start(): void {
      this.complete(7);
    }
  }
  const scheduler = new Scheduler({ levels: 1 });
  const never = new CommandOp<number>();
  const { outcome } = run(scheduler, () => race(new ReadyOp(), never));
  assert.equal([outcome, never.starts, never.recycled], [[7], 0, 1]);
});

test('cancelling the coroutine that waits for a race ends all its ops', () => {
  const scheduler = new Scheduler({ levels: 1 });
  scheduler.advance(0);
  const { outcome, cancel } = run(scheduler, () => race(sleep(50), all(sleep(60), sleep(70))));
  assert.is(scheduler.timers.size, 3);
  cancel();
  assert.equal([outcome, scheduler.timers.size], [[], 0]);
});

test('a race whose winner was never seen gives its value back', () => {
  const scheduler = new Scheduler({ levels: 1 });
  const [op, held] = [new CommandOp<Held>(), new Held()];
  const { outcome, cancel } = run(scheduler, () => timeout(100, race(op, sleep(50))));
  op.complete(held);
  cancel();
  settle(scheduler);
  assert.equal([outcome, held.released], [[], 1]);
});

test('all() that fails gives back what it has got already', () => {
  const scheduler = new Scheduler({ levels: 1 });
  const [first, second, held] = [new CommandOp<Held>(), new CommandOp<number>(), new Held()];
  const { outcome } = run(scheduler, () => all(first, second));
  first.complete(held);
  second.fail(new Error('second'));
  settle(scheduler);
  assert.equal([outcome, held.released], [['second'], 1]);
});

test('an op that stands in a race twice is refused, and the others end', () => {
  const scheduler = new Scheduler({ levels: 1 });
  scheduler.advance(0);
  const op = sleep(10);
  const { outcome } = run(scheduler, () => race(sleep(20), op, op));
  assert.equal([outcome, scheduler.timers.size], [['QST_ERR_OP_REUSED'], 0]);
});

test('a race without an op is refused, and so is a promise', () => {
  const scheduler = new Scheduler({ levels: 1 });
  assert.equal(run(scheduler, () => race()).outcome, ['QST_ERR_INVALID_ARGUMENT']);
  assert.equal(run(scheduler, () => race(Promise.resolve(1) as never)).outcome, ['QST_ERR_NOT_AN_OP']);
});

test('an async handler can await a race', async () => {
  const scheduler: Scheduler = new Scheduler({ levels: 1, kick: () => setImmediate(() => scheduler.runTurn(64)) });
  let got: unknown;
  scheduler.task(0).begin(async () => (got = await race(wait(Promise.resolve('promise')), sleep(60_000))), undefined);
  for (let i = 0; i < 10; i++) await new Promise(setImmediate);
  assert.equal([got, scheduler.timers.size], ['promise', 0]);
});

test('the same race object serves race after race: 1,000 races leave no timer', () => {
  const scheduler = new Scheduler({ levels: 1 });
  scheduler.advance(0);
  const { outcome } = run(scheduler, function* (): Coroutine<number> {
    for (let i = 0; i < 1000; i++) yield* race(sleep(5), sleep(1), sleep(10_000));
    return scheduler.timers.size;
  });
  for (let ms = 1; ms < 5000 && outcome.length === 0; ms++) {
    scheduler.advance(msStamp(ms));
    settle(scheduler);
  }
  assert.equal(outcome, [0]);
});

test.run();
