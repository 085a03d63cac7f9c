// Semaphore under explicit time: how many at once, who is next, and that no permit is lost.
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import {
  all,
  type Coroutine,
  type Permit,
  PooledOp,
  race,
  Scheduler,
  Semaphore,
  sleep,
  type Task,
  timeout,
} from '../../coroutine/index.js';
import type { QstackError } from '../../stack/errors.js';

const msStamp = (ms: number) => Math.round(ms * 15625) >>> 0;

interface Bench {
  scheduler: Scheduler;
  log: unknown[];
  run(body: () => Coroutine<unknown>, level?: number): Task;
  /** The time is so many milliseconds since the start. */
  at(ms: number): void;
}

function bench(): Bench {
  const scheduler = new Scheduler({ levels: 3 });
  const log: unknown[] = [];
  scheduler.advance(0);
  const settle = () => {
    while (scheduler.hasReady && scheduler.runTurn(256) > 0);
  };
  const owner = {
    taskDone: (_task: Task, failed: boolean, error: unknown) => {
      if (failed) log.push((error as QstackError).code ?? (error as Error).message);
    },
  };
  const run = (body: () => Coroutine<unknown>, level = 0) => {
    const task = scheduler.task(level, owner);
    task.begin(body, undefined);
    settle();
    return task;
  };
  const at = (ms: number) => {
    scheduler.advance(msStamp(ms));
    settle();
  };
  return { scheduler, log, run, at };
}

test('at most so many hold a permit at once', () => {
  const { run, at } = bench();
  const semaphore = new Semaphore(3);
  let [now, most, done] = [0, 0, 0];
  for (let i = 0; i < 50; i++) {
    run(function* () {
      const permit = yield* semaphore.acquire();
      most = Math.max(most, ++now);
      yield* sleep(1 + (i % 4));
      now--;
      done++;
      permit.release();
    });
  }
  assert.equal([semaphore.available, semaphore.waiting], [0, 47]);
  for (let ms = 1; ms < 500; ms++) at(ms);
  assert.equal([most, done, semaphore.available, semaphore.waiting], [3, 50, 3, 0]);
});

test('the highest level is next, and within a level who asked first', () => {
  const { run, log } = bench();
  const semaphore = new Semaphore(1);
  const first = semaphore.tryAcquire() as Permit;
  for (const [name, level] of [
    ['c1', 2],
    ['b1', 1],
    ['c2', 2],
    ['a1', 0],
    ['b2', 1],
    ['a2', 0],
  ] as const) {
    run(function* () {
      using _permit = yield* semaphore.acquire();
      log.push(name);
    }, level);
  }
  assert.is(semaphore.tryAcquire(), null);
  run(function* () {
    first.release();
  });
  assert.equal(log, ['a1', 'a2', 'b1', 'b2', 'c1', 'c2']);
  assert.is(semaphore.available, 1);
});

test('a permit that came free is not taken past who waits', () => {
  const { run, log } = bench();
  const semaphore = new Semaphore(1);
  const first = semaphore.tryAcquire() as Permit;
  run(function* () {
    using _permit = yield* semaphore.acquire();
    log.push('waited');
  }, 2);
  run(function* () {
    first.release();
    log.push(semaphore.tryAcquire());
  });
  assert.equal(log, [null, 'waited']);
});

test('who waits longer than its timeout fails, leaves the line, and takes no permit later', () => {
  const { run, log, at, scheduler } = bench();
  const semaphore = new Semaphore(1);
  const first = semaphore.tryAcquire() as Permit;
  for (const timeoutMs of [5, 50]) {
    run(function* () {
      using _permit = yield* semaphore.acquire({ timeoutMs });
      log.push('served');
    });
  }
  at(8);
  assert.equal([log, semaphore.waiting], [['QST_ERR_TIMEOUT'], 1]);
  run(function* () {
    first.release();
  });
  assert.equal([log, semaphore.available, scheduler.timers.size], [['QST_ERR_TIMEOUT', 'served'], 1, 0]);
});

test('a signal ends the waiting, and so does the end of the coroutine', () => {
  const { run, log } = bench();
  const semaphore = new Semaphore(1);
  const first = semaphore.tryAcquire() as Permit;
  const controller = new AbortController();
  run(function* () {
    yield* semaphore.acquire({ signal: controller.signal });
  });
  const task = run(function* () {
    yield* semaphore.acquire();
  });
  assert.is(semaphore.waiting, 2);
  run(function* () {
    controller.abort(new Error('enough'));
  });
  task.cancel();
  first.release();
  assert.equal([log, semaphore.waiting, semaphore.available], [['enough'], 0, 1]);
});

test('a permit whose coroutine was cancelled before it saw it goes on to the next', () => {
  const { run, log, at } = bench();
  for (const options of [{}, { timeoutMs: 1000 }, { signal: new AbortController().signal }]) {
    log.length = 0;
    const semaphore = new Semaphore(1);
    const first = semaphore.tryAcquire() as Permit;
    const cancelled = run(function* () {
      yield* semaphore.acquire(options);
      log.push('not reached');
    });
    run(function* () {
      using _permit = yield* semaphore.acquire();
      log.push('next');
    });
    first.release();
    cancelled.cancel();
    at(1);
    assert.equal([log, semaphore.available, semaphore.waiting], [['next'], 1, 0]);
  }
});

test('a permit inside all() that fails, or inside a race that is lost, comes back', () => {
  class FailingOp extends PooledOp<void> {
    protected override start(): void {
      this.fail(new Error('no'));
    }
  }
  const { run, log } = bench();
  const semaphore = new Semaphore(1);
  run(function* () {
    yield* all(semaphore.acquire(), new FailingOp());
  });
  assert.equal([log, semaphore.available], [['no'], 1]);
  const first = semaphore.tryAcquire() as Permit;
  run(function* () {
    yield* race(semaphore.acquire(), timeout(1000, new FailingOp()));
  });
  assert.is(semaphore.waiting, 0);
  first.release();
  assert.is(semaphore.available, 1);
});

test('a permit is given back once, however often it is released', () => {
  const semaphore = new Semaphore(2);
  const permit = semaphore.tryAcquire() as Permit;
  permit.release();
  permit.release();
  permit[Symbol.dispose]();
  assert.is(semaphore.available, 2);
});

test('a handler that throws gives its permit back with `using`', () => {
  const { run, log } = bench();
  const semaphore = new Semaphore(1);
  run(function* () {
    using _permit = yield* semaphore.acquire();
    throw new Error('in the handler');
  });
  assert.equal([log, semaphore.available], [['in the handler'], 1]);
});

test('10,000 coroutines of random levels, some of which give up: no permit is lost, and none lies free while somebody waits', () => {
  const seed = Date.now() >>> 0;
  let state = seed;
  const random = (n: number) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return (state >>> 8) % n;
  };
  const { run, at, log, scheduler } = bench();
  const semaphore = new Semaphore(5);
  const tasks: Task[] = [];
  let held = 0;
  const body = (timeoutMs: number, ms: number) =>
    function* (): Coroutine<void> {
      using _permit = yield* semaphore.acquire({ timeoutMs });
      assert.ok(++held <= 5, `${held} permits, seed ${seed}`);
      try {
        yield* sleep(ms);
      } finally {
        held--;
      }
    };
  for (let ms = 1; ms <= 4000; ms++) {
    if (ms <= 2000) for (let i = 0; i < 5; i++) tasks.push(run(body(random(200), random(4)), random(3)));
    if (ms <= 2000 && random(10) === 0) tasks[tasks.length - 1]?.cancel();
    at(ms);
    assert.ok(semaphore.waiting === 0 || semaphore.available === 0, `it waits beside a free permit, seed ${seed}`);
  }
  const sums = [held, semaphore.available, semaphore.waiting, scheduler.timers.size];
  assert.equal(sums, [0, 5, 0, 0], `seed ${seed}`);
  assert.ok(log.includes('QST_ERR_TIMEOUT'), `nobody gave up, seed ${seed}`);
  assert.ok(
    log.every((code) => code === 'QST_ERR_TIMEOUT'),
    `${log.find((code) => code !== 'QST_ERR_TIMEOUT')}, seed ${seed}`,
  );
});

test('permits are counted in whole numbers from 1', () => {
  for (const permits of [0, -1, 1.5, Number.NaN]) {
    assert.throws(
      () => new Semaphore(permits),
      (error: QstackError) => error.code === 'QST_ERR_INVALID_ARGUMENT',
    );
  }
});

test.run();
