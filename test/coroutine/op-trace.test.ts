// OpTrace: which ops are forgotten, and which line made them.
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import {
  all,
  type Coroutine,
  Inbox,
  OpTrace,
  race,
  Scheduler,
  Semaphore,
  sleep,
  spawn,
  timeout,
  wait,
} from '../../coroutine/index.js';

interface Bench extends Disposable {
  scheduler: Scheduler;
  trace: OpTrace;
  reports: { kind: string; place: string; stack: string }[];
  run(handler: (argument: never) => unknown): void;
  settle(): void;
}

function bench(): Bench {
  const reports: Bench['reports'] = [];
  const trace = new OpTrace((kind, place, stack) => reports.push({ kind, place, stack }));
  const scheduler = new Scheduler({ levels: 1 });
  scheduler.advance(0);
  const settle = () => {
    while (scheduler.hasReady && scheduler.runTurn(256) > 0);
  };
  const run = (handler: (argument: never) => unknown) => {
    scheduler.task(0).begin(handler, undefined);
    settle();
  };
  return { scheduler, trace, reports, run, settle, [Symbol.dispose]: () => trace.stop() };
}

function* handlerThatForgets(): Coroutine<void> {
  // biome-ignore lint/nursery/noFloatingPromises: it is what is looked for.
  sleep(10);
  yield* race(sleep(1), sleep(2));
}

test('an op that was made and never awaited is reported when its handler ends, with the line that made it', () => {
  using on = bench();
  on.run(handlerThatForgets);
  assert.equal(on.reports, [], 'it may still be awaited');
  on.scheduler.advance(10 * 15625);
  on.settle();
  assert.is(on.reports.length, 1);
  const { kind, place, stack } = on.reports[0] as Bench['reports'][0];
  assert.is(kind, 'SleepOp');
  assert.match(place, /^handlerThatForgets .*op-trace\.test\.[jt]s:\d+:\d+/);
  assert.match(stack, 'op-trace.test');
});

test('ops out of the pool are found as well', () => {
  using on = bench();
  on.run(function* (): Coroutine<void> {
    for (let i = 0; i < 3; i++) yield* sleep(0);
    for (let i = 0; i < 3; i++) void sleep(0);
  });
  for (let ms = 1; ms < 20; ms++) {
    on.scheduler.advance(ms * 15625);
    on.settle();
  }
  assert.is(on.reports.length, 3);
});

test('of ops inside an op only the outermost is reported', () => {
  using on = bench();
  on.run(() => {
    void timeout(5, all(sleep(1), race(sleep(2), wait(Promise.resolve()))));
  });
  assert.equal(
    on.reports.map(({ kind }) => kind),
    ['TimeoutOp'],
  );
});

test('what is awaited, raced, cancelled or joined is none that was forgotten', () => {
  using on = bench();
  const semaphore = new Semaphore(1);
  on.run(function* (): Coroutine<void> {
    yield* timeout(50, race(sleep(1), all(sleep(100), sleep(200))));
    using _permit = yield* semaphore.acquire({ timeoutMs: 5, signal: new AbortController().signal });
    const child = spawn(function* (): Coroutine<void> {
      yield* sleep(1);
    });
    yield* child.join();
    const cancelled = spawn(function* (): Coroutine<void> {
      yield* sleep(1000);
    });
    yield* sleep(1);
    cancelled.cancel();
  });
  for (let ms = 1; ms < 300; ms++) {
    on.scheduler.advance(ms * 15625);
    on.settle();
  }
  assert.equal([on.scheduler.timers.size, on.reports], [0, []]);
});

test('an op in a callback, where no yield* can stand, is found', () => {
  using on = bench();
  on.run(function* withCallback(): Coroutine<void> {
    [1, 2].forEach((ms) => void sleep(ms));
  });
  assert.is(on.reports.length, 2);
  assert.match(on.reports[0]?.stack ?? '', 'withCallback');
});

test('a pooled coroutine is told of at the end of each message', () => {
  using on = bench();
  const inbox: Inbox<number> = new Inbox<number>({ inboxIdle: (one) => one.task?.releaseResources() });
  on.run(function* (): Coroutine<void> {
    for (;;) {
      yield* inbox.next();
      void sleep(1);
    }
  });
  for (let i = 1; i <= 2; i++) {
    inbox.deliver(i, 0);
    on.settle();
    assert.is(on.reports.length, i);
  }
});

test('code outside of handlers is told of at the second sweep', () => {
  using on = bench();
  void sleep(1);
  on.trace.sweep();
  assert.equal(on.reports, []);
  on.trace.sweep();
  on.trace.sweep();
  assert.is(on.reports.length, 1);
});

test('an async handler is told of when it has settled', async () => {
  using on = bench();
  on.scheduler.kick = () => setImmediate(() => on.scheduler.runTurn(64));
  on.run(async () => {
    void sleep(1);
  });
  for (let i = 0; i < 5; i++) await new Promise(setImmediate);
  assert.is(on.reports.length, 1);
});

test('when the trace is stopped nothing is kept and nothing told', () => {
  const on = bench();
  on.trace.stop();
  on.run(() => void sleep(1));
  assert.equal(on.reports, []);
});

test.run();
