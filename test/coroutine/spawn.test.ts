// spawn, join and cancel under explicit time: whose turn a child takes, what its parent gets, and who hears of its error.
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import {
  type Child,
  type Coroutine,
  Inbox,
  PooledOp,
  Scheduler,
  type SchedulerOptions,
  sleep,
  spawn,
  type Task,
  timeout,
} from '../../coroutine/index.js';
import type { QstackError } from '../../stack/errors.js';
import { ManualOp, msStamp } from './manual-op.js';

interface Bench {
  scheduler: Scheduler;
  /** Errors of children that nobody joined, with the message of their parent. */
  lost: [unknown, unknown][];
  log: unknown[];
  /** Runs a handler to its first wait. */
  run(body: () => Coroutine<unknown>, level?: number): Task;
  settle(): void;
}

function bench(options: Partial<SchedulerOptions> = {}): Bench {
  const lost: [unknown, unknown][] = [];
  const log: unknown[] = [];
  const onLost = (error: unknown, message: unknown) => void lost.push([(error as Error).message, message]);
  const scheduler = new Scheduler({ levels: 3, onLost, ...options });
  scheduler.advance(0);
  const settle = () => {
    while (scheduler.hasReady && scheduler.runTurn(256) > 0);
  };
  const owner = {
    taskDone: (_task: Task, failed: boolean, outcome: unknown) => {
      log.push(failed ? `failed ${codeOf(outcome)}` : 'ended');
    },
  };
  const run = (body: () => Coroutine<unknown>, level = 1) => {
    const task = scheduler.task(level, owner);
    task.message = 'the message';
    task.begin(body, undefined);
    settle();
    return task;
  };
  return { scheduler, lost, log, run, settle };
}

const codeOf = (error: unknown) => (error as QstackError).code ?? (error as Error).message;

test('a child runs at the level of its parent, behind it, and join gives what it returns', () => {
  const { log, run, scheduler } = bench();
  run(function* () {
    const child = spawn(function* (): Coroutine<string> {
      log.push(`child at ${scheduler.current?.level}`);
      return 'value';
    });
    log.push('parent');
    log.push(yield* child.join());
    log.push(yield* child.join());
  });
  assert.equal(log, ['parent', 'child at 1', 'value', 'value', 'ended']);
});

test('a child at a given level takes its turns there: what lies between goes first', () => {
  const { log, run, scheduler, settle } = bench();
  scheduler.task(1).begin(function* (): Coroutine<void> {
    spawn(
      function* () {
        log.push('bulk');
      },
      { level: 2 },
    );
    spawn(
      function* () {
        log.push('alarm');
      },
      { level: 0 },
    );
    spawn(function* () {
      log.push('normal');
    });
  }, undefined);
  scheduler.task(1).begin(() => void log.push('next'), undefined);
  settle();
  assert.equal(log, ['alarm', 'next', 'normal', 'bulk']);
  log.length = 0;
  run(function* () {
    spawn(function* () {}, { level: 3 });
  });
  assert.equal(log, ['failed QST_ERR_INVALID_ARGUMENT']);
});

test('children work at the same time: three that sleep 10 ms have ended after 10 ms', () => {
  const { log, run, scheduler, settle } = bench();
  run(function* () {
    const children = [1, 2, 3].map((n) =>
      spawn(function* (): Coroutine<number> {
        yield* sleep(10);
        return n * n;
      }),
    );
    for (const child of children) log.push(yield* child.join());
  });
  assert.is(scheduler.timers.size, 3);
  scheduler.advance(msStamp(13));
  settle();
  assert.equal(log, [1, 4, 9, 'ended']);
});

test('join throws the error of the child, with the line at which the child failed', () => {
  const { log, lost, run, scheduler, settle } = bench();
  let stack = '';
  run(function* () {
    const child = spawn(function* theChild(): Coroutine<void> {
      yield* timeout(5, sleep(100));
    });
    try {
      yield* child.join();
    } catch (error) {
      stack = String((error as Error).stack);
      throw error;
    }
  });
  scheduler.advance(msStamp(8));
  settle();
  assert.equal([log, lost], [['failed QST_ERR_TIMEOUT'], []]);
  assert.match(stack, 'theChild');
});

test("an error is still the parent's to join later, and is heard of once", () => {
  const { log, lost, run, scheduler, settle } = bench();
  run(function* () {
    const child = spawn(function* (): Coroutine<void> {
      throw new Error('early');
    });
    yield* sleep(5);
    yield* child.join();
  });
  assert.equal(lost, []);
  scheduler.advance(msStamp(8));
  settle();
  assert.equal([log, lost], [['failed early'], []]);
});

test('the error of a child that nobody joins is reported when its parent ends, with the message of the parent', () => {
  const { lost, run, scheduler, settle } = bench();
  run(function* () {
    spawn(function* (): Coroutine<void> {
      throw new Error('unheard');
    });
    yield* sleep(5);
  });
  assert.equal(lost, [], 'the parent may still join');
  scheduler.advance(msStamp(8));
  settle();
  assert.equal(lost, [['unheard', 'the message']]);
});

test("the error of a child that outlives its parent is reported at once, although its parent's task serves another handler", () => {
  const { lost, run, scheduler, settle } = bench();
  const first = run(function* () {
    spawn(function* (): Coroutine<void> {
      yield* sleep(5);
      throw new Error('late');
    });
  });
  const second = run(function* () {
    yield* sleep(50);
  });
  assert.is(second, first, 'the pool gives the same task');
  scheduler.advance(msStamp(8));
  settle();
  assert.equal(lost, [['late', null]]);
});

test('in a pooled coroutine the error of a child is reported at the end of the message', () => {
  const { lost, run, scheduler, settle } = bench();
  const idle: Inbox<string>[] = [];
  const inbox: Inbox<string> = new Inbox<string>({
    inboxIdle: (one) => {
      one.task?.releaseResources();
      idle.push(one);
    },
  });
  run(function* () {
    for (;;) {
      yield* inbox.next();
      spawn(function* (): Coroutine<void> {
        throw new Error('unheard');
      });
      yield* sleep(5);
    }
  });
  (idle.pop() as Inbox<string>).deliver('one', 1);
  settle();
  assert.equal(lost, []);
  scheduler.advance(msStamp(8));
  settle();
  assert.equal(lost, [['unheard', 'the message']]);
});

test('cancelling a child runs its finally blocks, and join throws QST_ERR_CANCELLED behind them', () => {
  const { log, run, scheduler, settle } = bench();
  run(function* () {
    const child = spawn(function* (): Coroutine<void> {
      try {
        yield* sleep(1000);
        log.push('not reached');
      } catch {
        log.push('not caught');
      } finally {
        yield* sleep(5);
        log.push('cleaned');
      }
    });
    yield* sleep(1);
    log.push(child.cancel());
    assert.not(child.isDone, 'its finally waits');
    yield* child.join();
  });
  scheduler.advance(msStamp(3));
  settle();
  assert.equal([log, scheduler.timers.size], [[true], 1]);
  scheduler.advance(msStamp(10));
  settle();
  assert.equal([log, scheduler.timers.size], [[true, 'cleaned', 'failed QST_ERR_CANCELLED'], 0]);
});

test('a child that is cancelled before its turn never begins; one that has ended cannot be cancelled', () => {
  const { log, lost, run } = bench();
  run(function* () {
    const never = spawn(function* (): Coroutine<void> {
      log.push('begun');
    });
    log.push(never.cancel(), never.isDone, never.cancel());
    const done = spawn(function* () {});
    yield* done.join();
    log.push(done.cancel());
  });
  assert.equal([log, lost], [[true, true, false, false, 'ended'], []]);
});

test('a child that cancels itself ends at its next yield*', () => {
  const { log, run } = bench();
  run(function* () {
    const child: Child<void> = spawn(function* (): Coroutine<void> {
      child.cancel();
      log.push('goes on');
      yield* sleep(1);
      log.push('not reached');
    });
    yield* child.join();
  });
  assert.equal(log, ['goes on', 'failed QST_ERR_CANCELLED']);
});

test('an error in the finally block of a cancelled child is an error of the child', () => {
  const { lost, run } = bench();
  run(function* () {
    const child = spawn(function* (): Coroutine<void> {
      try {
        yield* sleep(1000);
      } finally {
        // biome-ignore lint/correctness/noUnsafeFinally: it is what is tested.
        throw new Error('in finally');
      }
    });
    yield* spawn(function* () {}).join();
    child.cancel();
  });
  assert.equal(lost, [['in finally', 'the message']]);
});

test('a join that gave up leaves the child alone, and a second join gets its value', () => {
  const { log, run, scheduler, settle } = bench();
  const op = new ManualOp<string>();
  run(function* () {
    const child = spawn(function* (): Coroutine<string> {
      return yield* op;
    });
    try {
      yield* timeout(5, child.join());
    } catch (error) {
      log.push(codeOf(error));
    }
    log.push(yield* child.join());
  });
  scheduler.advance(msStamp(8));
  settle();
  op.complete('value');
  settle();
  assert.equal(log, ['QST_ERR_TIMEOUT', 'value', 'ended']);
});

test('the end of a parent does not end its child', () => {
  const { log, run, scheduler, settle } = bench();
  const parent = run(function* () {
    spawn(function* () {
      yield* sleep(5);
      log.push('child');
    });
    yield* sleep(50);
  });
  parent.cancel();
  scheduler.advance(msStamp(8));
  settle();
  assert.equal([log, scheduler.timers.size], [['ended', 'child'], 0]);
});

test('a child that joins itself is refused', () => {
  const { log, run } = bench();
  run(function* () {
    const child: Child<void> = spawn(function* (): Coroutine<void> {
      yield* child.join();
    });
    yield* child.join();
  });
  assert.equal(log, ['failed QST_ERR_INVALID_ARGUMENT']);
});

test('tasks of children go back to their pool: 10,000 children need two tasks', () => {
  const { run, scheduler } = bench();
  const used = new Set<Task>();
  run(function* () {
    for (let i = 0; i < 10_000; i++) {
      yield* spawn(function* () {
        used.add(scheduler.current as Task);
      }).join();
    }
  });
  assert.ok(used.size <= 2, `${used.size} tasks`);
});

test('an async handler can join', async () => {
  const { scheduler } = bench({ kick: () => setImmediate(() => scheduler.runTurn(64)) });
  let got: unknown;
  scheduler.task(0).begin(async () => {
    got = await spawn(function* (): Coroutine<number> {
      yield* new (class extends PooledOp<void> {
        protected override start(): void {
          this.complete();
        }
      })();
      return 42;
    }).join();
  }, undefined);
  for (let i = 0; i < 10; i++) await new Promise(setImmediate);
  assert.is(got, 42);
});

test.run();
