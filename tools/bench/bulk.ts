// `bulk`: one connection that carries as much as it can, one way: our stack over memif, and with a kernel peer over tap
// and af_packet, beside the kernel with itself over veth without offloads.
// The receiver measures: bytes read in a window that begins after the first bytes have warmed the path. It closes then, and
// the source ends: a stop of the machine makes a window late, never empty.

import { cpus } from 'node:os';
import { onCore } from '../taskset.js';
import {
  type Benchmark,
  type Contender,
  type Context,
  interleaved,
  medianOf,
  type Result,
  type Sample,
} from './benchmark.js';
import { sweepCharts } from './bulk-sweep.js';
import { Namespace } from './namespaces.js';
import { nativeEnd, nodeProgram, peerProgram, withFolder } from './places.js';
import { End, type WindowReport } from './process.js';
import { rounded } from './statistics.js';

const SINK = '10.78.0.1';
const SOURCE = '10.78.0.2';
const PORT = 5_201;
const LINK = 'qbulk';
/** Before the window, from the first byte on. */
const WARM_UP_MS = 300;
/** A source that nobody tells to end does so this long after the window should have been over. */
const PATIENCE_MS = 10_000;
/** Over what a transfer takes. */
const LIMIT_MS = 20_000;
/** From a device that our source has made to a sink that listens behind it. */
const SINK_AFTER_MS = 700;

/** What two programs agree on. Buffers in bytes; 0: the kernel's own choice, and our default. */
export interface BulkOptions {
  readonly seconds: number;
  readonly writeSize: number;
  readonly sendBuffer: number;
  readonly receiveBuffer: number;
}

/** Each end has a core of its own: where the scheduler put them would be the largest difference between two runs. */
const PINNED = cpus().length > 1;
const [SINK_CORE, SOURCE_CORE] = [1, 0];
const STEERED = PINNED && Namespace.steers();
const kernelCore = (core: number) => onCore(PINNED ? core : undefined);

const windowMs = ({ seconds }: BulkOptions) => Math.round(seconds * 1_000);
const warmUpMs = (options: BulkOptions) => Math.min(WARM_UP_MS, windowMs(options));
const sourceMs = (options: BulkOptions) => windowMs(options) + warmUpMs(options) + PATIENCE_MS;

function nativeSink(options: BulkOptions, device: readonly string[]): string[] {
  const buffer = options.receiveBuffer > 0 ? [`receive_buffer=${options.receiveBuffer}`] : [];
  const times = [`warm_up_ms=${warmUpMs(options)}`, `window_ms=${windowMs(options)}`];
  return nativeEnd(
    'bulk-sink',
    `address=${SINK}`,
    ...device,
    ...buffer,
    ...times,
    ...(PINNED ? [`core=${SINK_CORE}`] : []),
  );
}

function nativeSource(options: BulkOptions, device: readonly string[], pinned = PINNED): string[] {
  const buffer = options.sendBuffer > 0 ? [`send_buffer=${options.sendBuffer}`] : [];
  const core = pinned ? [`core=${SOURCE_CORE}`] : [];
  const shape = [`write_size=${options.writeSize}`, `duration_ms=${sourceMs(options)}`, ...core];
  return nativeEnd('bulk-source', `address=${SOURCE}`, `to=${SINK}`, ...device, ...buffer, ...shape);
}

function kernelSink(options: BulkOptions): string[] {
  return [
    ...kernelCore(SINK_CORE),
    peerProgram('bulk'),
    'sink',
    `${PORT}`,
    `${warmUpMs(options)}`,
    `${windowMs(options)}`,
  ];
}

function kernelSource(options: BulkOptions): string[] {
  const numbers = [options.writeSize, options.sendBuffer, sourceMs(options)].map(String);
  return [...kernelCore(SOURCE_CORE), peerProgram('bulk'), 'source', SINK, `${PORT}`, ...numbers];
}

interface Transfer {
  readonly sink: string[];
  readonly source: string[];
  readonly options: BulkOptions;
  /** What has to be done once the first end is ready, before the second one is started. */
  readonly between?: () => void;
  /** A tap is made by our stack, so our source comes first, and tries until the sink is there. */
  readonly sourceFirst?: boolean;
}

function sampleOf({ amount, nanoseconds, busy_s, hiccup_p99_us }: WindowReport): Sample {
  return {
    gbit_per_s: (amount * 8) / nanoseconds,
    cpu_s_per_gbyte: busy_s / (amount / 1e9),
    ...(hiccup_p99_us === undefined ? {} : { hiccup_p99_us }),
  };
}

/** Both ends to their end. */
async function transfer({ sink, source, options, between, sourceFirst }: Transfer): Promise<Sample> {
  const receiver = new End<WindowReport>('the sink', sink);
  const sender = new End('the source', source);
  const limitMs = sourceMs(options) + LIMIT_MS;
  const [first, second] = sourceFirst ? [sender, receiver] : [receiver, sender];
  try {
    await first.start();
    between?.();
    await second.start();
    const [received] = await Promise.all([receiver.report(limitMs), sender.report(limitMs)]);
    return sampleOf(received);
  } finally {
    await Promise.all([receiver.stop(), sender.stop()]);
  }
}

async function withNamespaces<T>(count: number, work: (namespaces: Namespace[]) => Promise<T>): Promise<T> {
  const namespaces: Namespace[] = [];
  try {
    for (let i = 0; i < count; ++i) namespaces.push(Namespace.make());
    return await work(namespaces);
  } finally {
    for (const namespace of namespaces) namespace.remove();
  }
}

export function overMemif(options: BulkOptions): Promise<Sample> {
  return withFolder((folder) => {
    const device = ['device=memif', `socket=${folder}/bulk.sock`];
    return transfer({
      sink: nativeSink(options, [...device, 'role=server']),
      source: nativeSource(options, device),
      options,
    });
  });
}

/** The same source; the sink is a handler in TypeScript, in an app thread: three threads, which the scheduler places. */
export function toTypeScript(options: BulkOptions): Promise<Sample> {
  return withFolder((folder) => {
    const socket = `${folder}/bulk.sock`;
    const times = [`${warmUpMs(options)}`, `${windowMs(options)}`];
    const sink = [
      ...nodeProgram('tools/bench/ends/bulk-sink.js'),
      `memif:${socket}?server`,
      `${SINK}/24`,
      `${PORT}`,
      ...times,
    ];
    const buffer = options.receiveBuffer > 0 ? [`${options.receiveBuffer}`] : [];
    const source = nativeSource(options, ['device=memif', `socket=${socket}`], false);
    return transfer({ sink: [...sink, ...buffer], source, options });
  });
}

/** A kernel's end of the link: it works on what arrives on the core of its own program. */
function settle(end: Namespace, role: 'sink' | 'source', isTap = false): void {
  const core = role === 'sink' ? SINK_CORE : SOURCE_CORE;
  const hasThread = PINNED && isTap && end.pollInThread(LINK, core);
  if (STEERED && !hasThread) end.steer(LINK, core);
  end.giveAddress(LINK, role === 'sink' ? SINK : SOURCE);
}

export function kernelToKernel(options: BulkOptions): Promise<Sample> {
  return withNamespaces(2, async ([left, right]) => {
    if (left === undefined || right === undefined) throw new Error('no namespaces');
    left.joinTo(right, LINK);
    settle(left, 'sink');
    settle(right, 'source');
    const [sink, source] = [left.command(...kernelSink(options)), right.command(...kernelSource(options))];
    return transfer({ sink, source, options });
  });
}

/** A kernel peer in one namespace; `kind` is how our stack gets its frames. */
function withKernel(kind: 'tap' | 'af_packet', way: 'in' | 'out', options: BulkOptions): Promise<Sample> {
  return withNamespaces(2, async ([ours, theirs]) => {
    if (ours === undefined || theirs === undefined) throw new Error('no namespaces');
    // A tap's kernel end is where our stack makes it.
    const kernel = kind === 'tap' ? ours : theirs;
    const device = [`device=${kind}`, `interface=${LINK}`];
    if (kind === 'af_packet') ours.joinTo(theirs, LINK);
    const join = () => {
      kernel.offloadsOff(LINK);
      settle(kernel, way === 'in' ? 'source' : 'sink', kind === 'tap');
    };
    if (way === 'in') {
      const [sink, source] = [ours.command(...nativeSink(options, device)), kernel.command(...kernelSource(options))];
      return transfer({ sink, source, options, between: join });
    }
    const source = ours.command(...nativeSource(options, [...device, `delay_ms=${SINK_AFTER_MS}`]));
    return transfer({
      sink: kernel.command(...kernelSink(options)),
      source,
      options,
      between: join,
      sourceFirst: true,
    });
  });
}

/** 1 MiB each way is what a window of 10 Gbit/s needs where an answer may take most of a millisecond on shared cores. */
const LARGE_BUFFERS = { writeSize: 65_536, sendBuffer: 2 ** 20, receiveBuffer: 2 ** 20 };

function contenders(context: Context): Contender[] {
  const ours: BulkOptions = { seconds: context.seconds, ...LARGE_BUFFERS };
  const kernel: BulkOptions = { ...ours, sendBuffer: 0, receiveBuffer: 0 };
  const over = (kind: 'tap' | 'af_packet', way: 'in' | 'out') => () =>
    withKernel(kind, way, way === 'in' ? { ...ours, sendBuffer: 0 } : { ...ours, receiveBuffer: 0 });
  return [
    { name: 'memif', run: () => overMemif(ours) },
    { name: 'memif, handler in TypeScript', run: () => toTypeScript(ours) },
    { name: 'kernel, veth', run: () => kernelToKernel(kernel) },
    { name: 'kernel to ours, tap', run: over('tap', 'in') },
    { name: 'ours to kernel, tap', run: over('tap', 'out') },
    { name: 'kernel to ours, af_packet', run: over('af_packet', 'in') },
    { name: 'ours to kernel, af_packet', run: over('af_packet', 'out') },
  ];
}

async function measure(context: Context): Promise<Result> {
  const all = contenders(context);
  const missing = Namespace.missing();
  const possible = missing === undefined ? all : all.filter(({ name }) => name.startsWith('memif'));
  const rows = await interleaved(possible, context);
  const rate = (name: string) => medianOf(rows, name, 'gbit_per_s');
  const ratio = (name: string) => rounded(rate(name) / rate('kernel, veth'));
  return {
    rows,
    values: {
      memif_gbit_per_s: rounded(rate('memif')),
      typescript_gbit_per_s: rounded(rate('memif, handler in TypeScript')),
      kernel_gbit_per_s: rounded(rate('kernel, veth')),
      memif_ratio_to_kernel: ratio('memif'),
      tap_in_ratio_to_kernel: ratio('kernel to ours, tap'),
      tap_out_ratio_to_kernel: ratio('ours to kernel, tap'),
      af_packet_in_ratio_to_kernel: ratio('kernel to ours, af_packet'),
      af_packet_out_ratio_to_kernel: ratio('ours to kernel, af_packet'),
    },
    charts: context.sweep
      ? await sweepCharts(context, { overMemif, kernelToKernel, hasKernel: missing === undefined })
      : [],
    notes: [
      'writes of 64 KiB; our buffers are 1 MiB, the kernel chooses its own; both ends copy, as write(2) and read(2) do',
      ...(PINNED
        ? ['source and sink have a core each, but with the handler in TypeScript, which has two threads']
        : []),
      ...(STEERED ? ["a kernel's end works on what arrives on the core of its program, not on the sender's"] : []),
      ...(missing === undefined ? [] : [`without kernel peers: ${missing}`]),
    ],
  };
}

export const bulk: Benchmark = {
  name: 'bulk',
  what: 'goodput of one connection, and with --sweep over write sizes and send buffers',
  measure,
};
