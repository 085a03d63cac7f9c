// `coroutine`, `ring`, `classify`, `steer`: what one of the smallest steps costs, in nanoseconds, beside what one would write instead.
// Each contender is a process that measures several ways one after the other: a column of the table for each of them.
import { type Benchmark, type Context, interleaved, type Result, type Row, type Sample } from './benchmark.js';
import { nativeEnd, nodeProgram } from './places.js';
import { End } from './process.js';
import { rounded } from './statistics.js';

const LIMIT_MS = 120_000;
/** How many of them for each second of --duration. */
const COROUTINES = 1_000_000;
const EVENTS = 1_000_000;
const NATIVE = 10_000_000;

async function figuresOf(name: string, command: readonly string[]): Promise<Sample> {
  const end = new End<Sample>(name, command);
  try {
    await end.start();
    return await end.report(LIMIT_MS);
  } finally {
    await end.stop();
  }
}

const counted = (context: Context, perSecond: number) =>
  String(Math.max(10_000, Math.round(context.seconds * perSecond)));

function mediansOf(rows: readonly Row[]): Record<string, number> {
  const all = rows.flatMap(({ figures }) => Object.entries(figures));
  return Object.fromEntries(all.map(([key, { median }]) => [key, rounded(median)]));
}

function micro(
  name: string,
  what: string,
  notes: readonly string[],
  ways: (context: Context) => Record<string, string[]>,
) {
  const measure = async (context: Context): Promise<Result> => {
    const commands = Object.entries(ways(context));
    const contenders = commands.map(([way, command]) => ({ name: way, run: () => figuresOf(way, command) }));
    const rows = await interleaved(contenders, context);
    return { rows, values: mediansOf(rows), charts: [], notes };
  };
  return { name, what, measure } satisfies Benchmark;
}

export const coroutine = micro(
  'coroutine',
  'a handler that waits once: pooled and fresh generators, and async/await',
  [
    'nanoseconds per request that waits once, 256 under way; p99 of the pauses of minor collections in ms, 0: there was none',
  ],
  (context) => ({
    TypeScript: [...nodeProgram('tools/bench/ends/coroutine-costs.js'), counted(context, COROUTINES)],
  }),
);

export const ring = micro(
  'ring',
  'an event between two threads: our rings, and MessageChannel',
  ['nanoseconds per event of 64 bytes that is written, read and looked at; batches of 64 but for single_ns'],
  (context) => ({
    native: nativeEnd('ring', `count=${counted(context, NATIVE)}`),
    TypeScript: [...nodeProgram('tools/bench/ends/message-costs.js'), counted(context, EVENTS)],
  }),
);

export const classify = micro(
  'classify',
  'the level of a frame by one rule, two, 64 and a pcap filter, and by the same written in C++ by hand',
  [
    'nanoseconds per frame of 266 bytes; rules and functions by hand give the same levels; rules_64 has a field for each rule, rules_64_of_three_headers has them in another header than the rule before',
    'aimed at: one rule 5, 64 rules 100, a pcap filter 25',
  ],
  (context) => ({ native: nativeEnd('classify', `count=${counted(context, NATIVE)}`) }),
);

export const steer = micro(
  'steer',
  'a received frame on its way to a stack in another thread',
  [
    'nanoseconds per frame of 254 bytes: target_ns finds out whose it is; the others take it to a stack and its packet home, with one thread at both ends or two',
  ],
  (context) => ({ native: nativeEnd('steer', `count=${counted(context, NATIVE)}`) }),
);
