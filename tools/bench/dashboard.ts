// `dashboard`: what it costs a server that somebody looks at it: CPU of iotepserver's threads with no page, with one, and while its
// connections are listed each second.
// In: a number of connections, which are held the whole time while a few messages come. Out: for each the shares of a core that the
// control thread, the app thread and the stack thread take, over the window. One server and one generator for all of it: opening
// ten million takes minutes. The reader asks as the page does, by the control socket, which reads nothing while nobody asks.
import { setTimeout as sleep } from 'node:timers/promises';
import type { ConnectionsFound } from '../../stack/connection-list.js';
import { PHASES } from '../mcc/native.js';
import { ProgramClient } from '../qstack/program-client.js';
import { redisDown, redisUp } from '../redis/servers.js';
import { Generator } from '../start/generator.js';
import { Server } from '../start/server.js';
import {
  type Benchmark,
  type Context,
  interleaved,
  medianOf,
  type Result,
  type Row,
  type Sample,
} from './benchmark.js';
import { withFolder } from './places.js';
import { PERIOD_MS, SnapshotReader } from './snapshots.js';
import { rounded } from './statistics.js';
import { ranNanoseconds } from './threads.js';

const CONNECTIONS = 100_000;
const RATE_PER_S = 1_000;
const PACKETS = 8_192;
/** Without a question for ten seconds the server reads nothing any more; a window below a second is for correctness. */
const quietMs = ({ seconds }: Context) => (seconds < 1 ? 0 : 12_000);
/** At least so many connections a second are opened. */
const PACE_PER_S = 20_000;
/** Of a core, for the page. */
const AIM = 0.01;

const CLOSED = 'nobody looks';
const OPEN = 'the page is open';
const LISTED = 'the page is open, and connections are listed each second';

interface Ran {
  readonly control: number;
  readonly app: number;
  readonly stack: number;
  readonly all: number;
}

/** Seconds, since the process began. */
function ranOf(pid: number): Ran {
  const threads = ranNanoseconds(pid);
  const sum = (some: typeof threads) => some.reduce((total, { ns }) => total + ns, 0) / 1e9;
  const named = (prefix: string) => sum(threads.filter(({ thread }) => thread.startsWith(prefix)));
  return {
    control: sum(threads.slice(0, 1)),
    app: named('qstack-app'),
    stack: named('qstack-stack'),
    all: sum(threads),
  };
}

/** The window, in the state that `begin` makes. */
async function window(pid: number, { seconds }: Context): Promise<Sample> {
  const [began, before] = [performance.now(), ranOf(pid)];
  await sleep(1_000 * seconds);
  const [tookS, after] = [(performance.now() - began) / 1_000, ranOf(pid)];
  const share = (of: keyof Ran) => (after[of] - before[of]) / tookS;
  return { cores: share('all'), control_cores: share('control'), app_cores: share('app'), stack_cores: share('stack') };
}

async function watched(pid: number, lists: boolean, context: Context): Promise<Sample> {
  const client = new ProgramClient({ pid });
  const list = () => client.get<ConnectionsFound>('/api/connections?limit=100');
  const reader = lists ? new SnapshotReader(client, list) : new SnapshotReader(client);
  try {
    await sleep(Math.min(2 * PERIOD_MS, 1_000 * context.seconds));
    return await window(pid, context);
  } finally {
    await reader.stop();
  }
}

async function alone(pid: number, context: Context): Promise<Sample> {
  await sleep(quietMs(context));
  return window(pid, context);
}

/** All connections stand, and messages come. */
async function underLoad(folder: string, connections: number, context: Context): Promise<Generator> {
  let tell: () => void = () => {};
  const running = new Promise<'running'>((done) => {
    tell = () => done('running');
  });
  const limitS = 60 + Math.ceil(connections / PACE_PER_S);
  const generator = new Generator({
    ...{ folder, connections, highShare: 0.5, seed: context.seed, say: context.say },
    phases: `paced:${RATE_PER_S}/100000s`,
    flags: { '-s': '1', '-w': '1', '--packets': `${PACKETS}`, '--connect-limit': `${limitS}` },
    onView: ({ phase }) => PHASES[phase] === 'running' && tell(),
  });
  if ((await Promise.race([running, generator.child.ended])) === 'running') return generator;
  throw new Error(generator.child.failure());
}

function rowsOf(connections: number, context: Context): Promise<Row[]> {
  return withFolder(async (folder) => {
    const redisFolder = `${folder}/redis`;
    let server: Server | undefined;
    let generator: Generator | undefined;
    try {
      const redis = await redisUp(1, redisFolder);
      // A thread that polls without a pause is always busy: what it does more would not be seen.
      const lines = ['arrangement = separate', 'poll = sleep', 'drain_timeout = 1s'];
      server = await Server.start(
        { folder, connections, redis, packets: PACKETS, priorities: true, lines },
        context.say,
      );
      const { pid } = server.child;
      generator = await underLoad(folder, connections, context);
      const contenders = [
        { name: CLOSED, run: () => alone(pid, context) },
        { name: OPEN, run: () => watched(pid, false, context) },
        { name: LISTED, run: () => watched(pid, true, context) },
      ];
      return await interleaved(contenders, context);
    } finally {
      generator?.child.signal('SIGKILL');
      await generator?.child.ended;
      await server?.child.stop();
      await redisDown(redisFolder);
    }
  });
}

async function measure(context: Context): Promise<Result> {
  const connections = context.connections.at(-1) ?? CONNECTIONS;
  const rows = await rowsOf(connections, context);
  const more = (name: string, column = 'cores') =>
    rounded(medianOf(rows, name, column) - medianOf(rows, CLOSED, column));
  return {
    rows,
    values: {
      connections,
      page_cores: more(OPEN),
      page_control_cores: more(OPEN, 'control_cores'),
      listing_cores: more(LISTED),
    },
    charts: [],
    notes: [
      `${connections.toLocaleString('en-US')} connections, ${RATE_PER_S.toLocaleString('en-US')} messages a second; shares of a core of all of iotepserver’s threads, with poll = sleep`,
      `page_cores is what a page takes beyond nobody; aimed at: at most ${AIM}`,
    ],
  };
}

export const dashboard: Benchmark = {
  name: 'dashboard',
  what: 'CPU of a server that is looked at, and of one that is not; --connections says how many it holds',
  measure,
};
