// `nap`: a server to which nothing comes: the share of a core that all its threads take, and how soon it answers who comes all the same.
// Out: that share, over a time without a message; from a SYN to its answer, and to the reply of the request behind it; and latencies of
// messages on connections that stand. All come 50 ms apart: each finds a server that has long gone to sleep, and a client that polls.
// Beside them what the machine takes for such idling. echo_server, without Redis, whose own sleep is no matter of ours.
import type { RunReport } from '../mcc/report.js';
import { type Benchmark, type Context, interleaved, medianOf, type Result, type Sample } from './benchmark.js';
import { EchoRig } from './echo-rig.js';
import { nativeEnd, nodeProgram, withFolder } from './places.js';
import { type Aim, aimText, aimValues } from './priority/aim.js';
import { ms } from './priority/part.js';
import { End } from './process.js';
import { rounded } from './statistics.js';
import { ranNanoseconds } from './threads.js';
import { CLIENT, clientReport, PORT, SERVER } from './transact.js';

const CONNECTIONS = 1_000;
const RATE_PER_S = 20;
/** Of the length of a window: 200 messages in 10 s, where a window has 2 s. */
const TIMES = 5;
const NAME = 'echo_server';
const NATIVE = 'new connections, native handler';
const TYPESCRIPT = 'new connections, handler in TypeScript';
const FLOOR = 'a thread that does nothing else';
const POOLS = 64;
const WARM_UP_MS = 1_000;
const NAPS_PER_S = 2_000;
const FLOOR_LIMIT_MS = 120_000;

/** Of a core, by all threads of a process, since the last call. */
class Share {
  private last: { atMs: number; ranNs: number } | undefined;

  constructor(private readonly pid: number) {}

  read(): number {
    const now = { atMs: performance.now(), ranNs: ranNanoseconds(this.pid).reduce((sum, { ns }) => sum + ns, 0) };
    const { last = now } = this;
    this.last = now;
    return (now.ranNs - last.ranNs) / 1e6 / (now.atMs - last.atMs);
  }
}

/**
 * JavaScript is compiled; messages that come one by one; none, until V8 has tidied up behind them, and one that tells that this is
 * over; none, and another one.
 */
function phasesOf({ seconds }: Context): string {
  const idle = `pause:${seconds * TIMES}s,paced:1/1s`;
  return `paced:1000/${seconds}s,pause:0.1s,paced:${RATE_PER_S}/${seconds * TIMES}s,${idle},${idle}`;
}

function sampleOf(run: RunReport | undefined, cores: number): Sample {
  const [level] = run?.levels ?? [];
  const of = (us: number | null | undefined) => ms(us ?? null);
  return { cores, p50_ms: of(level?.p50_us), p99_ms: of(level?.p99_us), max_ms: of(level?.max_us) };
}

function napping(connections: number, context: Context): Promise<Sample> {
  const work = async (rig: EchoRig) => {
    const share = new Share(rig.pid);
    let cores = Number.NaN;
    const onRun = () => {
      cores = share.read();
    };
    const report = await rig.load({ phases: phasesOf(context), seed: context.seed, onRun });
    return sampleOf(report.phases[1], cores);
  };
  return EchoRig.with(connections, () => [], work);
}

/** One after the other. */
function opening(kind: typeof NATIVE | typeof TYPESCRIPT, { seconds }: Context): Promise<Sample> {
  return withFolder(async (folder) => {
    const socket = `${folder}/nap.sock`;
    const shape = ['prefix=24', `connections=${POOLS}`, 'device=memif', `socket=${socket}`];
    const times = [`warm_up_ms=${WARM_UP_MS}`, `window_ms=${seconds * TIMES * 1_000}`, `rest_ms=${1_000 / RATE_PER_S}`];
    const native = nativeEnd('echo-server', `address=${SERVER}`, ...shape, 'role=server');
    const place = [`memif:${socket}?server`, `${SERVER}/24`, `${PORT}`, `${POOLS}`];
    const server = kind === NATIVE ? native : [...nodeProgram('tools/bench/ends/echo-server.js'), ...place];
    const client = nativeEnd('connect-client', `address=${CLIENT}`, `to=${SERVER}`, ...shape, ...times, 'poll=busy');
    const { p50_us, p99_us, open_p50_us = Number.NaN, open_p99_us = Number.NaN } = await clientReport(server, client);
    return { syn_p50_ms: ms(open_p50_us), syn_p99_ms: ms(open_p99_us), p50_ms: ms(p50_us), p99_ms: ms(p99_us) };
  });
}

/** What the machine takes for the naps of one idle thread, and for what it touches behind 50 ms of sleep. */
async function floor({ seconds }: Context): Promise<Sample> {
  const naps = Math.max(100, Math.round(seconds * TIMES * NAPS_PER_S));
  const end = new End<Sample>(FLOOR, nativeEnd('nap', `count=${naps}`));
  try {
    await end.start();
    return await end.report(FLOOR_LIMIT_MS);
  } finally {
    await end.stop();
  }
}

function aimsOf(rows: Result['rows']): Aim[] {
  return [
    {
      key: 'cores',
      what: 'of a core, all threads of an idle server',
      ratio: medianOf(rows, NAME, 'cores'),
      atMost: 0.02,
    },
    {
      key: 'syn_p50_ms',
      what: 'ms until an idle server has answered a SYN, median',
      ratio: medianOf(rows, TYPESCRIPT, 'syn_p50_ms'),
      atMost: 0.6,
    },
  ];
}

async function measure(context: Context): Promise<Result> {
  const connections = context.connections[0] ?? CONNECTIONS;
  const contenders = [
    { name: NAME, run: () => napping(connections, context) },
    { name: TYPESCRIPT, run: () => opening(TYPESCRIPT, context) },
    { name: NATIVE, run: () => opening(NATIVE, context) },
    { name: FLOOR, run: () => floor(context) },
  ];
  const rows = await interleaved(contenders, context);
  const aims = aimsOf(rows);
  const values = {
    message_p50_ms: medianOf(rows, NAME, 'p50_ms'),
    native_p50_ms: medianOf(rows, NATIVE, 'p50_ms'),
    floor_cores: medianOf(rows, FLOOR, 'cores'),
    floor_page_us: medianOf(rows, FLOOR, 'page_us'),
  };
  const counted = connections.toLocaleString('en-US');
  return {
    rows,
    values: {
      ...aimValues(aims),
      ...Object.fromEntries(Object.entries(values).map(([key, value]) => [key, rounded(value)])),
    },
    charts: [],
    notes: [
      ...aims.map(aimText),
      `${NAME}: cores while no message comes; ${RATE_PER_S} messages a second on ${counted} connections, from the intended time`,
      `new connections: ${RATE_PER_S} a second, one after the other; syn: until it is answered; p50 and p99: until the reply`,
      `${FLOOR}: cores of one that naps 500 µs again and again; µs for the first touch of a page of 4 KiB behind 50 ms of sleep`,
    ],
  };
}

export const nap: Benchmark = {
  name: 'nap',
  what: 'a server to which nothing comes: its share of a core, and how soon it answers',
  measure,
};
