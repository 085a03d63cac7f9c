// The scheduler and its ops under explicit time: no clock, no native code.
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import {
  all,
  type Coroutine,
  Inbox,
  type Op,
  PooledOp,
  Scheduler,
  sleep,
  type Task,
  timeout,
  wait,
} from '../../coroutine/index.js';
import { strictPolicy } from '../../coroutine/scheduler.js';
import { QstackError } from '../../stack/errors.js';

const STAMPS_PER_MS = 15625;
const msStamp = (ms: number) => Math.round(ms * STAMPS_PER_MS) >>> 0;

class ManualOp<T> extends PooledOp<T> {
  starts = 0;
  recycled = 0;
  startedAtLevel = -1;
  discarded: T[] = [];
  canAbandon = false;

  protected override start(task: Task): void {
    this.starts++;
    this.startedAtLevel = task.level;
  }
  protected override recycle(): void {
    this.recycled++;
  }
  protected override abandon(): boolean {
    return this.canAbandon;
  }
  protected override discard(value: T): void {
    this.discarded.push(value);
  }
}

interface Ended {
  failed: boolean;
  error: unknown;
}

function spawn(
  scheduler: Scheduler,
  level: number,
  handler: (argument: never) => unknown,
): { task: Task; ended: Ended[] } {
  const ended: Ended[] = [];
  const task = scheduler.task(level, { taskDone: (_task, failed, error) => ended.push({ failed, error }) });
  task.begin(handler, undefined);
  return { task, ended };
}

const drain = (scheduler: Scheduler) => {
  while (scheduler.hasReady && scheduler.runTurn(256) > 0);
};

test('a generator handler gets the value of its op', () => {
  const scheduler = new Scheduler({ levels: 2 });
  const op = new ManualOp<number>();
  const got: number[] = [];
  const { ended } = spawn(scheduler, 1, function* (): Coroutine<void> {
    got.push(yield* op);
  });
  drain(scheduler);
  assert.equal([op.starts, op.startedAtLevel, got.length], [1, 1, 0]);
  op.complete(42);
  assert.equal(got, [], 'the task runs in its turn, not inside complete()');
  drain(scheduler);
  assert.equal(got, [42]);
  assert.equal(ended, [{ failed: false, error: undefined }]);
  assert.is(op.recycled, 1);
});

test('the stack of a failed op names the line of the yield*', () => {
  const scheduler = new Scheduler({ levels: 1 });
  const op = new ManualOp<void>();
  const { ended } = spawn(scheduler, 0, function* handlerThatWaits(): Coroutine<void> {
    yield* op;
  });
  drain(scheduler);
  op.fail(new QstackError('QST_ERR_REDIS_LOST', 'gone'));
  drain(scheduler);
  assert.is(ended[0]?.failed, true);
  assert.match(String((ended[0]!.error as Error).stack), 'handlerThatWaits');
});

test('the highest level runs first, and within a level the oldest', () => {
  const scheduler = new Scheduler({ levels: 3 });
  const order: string[] = [];
  for (const [name, level] of [
    ['c1', 2],
    ['b1', 1],
    ['a1', 0],
    ['c2', 2],
    ['a2', 0],
  ] as const) {
    spawn(scheduler, level, () => order.push(name));
  }
  drain(scheduler);
  assert.equal(order, ['a1', 'a2', 'b1', 'c1', 'c2']);
});

test('a starved lower level gets a quantum of 16 at least every starvation bound', () => {
  const scheduler = new Scheduler({ levels: 2, policy: strictPolicy(2, 20) });
  const order: number[] = [];
  scheduler.advance(msStamp(1));
  for (let i = 0; i < 40; i++) spawn(scheduler, 1, () => order.push(1));
  const high = () => {
    for (let i = 0; i < 32; i++) spawn(scheduler, 0, () => order.push(0));
  };
  const lowRunAt: number[] = [];
  for (let ms = 1; ms <= 60; ms++) {
    scheduler.advance(msStamp(ms));
    high();
    order.length = 0;
    scheduler.runTurn(32);
    const low = order.filter((level) => level === 1).length;
    if (low > 0) lowRunAt.push(ms, low);
  }
  assert.equal(lowRunAt, [21, 16, 41, 16]);
});

test('the starvation bound counts from the arrival of a message, however late it became ready', () => {
  for (const [arrivedMs, expected] of [
    [1, [1, 0]],
    [24, [0, 1]],
  ] as const) {
    const scheduler = new Scheduler({ levels: 2, policy: strictPolicy(2, 20) });
    const order: number[] = [];
    scheduler.advance(msStamp(25));
    const task = scheduler.task(1);
    task.arrival = msStamp(arrivedMs);
    task.begin(() => order.push(1), undefined);
    spawn(scheduler, 0, () => order.push(0));
    drain(scheduler);
    assert.equal(order, expected, `arrived at ${arrivedMs} ms`);
  }
});

test('runTurn keeps to its budget', () => {
  const scheduler = new Scheduler({ levels: 1 });
  let ran = 0;
  for (let i = 0; i < 10; i++) spawn(scheduler, 0, () => ran++);
  assert.is(scheduler.runTurn(4), 4);
  assert.is(ran, 4);
  assert.is(scheduler.runTurn(100), 6);
});

test('sleep is never early and wakes within a tick', () => {
  const scheduler = new Scheduler({ levels: 1 });
  scheduler.advance(0xffffff00);
  let woke = false;
  spawn(scheduler, 0, function* (): Coroutine<void> {
    yield* sleep(10);
    woke = true;
  });
  drain(scheduler);
  for (let ms = 0; ms < 10; ms++) {
    scheduler.advance((0xffffff00 + msStamp(ms)) >>> 0);
    drain(scheduler);
    assert.not(woke, `at ${ms} ms`);
  }
  scheduler.advance((0xffffff00 + msStamp(12.2)) >>> 0);
  drain(scheduler);
  assert.ok(woke);
  assert.is(scheduler.timers.nextDeadline(), -1);
});

test('a sleep of an hour fires after an hour, although stamps wrap after 274 seconds', () => {
  const scheduler = new Scheduler({ levels: 1 });
  scheduler.advance(5);
  let woke = false;
  spawn(scheduler, 0, function* (): Coroutine<void> {
    yield* sleep(3_600_000);
    woke = true;
  });
  drain(scheduler);
  let time = 5;
  for (let turns = 0; !woke && turns < 10_000; turns++) {
    const deadline = scheduler.timers.nextDeadline();
    const ahead = (deadline - time) >>> 0;
    assert.ok(ahead > 0 && ahead < 2 ** 31);
    time += ahead;
    scheduler.advance(time >>> 0);
    drain(scheduler);
  }
  assert.ok(woke);
  assert.ok(Math.abs(time / STAMPS_PER_MS - 3_600_000) < 3, `${time / STAMPS_PER_MS} ms`);
});

test('all returns values in the order of its arguments and fails with the first failure', () => {
  const scheduler = new Scheduler({ levels: 1 });
  const [a, b] = [new ManualOp<number>(), new ManualOp<string>()];
  let got: [number, string] | undefined;
  spawn(scheduler, 0, function* (): Coroutine<void> {
    got = yield* all(a, b);
  });
  drain(scheduler);
  b.complete('b');
  a.complete(1);
  drain(scheduler);
  assert.equal(got, [1, 'b']);

  const [c, d] = [new ManualOp<number>(), new ManualOp<number>()];
  const { ended } = spawn(scheduler, 0, function* (): Coroutine<void> {
    yield* all(c, d);
  });
  drain(scheduler);
  c.fail(new Error('first'));
  drain(scheduler);
  assert.match((ended[0]!.error as Error).message, 'first');
  d.complete(7);
  assert.equal(d.discarded, [7], 'a value that comes later is given back');
  assert.is(d.recycled, 1);
});

test('timeout gives the value in time, else fails with QST_ERR_TIMEOUT and abandons the op', () => {
  const scheduler = new Scheduler({ levels: 1 });
  scheduler.advance(0);
  const [inTime, late] = [new ManualOp<number>(), new ManualOp<number>()];
  const results: unknown[] = [];
  const body = (op: Op<number>) =>
    function* (): Coroutine<void> {
      try {
        results.push(yield* timeout(50, op));
      } catch (error) {
        results.push((error as QstackError).code);
      }
    };
  spawn(scheduler, 0, body(inTime));
  spawn(scheduler, 0, body(late));
  drain(scheduler);
  inTime.complete(1);
  scheduler.advance(msStamp(53));
  drain(scheduler);
  assert.equal(results, [1, 'QST_ERR_TIMEOUT']);
  assert.is(late.recycled, 0, 'its work is still under way');
  late.complete(2);
  assert.is(late.recycled, 1);
  assert.is(scheduler.timers.size, 0);
});

test('an op that is awaited twice is refused', () => {
  const scheduler = new Scheduler({ levels: 1 });
  const op = new ManualOp<number>();
  const { ended } = spawn(scheduler, 0, function* (): Coroutine<void> {
    yield* op;
    yield* op;
  });
  drain(scheduler);
  op.complete(1);
  drain(scheduler);
  assert.is((ended[0]!.error as QstackError).code, 'QST_ERR_OP_REUSED');
});

test('cancelling runs finally, abandons the op, and what finally waits for is waited for', () => {
  const scheduler = new Scheduler({ levels: 1 });
  const [op, cleanup] = [new ManualOp<number>(), new ManualOp<void>()];
  const log: string[] = [];
  const { task, ended } = spawn(scheduler, 0, function* (): Coroutine<void> {
    try {
      yield* op;
      log.push('not reached');
    } catch {
      log.push('not caught');
    } finally {
      yield* cleanup;
      log.push('cleaned');
    }
  });
  drain(scheduler);
  task.cancel();
  assert.equal([log.length, ended.length, cleanup.starts], [0, 0, 1]);
  cleanup.complete();
  drain(scheduler);
  assert.equal([log, ended.length], [['cleaned'], 1]);
  op.complete(3);
  assert.equal(op.discarded, [3]);
});

test('a task that is cancelled while it is ready ends and is not resumed', () => {
  const scheduler = new Scheduler({ levels: 1 });
  const op = new ManualOp<number>();
  let resumed = false;
  const { task, ended } = spawn(scheduler, 0, function* (): Coroutine<void> {
    yield* op;
    resumed = true;
  });
  drain(scheduler);
  op.complete(1);
  task.cancel();
  const other = scheduler.task(0);
  assert.is.not(other, task, 'a queued task is not handed out again');
  drain(scheduler);
  assert.equal([resumed, ended.length], [false, 1]);
});

test('wait brings a promise into the run queue', async () => {
  let kicks = 0;
  const scheduler = new Scheduler({ levels: 1, kick: () => kicks++ });
  let got = 0;
  spawn(scheduler, 0, function* (): Coroutine<void> {
    got = yield* wait(Promise.resolve(5));
  });
  drain(scheduler);
  kicks = 0;
  await new Promise(setImmediate);
  assert.equal([got, kicks], [0, 1], 'the poller is kicked, nothing runs by itself');
  drain(scheduler);
  assert.is(got, 5);
});

test('a signal ends the waiting with its reason', () => {
  const scheduler = new Scheduler({ levels: 1 });
  const controller = new AbortController();
  const { ended } = spawn(scheduler, 0, function* (): Coroutine<void> {
    yield* sleep(1000, { signal: controller.signal });
  });
  drain(scheduler);
  controller.abort(new Error('enough'));
  drain(scheduler);
  assert.match((ended[0]!.error as Error).message, 'enough');
  assert.is(scheduler.timers.size, 0);
});

test('a pooled coroutine serves one message after the other at the level of each', () => {
  const scheduler = new Scheduler({ levels: 3 });
  const idle: Inbox<string>[] = [];
  const inbox = new Inbox<string>({ inboxIdle: (one) => idle.push(one) });
  const seen: string[] = [];
  const { task } = spawn(scheduler, 2, function* (): Coroutine<void> {
    for (;;) {
      const message = yield* inbox.next();
      seen.push(`${message}@${task.level}`);
    }
  });
  drain(scheduler);
  assert.equal(idle, [inbox]);
  for (const [message, level] of [
    ['a', 0],
    ['b', 1],
  ] as const) {
    (idle.pop() as Inbox<string>).deliver(message, level);
    drain(scheduler);
  }
  assert.equal(seen, ['a@0', 'b@1']);
  assert.is(idle.length, 1);
});

test('async handlers are resumed one at a time, the highest level first', async () => {
  const scheduler: Scheduler = new Scheduler({ levels: 2, kick: () => setImmediate(() => scheduler.runTurn(64)) });
  const order: string[] = [];
  const ops: ManualOp<number>[] = [];
  for (const [name, level] of [
    ['low', 1],
    ['high', 0],
  ] as const) {
    const op = new ManualOp<number>();
    ops.push(op);
    spawn(scheduler, level, async () => {
      await op;
      order.push(`${name} 1`);
      await Promise.resolve();
      order.push(`${name} 2`);
    });
  }
  const turns = async (n: number) => {
    for (let i = 0; i < n; i++) await new Promise(setImmediate);
  };
  await turns(6);
  assert.equal(
    ops.map((op) => op.starts),
    [1, 1],
  );
  for (const op of ops) op.complete(0);
  await turns(6);
  assert.equal(order, ['high 1', 'high 2', 'low 1', 'low 2']);
});

test('an async handler that throws ends with its error', async () => {
  const scheduler = new Scheduler({ levels: 1 });
  const { ended } = spawn(scheduler, 0, async () => {
    throw new Error('no');
  });
  drain(scheduler);
  await new Promise(setImmediate);
  assert.match((ended[0]!.error as Error).message, 'no');
});

test('a task that ends gives its resources back, last first', () => {
  const scheduler = new Scheduler({ levels: 1 });
  const released: number[] = [];
  spawn(scheduler, 0, () => {
    for (const n of [1, 2]) scheduler.current?.attach({ nextResource: null, releaseResource: () => released.push(n) });
  });
  drain(scheduler);
  assert.equal(released, [2, 1]);
});

test('timers: 10,000 random timers fire in the right millisecond, and removed ones never', () => {
  let seed = 12345;
  const random = (n: number) => {
    seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
    return seed % n;
  };
  const scheduler = new Scheduler({ levels: 1 });
  scheduler.advance(0);
  let now = 0;
  let fired = 0;
  const tasks: Task[] = [];
  for (let i = 0; i < 10_000; i++) {
    const ms = random(20_000);
    tasks.push(
      spawn(scheduler, 0, function* (): Coroutine<void> {
        yield* sleep(ms);
        fired++;
        assert.ok(now >= ms && now <= ms + 4, `due ${ms}, fired ${now}`);
      }).task,
    );
  }
  drain(scheduler);
  for (let i = 0; i < 1000; i++) tasks[i]?.cancel();
  for (now = 1; now <= 20_010; now++) {
    scheduler.advance(msStamp(now));
    drain(scheduler);
  }
  assert.equal([fired, scheduler.timers.size], [9000, 0]);
});

test.run();
