// `nap`: a server to which nothing comes: the share of a core that all its threads take, and how soon it answers who comes all the same.
// In: a number of connections. Out: the share, over a time without a message, and latencies of messages that come 50 ms apart: each
// finds a server that has had nothing to do for longer than the 10 ms behind which it takes its long naps, 500 µs each. Beside it what
// such naps cost a thread that does nothing else, on this machine. echo_server, without
// Redis, whose own sleep is no matter of ours, under mcc over memif.
import type { RunReport } from '../mcc/report.js';
import { type Benchmark, type Context, interleaved, medianOf, type Result, type Sample } from './benchmark.js';
import { EchoRig } from './echo-rig.js';
import { nativeEnd } from './places.js';
import { type Aim, aimText, aimValues } from './priority/aim.js';
import { ms } from './priority/part.js';
import { End } from './process.js';
import { rounded } from './statistics.js';
import { ranNanoseconds } from './threads.js';

const CONNECTIONS = 1_000;
const RATE_PER_S = 20;
/** Of the length of a window: 200 messages in 10 s, where a window has 2 s. */
const TIMES = 5;
const NAME = 'echo_server';
const FLOOR = 'a thread that only naps';
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

/** JavaScript is compiled; messages that come one by one; none, until the last one, which tells that this time is over. */
function phasesOf({ seconds }: Context): string {
  const pause = `pause:${seconds * TIMES}s`;
  return `paced:1000/${seconds}s,pause:0.1s,paced:${RATE_PER_S}/${seconds * TIMES}s,${pause},paced:1/1s`;
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

/** What the machine takes for the naps of one idle thread. */
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
  const of = (column: string) => medianOf(rows, NAME, column);
  return [
    { key: 'cores', what: 'of a core, all threads of an idle server', ratio: of('cores'), atMost: 0.02 },
    { key: 'p50_ms', what: 'ms until an idle server has answered, median', ratio: of('p50_ms'), atMost: 0.6 },
  ];
}

async function measure(context: Context): Promise<Result> {
  const connections = context.connections[0] ?? CONNECTIONS;
  const contenders = [
    { name: NAME, run: () => napping(connections, context) },
    { name: FLOOR, run: () => floor(context) },
  ];
  const rows = await interleaved(contenders, context);
  const aims = aimsOf(rows);
  const counted = connections.toLocaleString('en-US');
  return {
    rows,
    values: { ...aimValues(aims), floor_cores: rounded(medianOf(rows, FLOOR, 'cores')) },
    charts: [],
    notes: [
      ...aims.map(aimText),
      `${counted} connections; cores: while no message comes; latency: ${RATE_PER_S} messages a second, from the intended time`,
    ],
  };
}

export const nap: Benchmark = {
  name: 'nap',
  what: 'a server to which nothing comes: its share of a core, and how soon it answers',
  measure,
};
