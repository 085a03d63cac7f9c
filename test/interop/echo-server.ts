// echo_server inside a namespace, and what it counts. In: a namespace, a link, flags. Out: a server on the air.
import * as assert from 'uvu/assert';
import type { StackCounters } from '../../stack/native.js';
import type { Program } from '../apps/program.js';
import { type Link, type LinkKind, type Namespace, OURS, PREFIX_LENGTH } from './namespace.js';

export const ECHO_PORT = 7;
export const HTTP_PORT = 80;

/** DPDK's af_xdp driver sends from copies in RX packets, and takes them back when its completion ring is half full. */
const AF_XDP_KEEPS = 1_024;

const TROUBLES =
  /^drop_|deferred|timeouts|retransmits|resets|closed$|cookies|_packets$|refused|^half_open|^connections/;

export interface EchoOptions {
  root: string;
  flags?: readonly string[];
}

export class EchoServer {
  readonly program: Program;

  private constructor(program: Program) {
    this.program = program;
  }

  static async start(namespace: Namespace, link: Link, { root, flags = [] }: EchoOptions): Promise<EchoServer> {
    const place = ['--device', link.device, '--host-ip', `${OURS}/${PREFIX_LENGTH}`, '--root', root];
    const ports = ['--port', `${ECHO_PORT}`, '--http-port', `${HTTP_PORT}`];
    const program = namespace.program('apps/echo_server/main.js', ...place, ...ports, '--stats-json', ...flags);
    await program.said(`listening ${OURS}:${ECHO_PORT}`);
    namespace.giveAddress(link);
    const server = new EchoServer(program);
    await server.until(() => true, 5_000);
    return server;
  }

  /** What was said last, at most a second ago. */
  counters(): StackCounters {
    const lines = this.program.out.split('\n').slice(0, -1);
    return JSON.parse(lines.at(-1) ?? '{}') as StackCounters;
  }

  /** What does not count all the time, for the reader of a failure. */
  troubles(): Record<string, number> {
    const { counters, device, pools } = this.counters();
    const wrong = Object.entries(counters).filter(([name, value]) => TROUBLES.test(name) && value > 0);
    const { rxFree, txFree } = pools;
    return { ...Object.fromEntries(wrong), ...device, rxFree, txFree };
  }

  /** The first counters that are said from now on and for which this holds; the last ones when it never does. */
  async until(holds: (counters: StackCounters) => boolean, limitMs: number): Promise<StackCounters> {
    const deadline = Date.now() + limitMs;
    const from = this.program.out.length;
    for (;;) {
      const isNew = this.program.out.indexOf('\n', from) >= 0;
      if (Date.now() > deadline || (isNew && holds(this.counters()))) return this.counters();
      await new Promise((done) => setTimeout(done, 50));
    }
  }

  /** Waits until every connection is gone and every packet back in its pool, as in `fresh`; fails when that does not come. */
  async leavesNothing(kind: LinkKind, fresh: StackCounters, limitMs = 10_000): Promise<void> {
    const keeps = kind === 'af_xdp' ? AF_XDP_KEEPS : 0;
    const after = await this.until((counters) => settled(counters, fresh, keeps), limitMs);
    const { connections_opened, connections_closed, connections_open, half_open, time_wait } = after.counters;
    assert.equal({ connections_open, half_open, time_wait }, { connections_open: 0, half_open: 0, time_wait: 0 });
    assert.is(connections_closed, connections_opened);
    assert.ok(
      fresh.pools.rxFree - after.pools.rxFree <= keeps,
      `${after.pools.rxFree} RX packets of ${fresh.pools.rxFree}`,
    );
    assert.is(after.pools.txFree + after.pools.txWithApps, fresh.pools.txPackets);
    assert.is(after.pools.rxWithApps, 0);
  }
}

function settled(counters: StackCounters, fresh: StackCounters, keeps: number): boolean {
  const { pools, counters: now } = counters;
  const idle = now.connections_open === 0 && now.half_open === 0 && now.time_wait === 0;
  const rxBack = fresh.pools.rxFree - pools.rxFree <= keeps;
  return idle && rxBack && pools.txFree + pools.txWithApps === fresh.pools.txPackets;
}
