// `connect`: open, one request of 200 bytes, one reply of 64, close; closed loop: so many of these are under way at a time.
// Ours over memif, the handler in TypeScript or native. The kernel's servers, epoll in C and node:net, are met twice: by the
// same generator over a tap, and by a generator on the kernel's own sockets over loopback. The faster way counts as theirs.
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
import { rounded } from './statistics.js';
import { CLIENT, KERNEL_PORTS, kernelServer, type Peer, PORT, SERVER, transact, windowMs } from './transact.js';

const LINK = 'qconnect';
const UNDER_WAY = 1_000;
/** From which we open in turns: each pair of address and port rests longer than TIME-WAIT. */
const ADDRESSES = 32;
const TIME_WAIT_MS = 1_000;
/** As many as close within TIME-WAIT: a million a second. */
const TIME_WAIT_RECORDS = 1_048_576;
/** Longer than TIME-WAIT, so that the window has as many of its records as any other second. */
const WARM_UP_MS = 1_300;
/** Those that open, and those that close behind them. */
const SLOTS = 4 * UNDER_WAY;

const warmUpMs = (context: Context) => Math.min(WARM_UP_MS, windowMs(context));

function shape(address: string): string[] {
  const pools = [`connections=${SLOTS}`, `half_open=${SLOTS}`, `time_wait=${TIME_WAIT_RECORDS}`];
  const packets = ['rx_packets=32768', 'tx_packets=32768'];
  return [`address=${address}`, 'prefix=24', ...pools, `time_wait_ms=${TIME_WAIT_MS}`, ...packets];
}

function generator(context: Context, ...device: string[]): string[] {
  const load = [`to=${SERVER}`, `addresses=${ADDRESSES}`, `under_way=${UNDER_WAY}`];
  const times = [`warm_up_ms=${warmUpMs(context)}`, `window_ms=${windowMs(context)}`];
  return nativeEnd('connect-client', ...shape(CLIENT), ...load, ...times, ...device);
}

function ours(kind: 'native' | 'typescript', context: Context): Promise<Sample> {
  return withFolder((folder) => {
    const socket = `${folder}/connect.sock`;
    const device = ['device=memif', `socket=${socket}`];
    const native = nativeEnd('echo-server', ...shape(SERVER), ...device, 'role=server');
    const place = [`memif:${socket}?server`, `${SERVER}/24`, `${PORT}`, `${SLOTS}`, `${TIME_WAIT_MS}ms`];
    const typescript = [...nodeProgram('tools/bench/ends/echo-server.js'), ...place];
    return transact(kind === 'native' ? native : typescript, generator(context, ...device));
  });
}

async function inNamespace(work: (namespace: Namespace) => Promise<Sample>): Promise<Sample> {
  const namespace = Namespace.make();
  try {
    // A pair may come again after a second (with timestamps), as ours may; for loopback that is the default.
    namespace.run('sysctl', '-qw', ...KERNEL_PORTS, 'net.ipv4.tcp_tw_reuse=1');
    return await work(namespace);
  } finally {
    namespace.remove();
  }
}

function overTap(peer: Peer, context: Context): Promise<Sample> {
  return inNamespace((namespace) => {
    const client = namespace.command(...generator(context, 'device=tap', `interface=${LINK}`));
    return transact(namespace.command(...kernelServer(peer)), client, () => {
      namespace.offloadsOff(LINK);
      namespace.giveAddress(LINK, SERVER);
    });
  });
}

function overLoopback(peer: Peer, context: Context): Promise<Sample> {
  return inNamespace((namespace) => {
    const numbers = [PORT, UNDER_WAY, warmUpMs(context), windowMs(context)].map(String);
    const client = namespace.command(peerProgram('echo'), 'connect', '127.0.0.1', ...numbers);
    return transact(namespace.command(...kernelServer(peer)), client);
  });
}

const OURS = { native: 'native', typescript: 'typescript' } as const;
const KERNEL = {
  'epoll in C, our generator over tap': { peer: 'epoll', run: overTap },
  'epoll in C, loopback': { peer: 'epoll', run: overLoopback },
  'node:net, our generator over tap': { peer: 'node', run: overTap },
  'node:net, loopback': { peer: 'node', run: overLoopback },
} as const;

function contenders(context: Context, hasKernel: boolean) {
  const own = Object.values(OURS).map((kind) => ({ name: kind as string, run: () => ours(kind, context) }));
  const kernel = Object.entries(KERNEL).map(([name, { peer, run }]) => ({ name, run: () => run(peer, context) }));
  return hasKernel ? [...own, ...kernel] : own;
}

function valuesOf(rows: readonly Row[]): Record<string, number> {
  const rate = (name: string) => medianOf(rows, name, 'requests_per_s');
  const best = (wanted: Peer) => {
    const rates = Object.entries(KERNEL).filter(([, { peer }]) => peer === wanted);
    return Math.max(...rates.map(([name]) => rate(name)));
  };
  const values = {
    requests_per_s: rate('typescript'),
    native_requests_per_s: rate('native'),
    kernel_requests_per_s: best('epoll'),
    node_requests_per_s: best('node'),
    ratio_to_kernel: rate('typescript') / best('epoll'),
    native_ratio_to_kernel: rate('native') / best('epoll'),
    ratio_to_node: rate('typescript') / best('node'),
    cpu_us_per_request: medianOf(rows, 'typescript', 'cpu_us_per_request'),
    p99_us: medianOf(rows, 'typescript', 'p99_us'),
  };
  return Object.fromEntries(Object.entries(values).map(([key, value]) => [key, rounded(value)]));
}

async function measure(context: Context): Promise<Result> {
  const missing = Namespace.missing();
  const rows = await interleaved(contenders(context, missing === undefined), context);
  return {
    rows,
    values: valuesOf(rows),
    charts: [],
    notes: [
      `${UNDER_WAY.toLocaleString('en-US')} under way; a latency is from the open to the whole reply, and the client closes first`,
      `TIME-WAIT is ${TIME_WAIT_MS / 1_000} s on our side; the kernel's is 60 s, and its client may use a pair again after 1 s`,
      'without native the ratios and figures are those of the handler in TypeScript; the kernel counts with its faster way',
      ...(missing === undefined ? [] : [`without kernel peers: ${missing}`]),
    ],
  };
}

export const connect: Benchmark = {
  name: 'connect',
  what: 'open, one request, one reply, close, again and again',
  measure,
};
