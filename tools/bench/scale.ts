// `scale`: what a message costs as connections become many: echo_server without Redis, with one stack thread and one app thread and
// with two of each, under mcc over memif. In: numbers of connections. Out: CPU time per message of all threads of the server, at
// each of them.
// Closed loop: so many messages are under way, each on the connection whose turn it is, so that with many connections none of
// them is in a cache any more when its turn comes again. What does not belong to connections, such as packets, is the same
// everywhere.
import { writeFileSync } from 'node:fs';
import { PHASES, type View } from '../mcc/native.js';
import {
  type Benchmark,
  type Context,
  interleaved,
  medianOf,
  type Result,
  type Row,
  type Sample,
} from './benchmark.js';
import { EchoRig } from './echo-rig.js';
import { machineBusySeconds } from './machine.js';
import { rounded } from './statistics.js';
import { ranNanoseconds } from './threads.js';

const CONNECTIONS = [1_000, 10_000, 100_000, 1_000_000];
/** Stack threads, and as many app threads. */
const THREADS = [1, 2];
const UNDER_WAY = 1_000;
const PACKETS = '32768';
/** Before the window; a window below a second is for correctness, and has none. */
const WARM_UP_MS = 1_000;
/** At least so many connections a second are opened. */
const PACE_PER_S = 20_000;
/** The ratio of the largest to the smallest that is aimed at. */
const AIM = 1.5;

/** How long all threads of a process have run. */
function cpuNanoseconds(pid: number): number {
  return ranNanoseconds(pid).reduce((sum, { ns }) => sum + ns, 0);
}

interface Mark {
  /** The run has begun. */
  readonly begun: boolean;
  readonly ms: number;
  readonly answered: number;
  readonly serverNs: number;
  readonly busyS: number;
}

/** Looks at the server whenever mcc tells how far it is. */
class Watch {
  private readonly marks: Mark[] = [];
  /** Number of no run, as views have it before there is one. */
  private runBefore: number | undefined;
  private over = false;

  constructor(private readonly pid: number) {}

  look({ phase, run, levels }: View): void {
    const name = PHASES[phase];
    if (this.over || name === 'idle' || name === 'connecting') return;
    this.runBefore ??= run;
    const begun = run !== this.runBefore;
    // A drain may be over before it is seen.
    this.over = begun && name !== 'running';
    const answered = begun ? levels.reduce((sum, level) => sum + level.answered, 0) : 0;
    const [serverNs, busyS] = [cpuNanoseconds(this.pid), machineBusySeconds()];
    this.marks.push({ begun, ms: performance.now(), answered, serverNs, busyS });
  }

  /** From the first mark behind the warm-up to the last one. A short run may be over before it is seen to begin. */
  sample(warmUpMs: number): Sample {
    const before = this.marks.slice(0, -1);
    const began = before.find(({ begun }) => begun) ?? before.at(-1);
    const first = this.marks.find(({ ms }) => ms >= (began?.ms ?? 0) + 0.9 * warmUpMs);
    const last = this.marks.at(-1);
    if (first === undefined || last === undefined || last.answered <= first.answered) {
      throw new Error('no message was answered in the window');
    }
    const messages = last.answered - first.answered;
    return {
      cpu_ns_per_message: (last.serverNs - first.serverNs) / messages,
      machine_cpu_ns_per_message: ((last.busyS - first.busyS) * 1e9) / messages,
      messages_per_s: (messages * 1_000) / (last.ms - first.ms),
    };
  }
}

function phaseOf({ seconds }: Context, connections: number): { phases: string; warmUpMs: number } {
  const warmUpMs = seconds < 1 ? 0 : WARM_UP_MS;
  return { phases: `capacity:${Math.min(UNDER_WAY, connections)}/${seconds + warmUpMs / 1_000}s`, warmUpMs };
}

function echoed(connections: number, threads: number, context: Context): Promise<Sample> {
  const flagsIn = (folder: string) => {
    const file = `${folder}/scale.conf`;
    writeFileSync(file, `stack_thread = ${threads}\napp_thread = ${threads}\n`);
    return ['-f', file, '--max-num-buffers', PACKETS];
  };
  const work = async (rig: EchoRig) => {
    const watch = new Watch(rig.pid);
    const { phases, warmUpMs } = phaseOf(context, connections);
    const limitS = 60 + Math.ceil(connections / PACE_PER_S);
    const flags = { '--packets': PACKETS, '--connect-limit': `${limitS}` };
    await rig.load({ phases, seed: context.seed, flags, onView: (view) => watch.look(view) });
    return watch.sample(warmUpMs);
  };
  return EchoRig.with(connections, flagsIn, work);
}

const threadsText = (threads: number) =>
  threads === 1 ? 'one stack and app thread' : `${threads} stack and app threads`;

const nameOf = (connections: number, threads: number) =>
  `${connections.toLocaleString('en-US')} connections, ${threadsText(threads)}`;

function valuesOf(rows: readonly Row[], counts: readonly number[]): Result['values'] {
  const cost = (n: number | undefined, threads: number) =>
    medianOf(rows, nameOf(n ?? 0, threads), 'cpu_ns_per_message');
  const costs = (threads: number) => Object.fromEntries(counts.map((n) => [n, rounded(cost(n, threads))]));
  return {
    cpu_ns_per_message: costs(1),
    cpu_ns_per_message_two_threads: costs(2),
    ratio: rounded(cost(counts.at(-1), 1) / cost(counts[0], 1)),
    ratio_two_threads: rounded(cost(counts.at(-1), 2) / cost(counts[0], 2)),
  };
}

async function measure(context: Context): Promise<Result> {
  const counts = context.connections.length > 0 ? [...context.connections].sort((a, b) => a - b) : CONNECTIONS;
  const contenders = THREADS.flatMap((threads) =>
    counts.map((n) => ({ name: nameOf(n, threads), run: () => echoed(n, threads, context) })),
  );
  const rows = await interleaved(contenders, context);
  const points = (column: string, threads: number) =>
    counts.map((n) => [n, medianOf(rows, nameOf(n, threads), column)] as const);
  return {
    rows,
    values: valuesOf(rows, counts),
    charts: [
      {
        name: 'scale-connections',
        title: 'CPU time per echoed message of 200 bytes',
        x: 'connections',
        y: 'ns',
        logarithmicX: true,
        series: [
          ...THREADS.map((threads) => ({
            name: `the server, ${threadsText(threads)}`,
            points: points('cpu_ns_per_message', threads),
          })),
          { name: 'everything on the machine, one of each', points: points('machine_cpu_ns_per_message', 1) },
        ],
      },
    ],
    notes: [
      `${UNDER_WAY.toLocaleString('en-US')} messages under way, the connections in turns`,
      `ratio is that of the largest number of connections to the smallest; aimed at: at most ${AIM} from 1,000 to 10,000,000`,
    ],
  };
}

export const scale: Benchmark = {
  name: 'scale',
  what: 'CPU time of an echoed message over the number of connections; --connections says which',
  measure,
};
