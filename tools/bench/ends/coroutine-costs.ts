// What it costs a handler to wait once, in nanoseconds: on our scheduler in the pooled and in the fresh form, and as a plain
// async function. In: how many requests. Out: "ready" and one line of JSON, the pauses of the garbage collector in it.
// 256 requests are under way at a time; each waits for one value that comes from outside, as a reply of Redis would.
import { PerformanceObserver } from 'node:perf_hooks';
import { type Coroutine, Inbox, PooledOp, Scheduler } from '../../../coroutine/index.js';

const UNDER_WAY = 256;
const MINOR = 1;
const count = Number(process.argv[2] ?? 1_000_000);

class Later extends PooledOp<number> {
  protected override start(): void {
    waiting.push(this);
  }
}

let waiting: Later[] = [];
let sum = 0;

function answerAll(): void {
  const all = waiting;
  waiting = [];
  for (const op of all) op.complete(1);
}

/** A form, set up: each call makes its requests. */
type Rounds = () => number | Promise<number>;

/** `for (;;)` around an inbox: iotepserver's form. */
function pooled(): Rounds {
  const scheduler = new Scheduler({ levels: 1 });
  let idle: Inbox<number>[] = [];
  function* serve(inbox: Inbox<number>): Coroutine<void> {
    const later = new Later();
    for (;;) {
      const message = yield* inbox.next();
      const value = yield* later.open();
      sum += message + value;
    }
  }
  for (let i = 0; i < UNDER_WAY; ++i) {
    const inbox = new Inbox<number>({ inboxIdle: (which) => idle.push(which) });
    scheduler.task(0, { taskDone: () => {} }).begin(serve as (argument: never) => unknown, inbox as never);
  }
  scheduler.runTurn(UNDER_WAY);
  return () => {
    for (let done = 0; done < count; done += UNDER_WAY) {
      const free = idle;
      idle = [];
      for (const inbox of free) inbox.deliver(1, 0);
      scheduler.runTurn(UNDER_WAY);
      answerAll();
      scheduler.runTurn(UNDER_WAY);
    }
    return count;
  };
}

/** A generator of its own for each request. */
function fresh(): Rounds {
  const scheduler = new Scheduler({ levels: 1 });
  const owner = { taskDone: () => {} };
  const ops = Array.from({ length: UNDER_WAY }, () => new Later());
  function* handle(later: Later): Coroutine<void> {
    const value = yield* later.open();
    sum += 1 + value;
  }
  return () => {
    for (let done = 0; done < count; done += UNDER_WAY) {
      for (const op of ops) scheduler.task(0, owner).begin(handle as (argument: never) => unknown, op as never);
      scheduler.runTurn(UNDER_WAY);
      answerAll();
      scheduler.runTurn(UNDER_WAY);
    }
    return count;
  };
}

function plainAsync(): Rounds {
  let resolvers: ((value: number) => void)[] = [];
  const handle = async (message: number) => {
    const value = await new Promise<number>((resolve) => resolvers.push(resolve));
    sum += message + value;
  };
  return async () => {
    for (let done = 0; done < count; done += UNDER_WAY) {
      const all: Promise<void>[] = [];
      for (let i = 0; i < UNDER_WAY; ++i) all.push(handle(1));
      const answers = resolvers;
      resolvers = [];
      for (const answer of answers) answer(1);
      await all.at(-1);
    }
    return count;
  };
}

const pauses: number[] = [];
const observer = new PerformanceObserver((list) => {
  for (const entry of list.getEntries()) {
    const { duration, detail } = entry as typeof entry & { detail: { kind: number } };
    if (detail.kind === MINOR) pauses.push(duration);
  }
});
observer.observe({ entryTypes: ['gc'] });

/** p99 in ms of the minor collections since the last call; 0: there was none. */
async function minorPause(): Promise<number> {
  await new Promise((done) => setTimeout(done, 20));
  const sorted = pauses.splice(0).sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * 0.99))] ?? 0;
}

/** Behind a first call, in which code is compiled and what was set up becomes old: a collection copies it once, and that takes 3 ms. */
async function cost(form: () => Rounds): Promise<[ns: number, pauseMs: number]> {
  const run = form();
  await run();
  await minorPause();
  const start = performance.now();
  const requests = await run();
  const ns = ((performance.now() - start) * 1e6) / requests;
  return [ns, await minorPause()];
}

process.stdout.write('ready\n');
const [pooled_ns, pooled_gc_p99_ms] = await cost(pooled);
const [fresh_ns, fresh_gc_p99_ms] = await cost(fresh);
const [async_ns, async_gc_p99_ms] = await cost(plainAsync);
if (sum < 12 * count) throw new Error(`${sum} instead of ${12 * count}: requests were lost`);
const figures = { pooled_ns, fresh_ns, async_ns, pooled_gc_p99_ms, fresh_gc_p99_ms, async_gc_p99_ms };
process.stdout.write(`${JSON.stringify(figures)}\n`);
