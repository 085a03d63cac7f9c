// `nap`: iotepserver while next to nothing comes: the share of a core that all its threads take, and how soon it answers all the same.
// In: a number of connections. Out: the share, and latencies of messages that come 50 ms apart: each finds a server that has had
// nothing to do for longer than the 10 ms behind which it takes its long naps. An answer waits for Redis as well, which sleeps too.
import type { RunReport } from '../mcc/report.js';
import { type Benchmark, type Context, interleaved, medianOf, type Result, type Sample } from './benchmark.js';
import { type Aim, aimText, aimValues } from './priority/aim.js';
import { levelsOf, ms } from './priority/part.js';
import { Rig } from './priority/rig.js';
import { ranNanoseconds } from './threads.js';

const CONNECTIONS = 1_000;
const RATE_PER_S = 20;
/** Of the length of a window: 200 messages in 10 s, where a window has 2 s. */
const TIMES = 5;
const NAME = 'iotepserver';

/** Of all threads of a process, between two calls. */
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

function sampleOf(run: RunReport | undefined, cores: number): Sample {
  const [high] = levelsOf(run);
  return { cores, p50_ms: ms(high.p50_us), p99_ms: ms(high.p99_us), max_ms: ms(high.max_us) };
}

/** The warm-up is over when its phase is; the window has a pause before it. */
async function napping(rig: Rig, connections: number): Promise<Sample> {
  const { seconds } = rig.context;
  const phases = `paced:1000/${seconds}s,pause:${rig.isSmall ? 0.1 : 1}s,paced:${RATE_PER_S}/${seconds * TIMES}s`;
  let share: Share | undefined;
  let cores = Number.NaN;
  const report = await rig.serve({
    ...{ priorities: true, phases, connections, highShare: 1 },
    onServer: ({ child }) => {
      share = new Share(child.pid);
    },
    onRun: () => {
      cores = share?.read() ?? Number.NaN;
    },
  });
  return sampleOf(report.phases.at(-1), cores);
}

function aimsOf(rows: Result['rows']): Aim[] {
  const of = (column: string) => medianOf(rows, NAME, column);
  return [
    { key: 'cores', what: 'of a core, all threads of an idle server', ratio: of('cores'), atMost: 0.02 },
    { key: 'p50_ms', what: 'ms until an idle server has answered, median', ratio: of('p50_ms'), atMost: 0.6 },
  ];
}

function measure(context: Context): Promise<Result> {
  const connections = context.connections[0] ?? CONNECTIONS;
  return Rig.with(context, async (rig) => {
    const rows = await interleaved([{ name: NAME, run: () => napping(rig, connections) }], context);
    const aims = aimsOf(rows);
    return {
      rows,
      values: { ...aimValues(aims), mismatched: rig.mismatched },
      charts: [],
      notes: [
        ...aims.map(aimText),
        `${connections.toLocaleString('en-US')} connections, ${RATE_PER_S} messages a second, each answered with Redis`,
      ],
    };
  });
}

export const nap: Benchmark = {
  name: 'nap',
  what: 'a server to which next to nothing comes: its share of a core, and how soon it answers',
  measure,
};
