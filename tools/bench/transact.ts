// A server of requests of 200 bytes and replies of 64, under its client, as `echo` and `connect` measure them.
import type { Context, Sample } from './benchmark.js';
import { nodeProgram, peerProgram } from './places.js';
import { End, type WindowReport } from './process.js';

export const PORT = 5_201;
export const SERVER = '10.78.0.1';
export const CLIENT = '10.78.0.2';
/** Of a namespace whose kernel opens connections. */
export const KERNEL_PORTS = ['net.ipv4.ip_local_port_range=10000 65000', 'net.core.somaxconn=4096'];
const LIMIT_MS = 60_000;

interface ClientReport extends WindowReport {
  readonly p50_us: number;
  readonly p99_us: number;
  /** From a SYN to its answer, of a client that rests. */
  readonly open_p50_us?: number;
  readonly open_p99_us?: number;
  readonly lost: number;
}

/** What the client of a server says. `between`: what has to be done once both are started. */
export async function clientReport(server: string[], client: string[], between?: () => void): Promise<ClientReport> {
  const serving = new End('the server', server);
  const asking = new End<ClientReport>('the client', client);
  try {
    await serving.start();
    await asking.start();
    between?.();
    const report = await asking.report(LIMIT_MS);
    if (report.lost > 0) throw new Error(`${report.lost} connections were lost`);
    return report;
  } finally {
    await asking.stop();
    await serving.stop();
  }
}

/** A server under its client. */
export async function transact(server: string[], client: string[], between?: () => void): Promise<Sample> {
  const { amount, nanoseconds, busy_s, p50_us, p99_us, hiccup_p99_us } = await clientReport(server, client, between);
  return {
    requests_per_s: (amount * 1e9) / nanoseconds,
    cpu_us_per_request: (busy_s * 1e6) / amount,
    p50_us,
    p99_us,
    ...(hiccup_p99_us === undefined ? {} : { hiccup_p99_us }),
  };
}

export type Peer = 'epoll' | 'node';

/** On the kernel's TCP. */
export function kernelServer(peer: Peer): string[] {
  const node = nodeProgram('tools/bench/ends/echo-node.js');
  return peer === 'node' ? [...node, `${PORT}`] : [peerProgram('echo'), 'server', `${PORT}`];
}

export const windowMs = ({ seconds }: Context) => Math.round(seconds * 1_000);
