// `c10m`: ten million connections that speak once a minute each: QStack's benchmark. iotepserver against Redis, mcc
// over memif; all connections are opened as fast as they can be, then each sends one message of 200 bytes, one of twenty high: in
// waves (all of a second in one go) and paced (evenly). Each pattern has fresh processes. More than a minute is a slower epoch:
// each connection speaks once all the same, so that one finds what this machine keeps up with.
// Out: how long opening took, memory in all, what was lost, latency at the wire (from the poll of the frame to its reply handed to
// the port, the stage `wire` of Stack.sojourn()) and at the client from the intended time, and CPU by thread.
import { readFileSync } from 'node:fs';
import type { Report, RunReport } from '../mcc/report.js';
import { layoutOf, redisServersOf, redisText } from '../start/layout.js';
import {
  type Benchmark,
  type Context,
  interleavedSurveys,
  medianOf,
  type Result,
  type Row,
  type Sample,
} from './benchmark.js';
import { Watch } from './c10m-watch.js';
import { nativeEnd } from './places.js';
import { type Aim, aimText, aimValues } from './priority/aim.js';
import { levelsOf, ms } from './priority/part.js';
import { HIGH_SHARE, Rig } from './priority/rig.js';
import { End } from './process.js';
import { rounded, summarize } from './statistics.js';

const CONNECTIONS = 10_368_000;
const EPOCH_S = 60;
const SMALL_CONNECTIONS = 2_000;
const SMALL_EPOCH_S = 2;
/** Of the warm-up's closed loop, which gives Redis its keys and lets all JavaScript be compiled. */
const UNDER_WAY = 4_096;
/** Of the load itself before it is measured: what is read in another order than in the loop is far away at first. */
const RUN_IN_S = 5;
const SMALL_RUN_IN_S = 0.5;
/** What is read once a second lies before the measured run or within it. */
const PAUSE_S = 1;
const LAYOUT = layoutOf(undefined, 'generator');
const READER_LIMIT_MS = 120_000;
const OPENED_PER_S_MIN = 20_000;
const GIB = 2 ** 30;
/** Of server, mcc and Redis, for a connection; and whatever their number. */
const BYTES_PER_CONNECTION = 900;
const BYTES_BESIDE = 3 * GIB;

const UP_S = 30;
const MEMORY_GIB = 12;
const P99_MS = 2.4;

/**
 * README.md of acs-network/qstack, commit 15728d9, "Our result" and the command lines above it: 16 Redis servers, connections
 * opened over 200 s (-s), p99 by HCMonitor. Only the high level is answered there.
 */
const QSTACK = {
  name: 'QStack, as published',
  machine: 'Xeon Gold 6130, 64 logical cores, 128 GB, 10 Gbit/s Ethernet',
  figures: { connections: 10_368_000, offered_per_s: 172_800, all_up_s: 200, wire_high_p99_ms: 2.4 },
} as const;

const PATTERNS = ['waves', 'paced'] as const;
type Pattern = (typeof PATTERNS)[number];
const BUDGET = 'CPU by thread';

interface Shape {
  readonly connections: number;
  readonly seconds: number;
  readonly ratePerS: number;
  readonly runInS: number;
}

function shapeOf(context: Context): Shape {
  const isSmall = context.seconds < 1;
  const connections = context.connections[0] ?? (isSmall ? SMALL_CONNECTIONS : CONNECTIONS);
  const seconds = isSmall ? SMALL_EPOCH_S : Math.max(EPOCH_S, context.seconds);
  const runInS = isSmall ? SMALL_RUN_IN_S : RUN_IN_S;
  return { connections, ratePerS: Math.ceil(connections / seconds), seconds, runInS };
}

/** The last one is measured. */
function phasesOf(pattern: Pattern, { ratePerS, seconds, runInS }: Shape): string {
  const load = pattern === 'waves' ? `wave:${ratePerS}/1s` : `paced:${ratePerS}`;
  const pause = `pause:${PAUSE_S}s`;
  return [`capacity:${UNDER_WAY}/${seconds}s`, `${load}/${runInS}s`, pause, `${load}/${seconds}s`, pause].join(',');
}

async function sampleOf({ setup_s }: Report, run: RunReport, watch: Watch, shape: Shape): Promise<Sample> {
  const [high, low] = levelsOf(run);
  return {
    connections: shape.connections,
    offered_per_s: run.offered_per_s,
    answered_per_s: run.answered_per_s,
    start_s: watch.startS,
    all_up_s: setup_s,
    ...watch.memory(),
    lost: (high.lost ?? Number.NaN) + (low.lost ?? Number.NaN),
    unsent: high.unsent + low.unsent + run.failed_sends,
    mismatched: run.mismatched,
    wire_high_p99_ms: await watch.wireMs(high.name),
    wire_low_p99_ms: await watch.wireMs(low.name),
    client_high_p99_ms: ms(high.p99_us),
    client_low_p99_ms: ms(low.p99_us),
    hiccup_p99_us: run.hiccup_p99_us,
  };
}

/** What a read of as much memory costs the machine before a run: what its host gives differs from hour to hour. */
async function memoryReadNs(connections: number): Promise<number> {
  const mebibytes = Math.ceil((connections * BYTES_PER_CONNECTION) / 2 ** 20);
  const end = new End<{ read_ns: number }>('a reader of memory', nativeEnd('memory', `count=${mebibytes}`));
  try {
    await end.start();
    return (await end.report(READER_LIMIT_MS)).read_ns;
  } finally {
    await end.stop();
  }
}

async function survey(context: Context, pattern: Pattern): Promise<Record<string, Sample>> {
  const shape = shapeOf(context);
  const { connections } = shape;
  const memory_read_ns = await memoryReadNs(connections);
  const work = async (rig: Rig) => {
    const watch = new Watch(rig);
    const { onServer, onMcc, onRun } = watch;
    const limitS = 60 + Math.ceil(connections / OPENED_PER_S_MIN);
    const report = await rig.serve({
      ...{ priorities: true, phases: phasesOf(pattern, shape), connections },
      mccFlags: { '--connect-limit': `${limitS}` },
      ...{ onServer, onMcc, onRun },
    });
    const [, , run] = report.phases;
    if (run === undefined) throw new Error('mcc was stopped before its load');
    const answered = levelsOf(run).reduce((sum, level) => sum + level.answered, 0);
    const untilLastAnswerS = answered / run.answered_per_s;
    const budget = watch.budget(untilLastAnswerS, answered).map(([thread, one]) => [`${pattern}: ${thread}`, one]);
    const sample = { ...(await sampleOf(report, run, watch, shape)), memory_read_ns };
    return { [pattern]: sample, ...Object.fromEntries(budget) };
  };
  return Rig.with(context, work, { layout: LAYOUT });
}

function patternsOf({ parts }: Context): Pattern[] {
  const asked = PATTERNS.filter((pattern) => parts.includes(pattern));
  return asked.length > 0 ? asked : [...PATTERNS];
}

function p99Aim(rows: readonly Row[], pattern: Pattern): Aim {
  const [where, what] = pattern === 'waves' ? ['wire', 'at the wire'] : ['client', 'from the intended time'];
  return {
    key: `${pattern}_${where}_high_p99_ms`,
    what: `p99 of the high level, ${pattern}, ${what}, ms`,
    ratio: medianOf(rows, pattern, `${where}_high_p99_ms`),
    atMost: P99_MS,
  };
}

function aimsOf(rows: readonly Row[], patterns: readonly Pattern[]): Aim[] {
  const medians = (column: string) => Math.max(...patterns.map((pattern) => medianOf(rows, pattern, column)));
  /** One is one too many. */
  const most = (column: string) => Math.max(...rows.map(({ figures }) => figures[column]?.max ?? 0));
  return [
    { key: 'all_up_s', what: 'seconds until all connections are open', ratio: medians('all_up_s'), atMost: UP_S },
    { key: 'memory_gib', what: 'GiB of server, mcc and Redis', ratio: medians('memory_gib'), atMost: MEMORY_GIB },
    { key: 'lost', what: 'messages lost in any run', ratio: most('lost'), atMost: 0 },
    { key: 'mismatched', what: 'replies to other messages in any run', ratio: most('mismatched'), atMost: 0 },
    ...patterns.map((pattern) => p99Aim(rows, pattern)),
  ];
}

/** By pattern and level, in µs. */
function byLevel(rows: readonly Row[], patterns: readonly Pattern[], where: 'wire' | 'client'): Record<string, number> {
  const entries = patterns.flatMap((pattern) =>
    ['high', 'low'].map((level) => {
      const p99 = medianOf(rows, pattern, `${where}_${level}_p99_ms`) * 1_000;
      return [`${pattern}_${level}`, rounded(p99)] as const;
    }),
  );
  return Object.fromEntries(entries);
}

function cpuPerMessage(rows: readonly Row[], pattern: Pattern): number {
  const threads = rows.filter(({ name }) => name.startsWith(`${pattern}: `));
  return rounded(threads.reduce((sum, { figures }) => sum + (figures.us_per_message?.median ?? 0), 0));
}

function published(): Row {
  const figures = Object.entries(QSTACK.figures).map(([column, value]) => [column, summarize([value])] as const);
  return { name: QSTACK.name, figures: Object.fromEntries(figures) };
}

function availableBytes(): number {
  const kilobytes = /^MemAvailable:\s+(\d+) kB/m.exec(readFileSync('/proc/meminfo', 'utf8'))?.[1];
  return Number(kilobytes) * 1_024;
}

/** Why so many are too many for so much memory, and how many are not; undefined: they fit. */
export function memoryFault(connections: number, available: number): string | undefined {
  const needed = BYTES_BESIDE + connections * BYTES_PER_CONNECTION;
  if (needed <= available) return undefined;
  const most = Math.max(0, available - BYTES_BESIDE) / BYTES_PER_CONNECTION;
  const gib = (bytes: number) => `${rounded(bytes / GIB, 3)} GiB`;
  const counted = connections.toLocaleString('en-US');
  const fits = `--connections ${Math.max(1, Math.floor(most / 1_000))}k fits`;
  return `${counted} connections need about ${gib(needed)}, and ${gib(available)} are available: ${fits}`;
}

async function measure(context: Context): Promise<Result> {
  const shape = shapeOf(context);
  const fault = memoryFault(shape.connections, availableBytes());
  if (fault !== undefined) throw new Error(fault);
  const patterns = patternsOf(context);
  const surveys = patterns.map((pattern) => ({ name: pattern, run: () => survey(context, pattern) }));
  const measured = await interleavedSurveys(surveys, context);
  const aims = aimsOf(measured, patterns);
  const isBudget = ({ name }: Row) => name.includes(': ');
  const budget = measured.filter(isBudget).map((row) => ({ ...row, part: BUDGET }));
  return {
    rows: [...measured.filter((row) => !isBudget(row)), published(), ...budget],
    values: {
      connections: shape.connections,
      requests_per_s: Math.min(...patterns.map((one) => rounded(medianOf(measured, one, 'answered_per_s')))),
      ...aimValues(aims),
      wire_p99_us: byLevel(measured, patterns, 'wire'),
      p99_us: byLevel(measured, patterns, 'client'),
      cpu_us_per_request: Object.fromEntries(patterns.map((one) => [one, cpuPerMessage(measured, one)])),
    },
    charts: [],
    seconds: shape.seconds,
    notes: [
      ...aims.map(aimText),
      `${shape.connections.toLocaleString('en-US')} connections, ${shape.ratePerS.toLocaleString('en-US')} messages a second of 200 bytes, ${HIGH_SHARE * 100} % high, all answered; generator, server and ${redisText(redisServersOf(LAYOUT))} share the cores`,
      `${QSTACK.name}: ${QSTACK.machine}, 16 Redis servers, generator on another machine; only the high level is answered, and was measured at a mirror port`,
      `before that, ${shape.seconds}s of as many messages as are answered, ${UNDER_WAY.toLocaleString('en-US')} under way, and ${shape.runInS}s of the load: what they took is in no figure`,
      'memory is that of all processes when the last message was answered; memory_read_ns: a dependent read of as much memory, before the run',
    ],
  };
}

export const c10m: Benchmark = {
  name: 'c10m',
  what: '10,368,000 connections, 172,800 messages a second, in waves and paced, beside what QStack published',
  parts: PATTERNS,
  measure,
};
