// How things end that were begun: cancelled twice, by each other, while queued; values that nobody sees; waiting without a turn.
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import {
  all,
  type Child,
  type Coroutine,
  Inbox,
  race,
  Scheduler,
  Semaphore,
  sleep,
  spawn,
  type Task,
  timeout,
  wait,
} from '../../coroutine/index.js';
import { ManualOp, msStamp } from './manual-op.js';

function bench(clock?: () => number) {
  const ended: unknown[] = [];
  let kicks = 0;
  const scheduler = new Scheduler({ levels: 2, clock, kick: () => kicks++, onLost: (error) => ended.push(error) });
  scheduler.advance(0);
  const settle = () => {
    while (scheduler.hasReady && scheduler.runTurn(256) > 0);
  };
  const taskDone = (_task: Task, failed: boolean, outcome: unknown) => {
    ended.push(failed ? (outcome as { code?: string }).code : 'ended');
  };
  const run = (body: () => Coroutine<unknown>) => {
    const task = scheduler.task(1, { taskDone });
    task.begin(body as () => unknown, undefined);
    settle();
    return task;
  };
  /** No task is in the pool twice. */
  const poolIsSound = () => {
    const tasks = Array.from({ length: 8 }, () => scheduler.task(1));
    assert.is(new Set(tasks).size, tasks.length);
  };
  return { scheduler, ended, settle, run, poolIsSound, kicks: () => kicks };
}

test('two coroutines that cancel each other in their finally blocks end once each', () => {
  const { run, settle, poolIsSound, ended } = bench();
  const children: Child<void>[] = [];
  const log: string[] = [];
  run(function* () {
    for (const [own, other] of [
      [0, 1],
      [1, 0],
    ] as const) {
      const body = function* (): Coroutine<void> {
        try {
          yield* new ManualOp<void>();
        } finally {
          log.push(`finally ${own}`);
          (children[other] as Child<void>).cancel();
        }
      };
      children.push(spawn(body));
    }
    yield* sleep(0);
  });
  settle();
  assert.is((children[0] as Child<void>).cancel(), true);
  assert.equal(log, ['finally 0', 'finally 1']);
  assert.equal(
    children.map((child) => child.isDone),
    [true, true],
  );
  settle();
  poolIsSound();
  assert.equal(ended, []);
});

test('a second cancel leaves a finally block that waits alone', () => {
  const { run, settle, poolIsSound, ended } = bench();
  const gate = new ManualOp<void>();
  let cleaned = false;
  const task = run(function* () {
    try {
      yield* new ManualOp<void>();
    } finally {
      yield* gate;
      cleaned = true;
    }
  });
  task.cancel();
  task.cancel();
  settle();
  assert.equal([cleaned, ended], [false, []]);
  gate.complete();
  settle();
  assert.equal([cleaned, ended], [true, ['ended']]);
  poolIsSound();
});

test('a task that is cancelled while it is queued runs its finally block once, and ends once', () => {
  const { run, settle, poolIsSound, ended } = bench();
  const [first, gate] = [new ManualOp<void>(), new ManualOp<void>()];
  const task = run(function* () {
    try {
      yield* first;
    } finally {
      yield* gate;
    }
  });
  first.complete();
  task.cancel();
  gate.complete();
  settle();
  assert.equal(ended, ['ended']);
  poolIsSound();
});

test('permits that an inner all() has come by go back when the outer one fails, or its time is over', () => {
  const { run, settle, scheduler, ended } = bench();
  const [one, two] = [new Semaphore(1), new Semaphore(1)];
  const failing = new ManualOp<void>();
  run(function* () {
    yield* all(all(one.acquire(), two.acquire()), failing);
  });
  assert.equal([one.available, two.available], [0, 0]);
  failing.fail(Object.assign(new Error('no'), { code: 'ENO' }));
  settle();
  assert.equal([one.available, two.available, ended], [1, 1, ['ENO']]);
  const task = run(function* () {
    yield* timeout(5, all(one.acquire(), two.acquire(), sleep(50)));
  });
  scheduler.advance(msStamp(10));
  settle();
  assert.equal([one.available, two.available, task.isAlive], [1, 1, false]);
});

test('a promise whose wait never began may be rejected', async () => {
  const { run } = bench();
  const unhandled: unknown[] = [];
  const hear = (error: unknown) => void unhandled.push(error);
  process.on('unhandledRejection', hear);
  const semaphore = new Semaphore(1);
  run(function* () {
    const permit = yield* race(semaphore.acquire(), wait(Promise.reject(new Error('late'))));
    assert.ok(permit);
  });
  await new Promise((done) => setTimeout(done, 5));
  process.off('unhandledRejection', hear);
  assert.equal(unhandled, []);
});

test('an op that another coroutine waits for already cannot be awaited', () => {
  const { run, settle, ended } = bench();
  const op = new ManualOp<number>();
  const both = function* () {
    yield* op;
  };
  run(both);
  run(both);
  assert.equal(ended, ['QST_ERR_OP_REUSED']);
  op.complete(1);
  settle();
  assert.equal(ended, ['QST_ERR_OP_REUSED', 'ended']);
});

test('a timer that is armed long after a turn, or late in one, counts from there, and the poller comes back', async () => {
  let now = 0;
  const { scheduler, settle, ended, run, kicks } = bench(() => now);
  now = msStamp(40);
  const before = kicks();
  const outside = sleep(30);
  let done = false;
  void outside.then(() => {
    done = true;
  });
  assert.ok(scheduler.timers.size === 1 && kicks() > before);
  scheduler.advance(msStamp(50));
  assert.is(scheduler.timers.size, 1);
  scheduler.advance(msStamp(72));
  assert.is(scheduler.timers.size, 0);
  settle();
  await new Promise((microtasks) => setTimeout(microtasks, 1));
  assert.is(done, true);
  run(function* () {
    now = msStamp(172); // it has computed for 100 ms
    yield* timeout(50, new ManualOp<void>());
  });
  scheduler.advance(msStamp(180));
  settle();
  assert.equal(ended, []);
  scheduler.advance(msStamp(224));
  settle();
  assert.equal(ended, ['QST_ERR_TIMEOUT']);
});

test('an inbox whose waiting was cancelled is idle no more, and idle once when it is asked again', () => {
  const { run, settle, scheduler } = bench();
  const idle: Inbox<string>[] = [];
  const seen: string[] = [];
  const inbox = new Inbox<string>({
    inboxIdle: (one) => idle.push(one),
    inboxLeft: (one) => idle.splice(idle.indexOf(one), 1),
  });
  run(function* () {
    for (;;) {
      try {
        seen.push(yield* timeout(10, inbox.next()));
      } catch {
        seen.push('nothing');
        yield* sleep(10);
      }
    }
  });
  assert.is(idle.length, 1);
  scheduler.advance(msStamp(12));
  settle();
  assert.equal([idle.length, seen], [0, ['nothing']]);
  scheduler.advance(msStamp(24));
  settle();
  assert.is(idle.length, 1);
  (idle.pop() as Inbox<string>).deliver('one', 1);
  settle();
  assert.equal([seen, idle.length], [['nothing', 'one'], 1]);
});

test('what an async function does behind the end of its handler belongs to no handler', async () => {
  const { scheduler, ended, settle, run } = bench();
  const [failing, slow] = [new ManualOp<void>(), new ManualOp<void>()];
  const owners: unknown[] = [];
  const late = async () => {
    await slow;
    owners.push(new ManualOp<void>().task);
  };
  const microtasks = () => new Promise((done) => setTimeout(done, 1));
  run((() => Promise.all([failing, late()])) as never);
  await microtasks();
  failing.fail(Object.assign(new Error('no'), { code: 'ENO' }));
  settle();
  await microtasks();
  settle();
  assert.equal(ended, ['ENO']);
  slow.complete();
  settle();
  await microtasks();
  assert.is(owners.length, 1);
  assert.ok(owners[0] === scheduler.outside);
});

test.run();
