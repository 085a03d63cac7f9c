// RunWatch under a clock of the test: which code is reported, under which name, with how much time.
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { type Coroutine, Scheduler, sleep, spawn, type Task } from '../../coroutine/index.js';

interface Bench {
  scheduler: Scheduler;
  reports: [string, number, number][];
  /** Time passes while a handler runs. */
  compute(ms: number): void;
  /** The same, but another thread has the core. */
  wait(ms: number): void;
  run(name: string, level: number, handler: () => unknown): Task;
  settle(): void;
}

function bench(boundMs = 10): Bench {
  let nowUs = 5_000;
  const reports: [string, number, number][] = [];
  let waitedUs = 700;
  const watch = {
    boundMs,
    waitedUs: () => waitedUs,
    slow: (...report: [string, number, number]) => void reports.push(report),
  };
  const scheduler = new Scheduler({ levels: 2, watch, clockUs: () => nowUs });
  scheduler.advance(0);
  const settle = () => {
    while (scheduler.hasReady && scheduler.runTurn(256) > 0);
  };
  const run = (name: string, level: number, handler: () => unknown) => {
    const task = scheduler.task(level);
    task.label = scheduler.labels.of(name);
    task.begin(handler, undefined);
    return task;
  };
  const compute = (ms: number) => {
    nowUs += ms * 1000;
  };
  const wait = (ms: number) => {
    nowUs += ms * 1000;
    waitedUs += ms * 1000;
  };
  return { scheduler, reports, compute, wait, run, settle };
}

test('a handler that runs longer than the bound is reported with its name, level and duration', () => {
  const { reports, compute, run, settle } = bench();
  run('quick', 0, () => compute(10));
  run('slow', 1, () => compute(10.5));
  settle();
  assert.equal(reports, [['slow', 1, 10.5]]);
});

test('time in which others had the core is not the handler’s', () => {
  const { reports, compute, wait, run, settle } = bench();
  run('in between', 0, () => {});
  settle();
  wait(100);
  run('waits', 0, () => {
    compute(4);
    wait(500);
    compute(4);
  });
  settle();
  assert.equal(reports, []);
  run('slow', 1, () => {
    wait(30);
    compute(12);
  });
  settle();
  assert.equal(reports, [['slow', 1, 12]]);
});

test('many short handlers in a row are none that is slow', () => {
  const { reports, compute, run, settle } = bench();
  for (let i = 0; i < 100; i++) run('short', 0, () => compute(9));
  settle();
  assert.equal(reports, []);
});

test('in a crowd the first slow one passes, and from then on each is timed for a minute', () => {
  const { reports, compute, run, settle } = bench();
  const crowd = () => {
    for (const name of ['before', 'slow', 'behind']) run(name, 1, () => compute(name === 'slow' ? 20 : 1));
    settle();
  };
  crowd();
  assert.equal(reports, []);
  compute(59_000);
  crowd();
  assert.equal(reports, [['slow', 1, 20]]);
  compute(1_000);
  run('quick', 0, () => {});
  settle();
  crowd();
  assert.is(reports.length, 1);
  crowd();
  assert.is(reports.length, 2);
});

test('a clock is read twice per burst of 16', () => {
  let readings = 0;
  const watch = { boundMs: 10, slow: () => {} };
  const scheduler = new Scheduler({ levels: 1, watch, clockUs: () => readings++ });
  for (let i = 0; i < 160; i++) scheduler.task(0).begin(() => {}, undefined);
  while (scheduler.hasReady && scheduler.runTurn(256) > 0);
  assert.is(readings, 20);
});

test('each part of a coroutine between two yield* is timed by itself, and what it waits is not its time', () => {
  const { scheduler, reports, compute, run, settle } = bench();
  run('parts', 1, function* (): Coroutine<void> {
    compute(8);
    yield* sleep(1);
    compute(8);
    yield* sleep(1);
    compute(30);
  });
  for (let ms = 0; ms < 10; ms++) {
    settle();
    compute(100);
    scheduler.advance(ms * 15625);
  }
  assert.equal(reports, [['parts', 1, 30]]);
});

test('a handler that throws is timed as well', () => {
  const { reports, compute, run, settle } = bench();
  run('throws', 0, () => {
    compute(20);
    throw new Error('no');
  });
  settle();
  assert.equal(reports, [['throws', 0, 20]]);
});

test('a child is reported under its own name, or that of the handler that made it', () => {
  const { reports, compute, run, settle } = bench();
  run('parent', 1, () => {
    spawn(function* named(): Coroutine<void> {
      compute(20);
    });
    spawn(
      (() =>
        (function* () {
          compute(30);
        })()) as () => Coroutine<void>,
      { level: 0 },
    );
  });
  settle();
  assert.equal(reports, [
    ['parent', 0, 30],
    ['named', 1, 20],
  ]);
});

test('an async handler is timed with its microtasks', async () => {
  const { scheduler, reports, compute, run } = bench();
  scheduler.kick = () => setImmediate(() => scheduler.runTurn(64));
  run('async', 0, async () => {
    await Promise.resolve();
    compute(15);
  });
  for (let i = 0; i < 5; i++) await new Promise(setImmediate);
  assert.equal(reports, [['async', 0, 15]]);
});

test('without a watch no clock is read', () => {
  let readings = 0;
  const scheduler = new Scheduler({ levels: 1, clockUs: () => readings++ });
  for (let i = 0; i < 50; i++) scheduler.task(0).begin(() => {}, undefined);
  while (scheduler.hasReady && scheduler.runTurn(256) > 0);
  assert.is(readings, 0);
});

test.run();
