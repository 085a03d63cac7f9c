// Layout: which core does what, where server, Redis and generator share one machine. In: its cores, and with whom Redis shares one.
// Out: a core per program. On two cores the stack and the handlers are one thread, so that nothing on the server's way waits for a
// core but Redis. With Redis beside the server, the generator has a core to itself and is on time whatever the server does: for
// latency. With Redis beside the generator, the two cores have about the same work: for throughput.
export interface Layout {
  /** The stack and the handlers are one thread. */
  readonly inline: boolean;
  /** Absent: wherever the kernel likes. */
  readonly cores?: { readonly server: number; readonly redis: number; readonly generator: number };
  readonly text: string;
}

export const UNPINNED: Layout = { inline: false, text: 'all cores, shared by all threads' };

export function layoutOf(cores: number, redisBeside: 'server' | 'generator' = 'server'): Layout {
  if (cores > 2) return UNPINNED;
  if (cores === 1) return { inline: true, text: '1 core, shared by iotepserver (one thread), Redis and mcc' };
  const server = 'iotepserver, stack and handlers in one thread';
  return redisBeside === 'server'
    ? { inline: true, cores: { server: 0, redis: 0, generator: 1 }, text: `core 0: ${server}, and Redis; core 1: mcc` }
    : { inline: true, cores: { server: 0, redis: 1, generator: 1 }, text: `core 0: ${server}; core 1: Redis and mcc` };
}
