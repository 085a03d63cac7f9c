// `flood`: a server under SYNs from random addresses that nobody answers for. Connections that are open ask for half of what
// the server can answer, open loop; and others open while the flood goes on. Beside it the same without a flood.
// echo_server and mcc are the programs that people run, each a process of its own, over memif.
import type { Report, RunReport } from '../mcc/report.js';
import { Child } from '../start/child.js';
import { type Benchmark, type Context, interleaved, medianOf, type Result, type Sample } from './benchmark.js';
import { nodeProgram, withFolder } from './places.js';
import { End } from './process.js';
import { rounded } from './statistics.js';

const SERVER = '10.0.0.1';
const PORT = '7';
const CONNECTIONS = 10_000;
/** Batches of connections, one a second. */
const SETUP_S = 2;
/** Opened in the flood: the server answers some SYNs only, and a peer repeats its own after 1, 2, 4 s (RFC 6298). */
const NEWCOMERS = 10;
const NEWCOMERS_LIMIT_S = 60;
const SYNS_PER_S = 1_000_000;
const CAPACITY_S = 3;
/** Over what the runs take. */
const LIMIT_MS = 120_000;

/** A window below a second is for correctness: a small flood, and a short look at the capacity. */
const smallness = ({ seconds }: Context) => Math.min(1, seconds);
const floodRate = (context: Context) => `${Math.round(SYNS_PER_S * smallness(context))}/s`;
const capacityPhase = (context: Context) => `capacity:${Math.max(1, Math.round(CAPACITY_S * smallness(context)))}s`;

/** One mcc to its end. */
async function mcc(socket: string, seed: number, flags: readonly string[]): Promise<Report> {
  const place = ['--socket', socket, '--dest', SERVER, '--port', PORT, '--reply', 'echo', '--answer', 'all'];
  const command = [...nodeProgram('tools/mcc/main.js'), ...place, '-l', '200', '--seed', `${seed}`, ...flags];
  let json = '';
  const onLine = (line: string, from: 'stdout' | 'stderr') => {
    if (from === 'stdout') json += line;
  };
  const child = new Child({ name: 'mcc', command: [...command, '--json', '--quiet'], onLine });
  const watchdog = setTimeout(() => child.signal('SIGKILL'), LIMIT_MS);
  const code = await child.ended;
  clearTimeout(watchdog);
  if (code !== 0 || json === '') throw new Error(child.failure());
  return JSON.parse(json) as Report;
}

function sum({ levels }: RunReport, of: 'offered' | 'answered'): number {
  return levels.reduce((total, level) => total + level[of], 0);
}

/** Half of the capacity on connections that stand when the flood begins. */
async function load(socket: string, context: Context, flooded: boolean): Promise<Sample> {
  const flood = flooded ? [`flood:${floodRate(context)}`] : [];
  const phases = [capacityPhase(context), ...flood, `paced:50%/${context.seconds}s`].join(',');
  const shape = ['-c', `${CONNECTIONS}`, '-s', `${SETUP_S}`, '-w', '1'];
  const report = await mcc(socket, context.seed, [...shape, '--phases', phases]);
  const run = report.phases.at(-1) ?? report;
  const [level] = run.levels;
  return {
    capacity_per_s: report.capacity_per_s ?? Number.NaN,
    // Answers that are late are waited for, and the flood goes on meanwhile: where there are many, this is too much.
    syns_per_s: (report.stack.flood_sent ?? 0) / run.duration_s,
    offered_per_s: run.offered_per_s,
    answered_share: sum(run, 'answered') / sum(run, 'offered'),
    p50_us: level?.p50_us ?? Number.NaN,
    p99_us: level?.p99_us ?? Number.NaN,
  };
}

/** How long the last of the newcomers took; mcc fails when one does not get in at all. */
async function newcomers(socket: string, context: Context, flooded: boolean): Promise<Sample> {
  const flood = flooded ? ['--flood', 'syn', '--flood-rate', floodRate(context)] : [];
  const shape = ['-c', `${NEWCOMERS}`, '-s', '1', '--connect-limit', `${NEWCOMERS_LIMIT_S}`, '-w', '0'];
  const report = await mcc(socket, context.seed, [...shape, ...flood, '--phases', 'paced:1000/s/1s']);
  return { newcomers_s: report.setup_s, newcomers_answered_share: sum(report, 'answered') / sum(report, 'offered') };
}

/** A fresh server for each run. */
function contender(context: Context, flooded: boolean): Promise<Sample> {
  return withFolder(async (folder) => {
    const socket = `${folder}/flood.sock`;
    const place = ['--device', `memif:${socket}?server`, '--host-ip', `${SERVER}/16`, '--port', PORT];
    const shape = ['--http-port', '0', '--max-concurrency', `${2 * CONNECTIONS}`];
    const command = [...nodeProgram('apps/echo_server/main.js'), ...place, ...shape];
    const server = new End('the server', command, 'listening');
    try {
      await server.start();
      return { ...(await load(socket, context, flooded)), ...(await newcomers(socket, context, flooded)) };
    } finally {
      await server.stop();
    }
  });
}

async function measure(context: Context): Promise<Result> {
  const rows = await interleaved(
    [
      { name: 'half load', run: () => contender(context, false) },
      { name: 'half load in a flood', run: () => contender(context, true) },
    ],
    context,
  );
  const inFlood = (column: string) => rounded(medianOf(rows, 'half load in a flood', column));
  return {
    rows,
    values: {
      syns_per_s: inFlood('syns_per_s'),
      answered_share: inFlood('answered_share'),
      p99_us: inFlood('p99_us'),
      newcomers_s: inFlood('newcomers_s'),
      newcomers_answered_share: inFlood('newcomers_answered_share'),
      calm_answered_share: rounded(medianOf(rows, 'half load', 'answered_share')),
      calm_p99_us: rounded(medianOf(rows, 'half load', 'p99_us')),
    },
    charts: [],
    notes: [
      `a flood of ${floodRate(context)} is asked for; syns_per_s is what left for the server`,
      `${CONNECTIONS.toLocaleString('en-US')} connections; newcomers_s: until ${NEWCOMERS} more had opened in the flood`,
      'the flood is made on the same cores as the load and the answers',
    ],
  };
}

export const flood: Benchmark = {
  name: 'flood',
  what: 'half load, and new connections, through a SYN flood of 1M/s',
  measure,
};
