// One thing that is run against our stack, or by it, over one kind of device, with or without faults in between.
// In: a case, a device, seconds. Out: what was measured, in a sentence, or the fault. Invariant: each run has a namespace and a
// folder of its own, and leaves neither.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { EchoServer } from '../echo-server.js';
import { faultKeys, flagsOf } from '../faults.js';
import { type Link, type LinkKind, Namespace, OURS } from '../namespace.js';

const SETTLE_MS = 75_000;
/**
 * A reset that was lost, by a fault or by a device whose reader is late, leaves nothing to know by that the peer is gone: the
 * silent are asked. An idle timeout would end those that are there as well: after some losses in a row the kernel is silent
 * for half a minute.
 */
const PROBES = ['--keepalive', '5s', '--keepalive-interval', '1s', '--keepalive-count', '20'];
/** Nor does what answers the SYN-ACK to a peer that has left always arrive: after 15 s nobody is waited for. */
const HANDSHAKE = ['--syn-retries', '3'];

export interface Spot {
  readonly namespace: Namespace;
  readonly kind: LinkKind;
  readonly link: Link;
  readonly folder: string;
  /** Flags of our stack that put the fault port in between; none without faults. */
  readonly faultFlags: readonly string[];
  readonly seconds: number;
  readonly seed: number;
}

export interface InteropCase {
  readonly tool: string;
  /** What is installed for it. */
  readonly program: string;
  readonly says: string;
  /** How long one run is, without and with faults, unless told otherwise. */
  readonly seconds: number;
  /** How often `seconds` are spent. */
  readonly parts: number;
  /** Throws when something was not as it should be. */
  run(spot: Spot): Promise<string>;
}

export interface RunOptions {
  kind: LinkKind;
  faults: boolean;
  seconds?: number;
  seed?: number;
}

export interface RunResult {
  tool: string;
  port: LinkKind;
  faults: boolean;
  seed: number;
  tookSeconds: number;
  measured?: string;
  fault?: string;
}

export function freshSeed(): number {
  return Number(process.env.QSTACK_SEED ?? Date.now() % 2 ** 31);
}

/** What was measured; throws what went wrong. */
export async function runCase(one: InteropCase, { kind, faults, ...more }: RunOptions): Promise<string> {
  const { seconds = one.seconds, seed = freshSeed() } = more;
  const folder = mkdtempSync(join(tmpdir(), 'qstack-interop-'));
  const namespace = Namespace.make();
  try {
    const faultFlags = faults ? flagsOf(faultKeys(seed)) : [];
    const link = namespace.link(kind);
    return await one.run({ namespace, kind, link, folder, faultFlags, seconds, seed });
  } finally {
    await namespace.remove();
    rmSync(folder, { recursive: true, force: true });
  }
}

export async function judge(one: InteropCase, options: RunOptions): Promise<RunResult> {
  const seed = options.seed ?? freshSeed();
  const startMs = performance.now();
  const result = { tool: one.tool, port: options.kind, faults: options.faults, seed };
  const took = () => Math.round((performance.now() - startMs) / 100) / 10;
  try {
    const measured = await runCase(one, { ...options, seed });
    return { ...result, tookSeconds: took(), measured };
  } catch (error) {
    return { ...result, tookSeconds: took(), fault: (error as Error).message };
  }
}

/**
 * A lost ARP request costs a second, in which a load has not begun, and after three of them an open fails. The kernel's own
 * requests tell our stack where it is.
 */
export async function awaken(namespace: Namespace): Promise<void> {
  for (let tries = 0; tries < 20; tries++) {
    if ((await namespace.command('ping', '-c', '1', '-W', '1', OURS).ended) === 0) return;
  }
  throw new Error(`${OURS} does not answer`);
}

/** What went wrong, and what the server counted meanwhile. */
async function explained<T>(server: EchoServer, happens: Promise<T>): Promise<T> {
  try {
    return await happens;
  } catch (error) {
    throw new Error(`${(error as Error).message}; the server counted ${JSON.stringify(server.troubles())}`);
  }
}

/** echo_server for the time of `use`; afterwards every connection is gone, and every packet is back. `more` flags go last. */
export async function withServer(
  spot: Spot,
  use: (server: EchoServer) => Promise<string>,
  more: readonly string[] = [],
): Promise<string> {
  const usual = ['--max-concurrency', '16000', '--tcp-timewait', '1s', ...PROBES, ...HANDSHAKE];
  const flags = [...usual, ...spot.faultFlags, ...more];
  const server = await EchoServer.start(spot.namespace, spot.link, { root: spot.folder, flags });
  if (spot.faultFlags.length > 0) await awaken(spot.namespace);
  const fresh = server.counters();
  const measured = await explained(server, use(server));
  await explained(server, server.leavesNothing(spot.kind, fresh, SETTLE_MS));
  const code = await server.program.stop();
  if (code !== 0) throw new Error(`the server ended with ${code}: ${server.program.err}`);
  return measured;
}
