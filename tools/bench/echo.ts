// `echo`: a reply of 64 bytes to each request of 200, closed loop: every connection has one request under way.
// Ours over memif, the handler in TypeScript or native; beside it the kernel over loopback in a namespace of its own, with an
// epoll server in C and with node:net. Each generator is one thread on the same stack as the server that it measures.
import {
  type Benchmark,
  type Context,
  interleaved,
  medianOf,
  type Result,
  type Row,
  type Sample,
} from './benchmark.js';
import { Namespace } from './namespaces.js';
import { nativeEnd, nodeProgram, peerProgram, withFolder } from './places.js';
import { framesOverMemif } from './port.js';
import { rounded } from './statistics.js';
import type { Series } from './svg.js';
import { CLIENT, KERNEL_PORTS, kernelServer, type Peer, PORT, SERVER, transact, windowMs } from './transact.js';

const WARM_UP_MS = 300;
const CONNECTIONS = [1, 1_000];
const SWEEP = [1, 10, 100, 1_000, 10_000, 100_000];
/** The kernel's client has one process, with at most 20,000 files where the limit is usual. */
const KERNEL_MOST = 10_000;
/** One address has 64 Ki ports, and fewer that are free. */
const PER_ADDRESS = 25_000;

const warmUpMs = (context: Context) => Math.min(WARM_UP_MS, windowMs(context));

function ours(kind: 'native' | 'busy' | 'typescript', connections: number, context: Context): Promise<Sample> {
  return withFolder((folder) => {
    const socket = `${folder}/echo.sock`;
    const device = ['device=memif', `socket=${socket}`, `connections=${connections}`, 'prefix=16'];
    const shape = [...device, 'rx_packets=32768', 'tx_packets=32768', `poll=${kind === 'busy' ? 'busy' : 'yield'}`];
    const times = [`warm_up_ms=${warmUpMs(context)}`, `window_ms=${windowMs(context)}`];
    const addresses = `addresses=${Math.ceil(connections / PER_ADDRESS)}`;
    const client = nativeEnd('echo-client', `address=${CLIENT}`, addresses, `to=${SERVER}`, ...shape, ...times);
    const native = nativeEnd('echo-server', `address=${SERVER}`, ...shape, 'role=server');
    const place = [`memif:${socket}?server`, `${SERVER}/16`, `${PORT}`, `${connections}`];
    const typescript = [...nodeProgram('tools/bench/ends/echo-server.js'), ...place];
    return transact(kind === 'typescript' ? typescript : native, client);
  });
}

async function kernel(kind: Peer, connections: number, context: Context): Promise<Sample> {
  const namespace = Namespace.make();
  try {
    namespace.run('sysctl', '-qw', ...KERNEL_PORTS);
    const numbers = [PORT, connections, warmUpMs(context), windowMs(context)].map(String);
    const client = namespace.command(peerProgram('echo'), 'client', '127.0.0.1', ...numbers);
    return await transact(namespace.command(...kernelServer(kind)), client);
  } finally {
    namespace.remove();
  }
}

const WAYS = {
  native: (n: number, context: Context) => ours('native', n, context),
  'native, poll = busy': (n: number, context: Context) => ours('busy', n, context),
  typescript: (n: number, context: Context) => ours('typescript', n, context),
  'kernel, epoll in C': (n: number, context: Context) => kernel('epoll', n, context),
  'kernel, node:net': (n: number, context: Context) => kernel('node', n, context),
} as const;
type Way = keyof typeof WAYS;

function contenders(context: Context, counts: readonly number[], hasKernel: boolean) {
  const ways = (Object.keys(WAYS) as Way[]).filter((way) => hasKernel || !way.startsWith('kernel'));
  return counts.flatMap((n) =>
    ways
      .filter((way) => n <= KERNEL_MOST || !way.startsWith('kernel'))
      .map((way) => ({ name: nameOf(way, n), run: () => WAYS[way](n, context) })),
  );
}

function nameOf(way: Way, connections: number): string {
  return `${way}, ${connections.toLocaleString('en-US')} connection${connections === 1 ? '' : 's'}`;
}

function valuesOf(rows: readonly Row[], framesPerS: number): Record<string, number> {
  const [one = 1, many = 1] = CONNECTIONS;
  const rate = (way: Way, n = many) => medianOf(rows, nameOf(way, n), 'requests_per_s');
  const half = (way: Way) => medianOf(rows, nameOf(way, one), 'p50_us');
  const values = {
    requests_per_s: rate('typescript'),
    native_requests_per_s: rate('native'),
    kernel_requests_per_s: rate('kernel, epoll in C'),
    node_requests_per_s: rate('kernel, node:net'),
    ratio_to_kernel: rate('typescript') / rate('kernel, epoll in C'),
    native_ratio_to_kernel: rate('native') / rate('kernel, epoll in C'),
    ratio_to_node: rate('typescript') / rate('kernel, node:net'),
    ratio_to_port: rate('typescript') / framesPerS,
    cpu_us_per_request: medianOf(rows, nameOf('typescript', many), 'cpu_us_per_request'),
    p50_us_1_connection: half('typescript'),
    native_p50_us_1_connection: half('native'),
    busy_p50_us_1_connection: half('native, poll = busy'),
    kernel_p50_us_1_connection: half('kernel, epoll in C'),
  };
  return Object.fromEntries(Object.entries(values).map(([key, value]) => [key, rounded(value)]));
}

function seriesOf(rows: readonly Row[], counts: readonly number[]): Series[] {
  return (Object.keys(WAYS) as Way[])
    .map((way) => {
      const points = counts.map((n) => [n, medianOf(rows, nameOf(way, n), 'requests_per_s')] as const);
      return { name: way, points: points.filter(([, rate]) => Number.isFinite(rate)) };
    })
    .filter(({ points }) => points.length > 0);
}

async function measure(context: Context): Promise<Result> {
  const missing = Namespace.missing();
  const counts = context.sweep ? SWEEP : CONNECTIONS;
  const rows = await interleaved(contenders(context, counts, missing === undefined), context);
  const frames = await framesOverMemif(context, 512);
  const axes = { x: 'connections', y: 'requests a second', logarithmicX: true };
  const chart = { name: 'echo-connections', title: 'Echo of 200 by 64 bytes, closed loop', ...axes };
  return {
    rows,
    values: valuesOf(rows, frames.frames_per_s ?? Number.NaN),
    charts: context.sweep ? [{ ...chart, series: seriesOf(rows, counts) }] : [],
    notes: [
      'the ratios are those at 1,000 connections, with the handler in TypeScript unless they say native',
      ...(missing === undefined ? [] : [`without kernel peers: ${missing}`]),
    ],
  };
}

export const echo: Benchmark = {
  name: 'echo',
  what: 'requests of 200 bytes, replies of 64, closed loop; with --sweep over 1 to 100,000 connections',
  measure,
};
