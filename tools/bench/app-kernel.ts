// The peers of `app`: iotepserver's job on the kernel's TCP, in a namespace of its own, under mcc, whose stack meets the kernel's
// over a tap. In: what mcc is to do. Out: its report.
import { spawnSync } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Report } from '../mcc/report.js';
import { Namespace } from './namespaces.js';
import { nodeProgram, peerProgram } from './places.js';
import type { Rig, Traffic } from './priority/rig.js';
import { End } from './process.js';

export const PEERS = {
  epoll: 'kernel, epoll and hiredis in C',
  node: 'kernel, node:net and ioredis',
} as const;
export type Peer = keyof typeof PEERS;

const LINK = 'qapp';
const SERVER = '10.78.0.1';
const CLIENT = '10.78.0.2';
const PORT = 80;
const PORTS_PER_ADDRESS = 60_000;
/** Of the tap, in frames: what is under way and its ACKs find room, so that nothing is lost in between. */
const TAP_FRAMES = 100_000;
const TAP_LIMIT_MS = 30_000;
const POLL_MS = 50;
/** A process has files for other things than connections as well. */
const OTHER_FILES = 1_000;

/** Connections that one process can hold here. */
export function kernelMost(): number {
  const limit = Number(spawnSync('sh', ['-c', 'ulimit -Hn'], { encoding: 'utf8' }).stdout.trim());
  return Number.isFinite(limit) ? limit - OTHER_FILES : Number.POSITIVE_INFINITY;
}

function commandOf(peer: Peer, { redis }: Rig): string[] {
  const place = [`${PORT}`, ...redis.map(({ socket }) => socket)];
  if (peer === 'epoll') return [peerProgram('gateway', '-lhiredis'), ...place];
  return [...nodeProgram('tools/bench/ends/gateway-node.js'), ...place];
}

/** mcc makes the tap; its other end is the kernel's. */
async function join(namespace: Namespace, signal: AbortSignal): Promise<void> {
  const endMs = Date.now() + TAP_LIMIT_MS;
  while (!namespace.has(LINK)) {
    if (Date.now() > endMs) throw new Error(`mcc made no tap in ${TAP_LIMIT_MS / 1_000} s`);
    await sleep(POLL_MS, undefined, { signal });
  }
  namespace.run('ip', 'link', 'set', LINK, 'txqueuelen', `${TAP_FRAMES}`);
  namespace.offloadsOff(LINK);
  namespace.giveAddress(LINK, SERVER);
}

function placeOf(connections: number): Record<string, string> {
  const network = { '--dest': SERVER, '--source': CLIENT, '--prefix': '24', '--port': `${PORT}` };
  return { '--device': `tap:${LINK}`, ...network, '--ips': `${Math.ceil(connections / PORTS_PER_ADDRESS)}` };
}

/** A fresh server under mcc. */
export async function generateToKernel(
  rig: Rig,
  peer: Peer,
  traffic: Traffic & { connections: number },
): Promise<Report> {
  const namespace = Namespace.make();
  const server = new End(PEERS[peer], namespace.command(...commandOf(peer, rig)));
  const ending = new AbortController();
  try {
    namespace.run('sysctl', '-qw', 'net.core.somaxconn=4096', 'net.ipv4.tcp_max_syn_backlog=4096');
    await server.start();
    const report = rig.generate({ ...traffic, mccFlags: placeOf(traffic.connections), within: namespace.command() });
    // Where mcc ends before there is a tap, its own words are the fault.
    await Promise.race([report, join(namespace, ending.signal)]);
    return await report;
  } finally {
    ending.abort();
    await server.stop();
    namespace.remove();
  }
}
