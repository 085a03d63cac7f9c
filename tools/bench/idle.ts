// `idle`: what a connection costs in memory while nothing is sent on it: iotepserver and mcc, each with its stack, and the
// kernel under an epoll server in C and under node:net.
// In: numbers of connections. Out: for each what N connections take more than 1,000 do, divided by N - 1,000, where the same
// programs, planned for N and for 1,000, hold them with the same packets. Ours is all memory of the process; of the kernel's
// servers it is that of all their processes and the slab. Their peer is mcc over a tap, so the slab has one end of each.
import type { ChildProcess } from 'node:child_process';
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { LEVELS } from '../../apps/iotepserver/server.js';
import { settingsOrThrow } from '../../stack/config/load.js';
import { planOf } from '../../stack/native-options.js';
import { mccCommand } from '../mcc/command.js';
import { readOptions } from '../mcc/options.js';
import { type MccPlan, planOf as mccPlanOf } from '../mcc/plan.js';
import { redisDown, redisUp } from '../redis/servers.js';
import { Generator, generatorArguments, type Load } from '../start/generator.js';
import { type Memory, processBytes, processMemory } from '../start/memory.js';
import { Server } from '../start/server.js';
import {
  type Benchmark,
  type Context,
  interleavedSurveys,
  type Result,
  type Row,
  type Sample,
  type Survey,
} from './benchmark.js';
import { Namespace } from './namespaces.js';
import { nodeProgram, peerProgram, withFolder } from './places.js';
import { End } from './process.js';
import { rounded } from './statistics.js';

const BASELINE = 1_000;
const CONNECTIONS = 100_000;
/** More of the kernel's would need more memory than this is worth, and say the same. */
const KERNEL_MOST = 100_000;
/** Of each process, below the usual limit of files. */
const PER_PROCESS = 15_000;
/** Of the server each way, and of mcc to send with, whatever the number of connections. */
const PACKETS = 8_192;
/** Lines of a plan that are no pools: what is left of a measured sum without them is theirs. */
const PROGRAM_ITEMS = ['program', 'app threads'];
/** What was needed to open is given back meanwhile. A window below a second, of which there is none here, is for correctness. */
const settleMs = ({ seconds }: Context) => Math.min(1_500, 1_000 * seconds);
const LINK = 'qidle';
const SERVER = '10.78.0.1';
const CLIENT = '10.78.0.2';
const PORT = 5_201;
const PORTS_PER_ADDRESS = 60_000;
const POLL_MS = 200;
const LIMIT_MS = 30_000;
/** At least so many connections a second are opened. */
const PACE_PER_S = 20_000;

interface Held {
  readonly bytes: number;
  /** Of the kernel, a part of them. */
  readonly slab: number;
}

const counted = (n: number) => n.toLocaleString('en-US');

function sum(numbers: readonly number[]): number {
  return numbers.reduce((all, one) => all + one, 0);
}

async function until(what: string, done: () => boolean): Promise<void> {
  const endMs = Date.now() + LIMIT_MS;
  while (!done()) {
    if (Date.now() > endMs) throw new Error(`${what} within ${LIMIT_MS / 1_000} s`);
    await sleep(POLL_MS);
  }
}

type Part = Omit<Load, 'phases' | 'highShare' | 'seed' | 'say'>;

function loadOf(context: Context, part: Part): Load {
  const limitS = 60 + Math.ceil(part.connections / PACE_PER_S);
  const flags = { '-s': '1', '-w': '100000', '--packets': `${PACKETS}`, '--connect-limit': `${limitS}`, ...part.flags };
  return { phases: 'paced:1/1s', highShare: 0.5, say: () => {}, seed: context.seed, ...part, flags };
}

/** mcc with all connections open and nothing sent; `work` has to do with that state. It is ended then. */
async function whileIdle<T>(context: Context, part: Part, work: (pid: number) => Promise<T>): Promise<T> {
  let tell: (what: 'idle') => void = () => {};
  const idle = new Promise<'idle'>((done) => {
    tell = done;
  });
  const { child } = new Generator({ ...loadOf(context, part), onIdle: () => tell('idle') });
  try {
    if ((await Promise.race([idle, child.ended])) !== 'idle') throw new Error(child.failure());
    await sleep(settleMs(context));
    return await work(child.pid);
  } finally {
    child.signal('SIGKILL');
    await child.ended;
  }
}

/** Of one process: what is measured, and what `--plan` says of the same configuration. */
interface Kept extends Memory {
  readonly planned: number;
  /** Of `planned`, what is no pool. */
  readonly program: number;
}

interface Pair {
  readonly server: Kept;
  readonly mcc: Kept;
}

type Planned = Omit<Kept, keyof Memory>;

function plannedOf({ items }: Pick<MccPlan, 'items'>): Planned {
  const atStart = items.filter((item) => item.atStart);
  const bytesOf = (some: typeof items) => sum(some.map(({ bytes }) => bytes));
  return { planned: bytesOf(atStart), program: bytesOf(atStart.filter(({ name }) => PROGRAM_ITEMS.includes(name))) };
}

function serverPlan(folder: string): Planned {
  return plannedOf(planOf(settingsOrThrow({ file: join(folder, 'iotepserver.conf') }), LEVELS.length));
}

function mccPlan(load: Load): Planned {
  const command = mccCommand();
  command.parse(generatorArguments(load), { from: 'user' });
  const { options, faults } = readOptions(command.opts());
  if (options === undefined) throw new Error(faults.join('\n'));
  return plannedOf(mccPlanOf(options));
}

/** iotepserver and mcc, planned for so many connections and holding them. */
function ours(connections: number, context: Context): Promise<Pair> {
  return withFolder(async (folder) => {
    const processes: ChildProcess[] = [];
    const redisFolder = join(folder, 'redis');
    let server: Server | undefined;
    try {
      const redis = await redisUp(1, redisFolder, { foreground: processes });
      const shape = { folder, connections, redis, packets: PACKETS, priorities: true };
      server = await Server.start({ ...shape, lines: ['drain_timeout = 1s'] }, () => {});
      const { pid } = server.child;
      const part = { folder, connections };
      return await whileIdle(context, part, async (mcc) => ({
        server: { ...processMemory(pid), ...serverPlan(folder) },
        mcc: { ...processMemory(mcc), ...mccPlan(loadOf(context, part)) },
      }));
    } finally {
      await server?.child.stop();
      await redisDown(redisFolder);
    }
  });
}

function slabBytes(): number {
  return Number(/^Slab:\s+(\d+) kB/m.exec(readFileSync('/proc/meminfo', 'utf8'))?.[1] ?? Number.NaN) * 1_024;
}

/** Sockets of a process that runs; one that listens is among them. */
function socketsOf(pid: number): number {
  const files = readdirSync(`/proc/${pid}/fd`).map((file) => readlinkSync(`/proc/${pid}/fd/${file}`));
  return files.filter((what) => what.startsWith('socket:')).length;
}

/** Servers on the kernel's TCP, together holding so many connections of mcc over a tap. */
async function kernel(
  command: readonly string[],
  connections: number,
  processes: number,
  context: Context,
): Promise<Held> {
  const namespace = Namespace.make();
  const listeners = [peerProgram('listeners'), `${PORT}`, `${processes}`, ...command];
  const server = new End('the server', namespace.command(...listeners));
  try {
    await server.start();
    await sleep(settleMs(context));
    const pids = server.words.map(Number);
    const before = slabBytes();
    const place = {
      '--device': `tap:${LINK}`,
      '--dest': SERVER,
      '--source': CLIENT,
      '--prefix': '24',
      '--port': `${PORT}`,
    };
    const flags = { ...place, '--ips': `${Math.ceil(connections / PORTS_PER_ADDRESS)}` };
    const within = namespace.command();
    const idle = whileIdle(context, { folder: '', connections, flags, within }, async () => {
      await until(
        'the servers did not accept all connections',
        () => sum(pids.map(socketsOf)) >= connections + processes,
      );
      const slab = slabBytes() - before;
      return { bytes: slab + sum(pids.map(processBytes)), slab };
    });
    // mcc makes the tap, and tries until somebody is behind it.
    const linked = until('mcc made no tap', () => namespace.has(LINK)).then(() => {
      namespace.offloadsOff(LINK);
      namespace.giveAddress(LINK, SERVER);
    });
    return (await Promise.all([idle, linked]))[0];
  } finally {
    await server.stop();
    namespace.remove();
  }
}

const SERVERS = {
  'kernel, epoll in C': ['hold'],
  'kernel, node:net': [...nodeProgram('tools/bench/ends/echo-node.js'), 'fd3'],
} as const;
type KernelName = keyof typeof SERVERS;

function rowName(who: string, connections: number): string {
  return `${who}, ${counted(connections)}`;
}

function each(bytes: number, before: number, connections: number): number {
  return (bytes - before) / (connections - BASELINE);
}

const MIB = 2 ** 20;

function sampleOf(many: Kept, few: Kept, connections: number): Sample {
  return {
    bytes_per_connection: each(many.bytes, few.bytes, connections),
    mib: many.bytes / MIB,
    own_mib: many.own / MIB,
    planned_mib: many.planned / MIB,
    planned_of_measured: many.planned / many.own,
    few_planned_of_measured: few.planned / few.own,
    program_mib: (few.own - few.planned + few.program) / MIB,
  };
}

function ourSurvey(counts: readonly number[], context: Context): Survey {
  const run = async () => {
    const rows: Record<string, Sample> = {};
    const few = await ours(BASELINE, context);
    for (const n of counts) {
      const many = await ours(n, context);
      rows[rowName('iotepserver', n)] = sampleOf(many.server, few.server, n);
      rows[rowName('mcc', n)] = sampleOf(many.mcc, few.mcc, n);
    }
    return rows;
  };
  return { name: 'ours', run };
}

function kernelSurvey(name: KernelName, connections: number, context: Context): Survey {
  const processes = Math.ceil(connections / PER_PROCESS);
  const run = async () => {
    const few = await kernel(SERVERS[name], BASELINE, processes, context);
    const many = await kernel(SERVERS[name], connections, processes, context);
    const slab = each(many.slab, few.slab, connections);
    const bytes = each(many.bytes, few.bytes, connections);
    return {
      [rowName(name, connections)]: { bytes_per_connection: bytes, slab_per_connection: slab, mib: many.bytes / MIB },
    };
  };
  return { name, run };
}

function valuesOf(rows: readonly Row[], most: number, mostOfKernel: number): Result['values'] {
  const of = (who: string, n: number, column = 'bytes_per_connection') =>
    rounded(rows.find(({ name }) => name === rowName(who, n))?.figures[column]?.median ?? Number.NaN);
  const server = of('iotepserver', most);
  const epoll = of('kernel, epoll in C', mostOfKernel);
  const node = of('kernel, node:net', mostOfKernel);
  const kernelAlone = of('kernel, epoll in C', mostOfKernel, 'slab_per_connection');
  return {
    bytes_per_connection: { iotepserver: server, mcc: of('mcc', most), kernel: epoll, node },
    kernel_alone_ratio: rounded(kernelAlone / server),
    node_ratio: rounded(node / server),
    planned_of_measured: {
      iotepserver: of('iotepserver', most, 'planned_of_measured'),
      mcc: of('mcc', most, 'planned_of_measured'),
    },
  };
}

async function measure(context: Context): Promise<Result> {
  const counts = context.connections.length > 0 ? [...context.connections].sort((a, b) => a - b) : [CONNECTIONS];
  if (counts.some((n) => n <= BASELINE)) {
    throw new Error(`--connections: more than ${counted(BASELINE)} are needed, which is what others are compared with`);
  }
  const most = counts.at(-1) ?? CONNECTIONS;
  const mostOfKernel = Math.min(most, KERNEL_MOST);
  const missing = Namespace.missing();
  const names = missing === undefined ? (Object.keys(SERVERS) as KernelName[]) : [];
  const kernels = names.map((name) => kernelSurvey(name, mostOfKernel, context));
  const rows = await interleavedSurveys([ourSurvey(counts, context), ...kernels], context);
  return {
    rows,
    values: valuesOf(rows, most, mostOfKernel),
    charts: [],
    notes: [
      `what N idle connections take beyond ${counted(BASELINE)}, divided by N - ${counted(BASELINE)}; ${counted(PACKETS)} packets each way in the server, and for mcc to send with`,
      `own_mib leaves out pages of files, such as program text; planned_mib is what --plan says of the start; few_planned_of_measured is the same ratio at ${counted(BASELINE)}, and program_mib what is measured there beside the pools`,
      'aimed at: at most 256 B, mcc 384 B, and the plan within 5 % of what is measured',
      `the kernel: slab and all processes, at most ${counted(PER_PROCESS)} connections a process; its peer is mcc over a tap`,
      ...(missing === undefined ? [] : [`without kernel peers: ${missing}`]),
    ],
  };
}

export const idle: Benchmark = {
  name: 'idle',
  what: 'memory of connections on which nothing happens; --connections says how many',
  measure,
};
