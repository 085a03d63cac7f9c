// What is profiled when nothing else is named: iotepserver on real Redis under mcc, as `npm start` runs them.
// In: how much load, and what runs the server. Out: when the server has ended in order. Everything that was started ends with it;
// the first ^C ends the load early, and what was seen until then is still told; the second one quits at once.
import { join } from 'node:path';
import { withFolder } from '../bench/places.js';
import { redisDown, redisUp } from '../redis/servers.js';
import type { Child } from '../start/child.js';
import { Generator } from '../start/generator.js';
import { Server } from '../start/server.js';

/** So many in flight keep every thread busy. */
const UNDER_WAY = 2_048;
const HIGH_SHARE = 0.05;
const PACKETS = 65_536;

export type Say = (line: string) => void;

export interface Load {
  readonly connections: number;
  /** Messages a second; undefined: as many as are answered. */
  readonly ratePerS?: number | undefined;
  readonly durationMs: number;
}

export interface Profiled {
  /** What runs the server, in place of Node alone. */
  readonly node?: readonly string[];
  /** More of its configuration. */
  readonly lines?: readonly string[];
  /** All connections are open, and the load begins. */
  readonly onLoad?: (server: number, generator: number) => void;
  /** The load is over. */
  readonly end: (server: Server) => Promise<void>;
}

/** The first ^C asks the work to end, with SIGINT; the second one makes it, and quits. */
export async function untilStopped<T>(
  say: Say,
  end: (signal: NodeJS.Signals) => void,
  work: () => Promise<T>,
): Promise<T> {
  let signals = 0;
  const onSignal = () => {
    signals += 1;
    end(signals > 1 ? 'SIGKILL' : 'SIGINT');
    if (signals > 1) process.exit(130);
    say('stopping early; once more quits at once');
  };
  process.on('SIGINT', onSignal).on('SIGTERM', onSignal);
  try {
    return await work();
  } finally {
    process.off('SIGINT', onSignal).off('SIGTERM', onSignal);
  }
}

function phasesOf({ ratePerS, durationMs }: Load): string {
  return ratePerS === undefined ? `capacity:${UNDER_WAY}/${durationMs}ms` : `paced:${ratePerS}/${durationMs}ms`;
}

export function underLoad(load: Load, profiled: Profiled, say: Say): Promise<void> {
  const children: Child[] = [];
  let stopped = false;
  /** First the generator alone: the server's end is the one that it always has. */
  const end = (signal: NodeJS.Signals) => {
    stopped = true;
    for (const child of signal === 'SIGKILL' ? children : children.slice(1)) child.signal(signal);
  };
  return untilStopped(say, end, () =>
    withFolder(async (folder) => {
      const redisFolder = join(folder, 'redis');
      try {
        const redis = await redisUp(1, redisFolder, { foreground: [] });
        const { connections } = load;
        const { node, lines = [] } = profiled;
        const plan = { folder, connections, priorities: true, redis, packets: PACKETS, lines };
        const server = await Server.start({ ...plan, ...(node === undefined ? {} : { node }) }, say);
        children.push(server.child);
        if (!stopped) await generate(load, folder, server, { profiled, children, say });
        await profiled.end(server);
      } finally {
        await Promise.all(children.map((child) => child.stop()));
        await redisDown(redisFolder);
      }
    }),
  );
}

interface Context {
  readonly profiled: Profiled;
  readonly children: Child[];
  readonly say: Say;
}

async function generate(load: Load, folder: string, server: Server, context: Context): Promise<void> {
  const { profiled, children, say } = context;
  const generator = new Generator({
    ...{ folder, connections: load.connections, phases: phasesOf(load), highShare: HIGH_SHARE, seed: 1, say },
    flags: { '-s': '1', '-w': '0' },
    onIdle: () => profiled.onLoad?.(server.child.pid, generator.child.pid),
  });
  children.push(generator.child);
  const { phases } = await generator.report();
  for (const { answered_per_s } of phases)
    say(`${answered_per_s.toLocaleString('en-US')} messages a second were answered`);
}
