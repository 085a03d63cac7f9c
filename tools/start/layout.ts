// Layout: which core does what, where server, Redis and generator share one machine. In: its cores, and with whom Redis shares one
// where there are two. Out: a core per program. On two cores the stack and the handlers are one thread, so that nothing on the server's
// way waits for a core but Redis. With Redis beside the server, the generator has a core to itself and is on time whatever the server
// does: for latency. With Redis beside the generator, the two cores have about the same work: for throughput. On more cores the stack,
// the app thread and the generator have one each, and Redis what is left.
import { type Pins, planPins } from '../../stack/config/pods.js';
import { coresText, type PhysicalCore, topologyOf } from '../../stack/config/topology.js';

export interface Layout {
  /** The stack and the handlers are one thread. */
  readonly inline: boolean;
  /** Absent: wherever the kernel likes. */
  readonly cores?: {
    /** Of the whole server; absent: its threads are pinned by `pin`. */
    readonly server?: number;
    /** Servers take them in turns. */
    readonly redis: readonly number[];
    readonly generator: number;
  };
  /** The key `pin` of the server. */
  readonly pin?: string;
  readonly text: string;
}

/** One for each core that Redis has: on two cores a second server has as much to do as the first, and is woken as often. */
export const redisServersOf = ({ cores }: Layout): number => cores?.redis.length ?? 1;

export const redisText = (servers: number): string => (servers === 1 ? 'one Redis server' : `${servers} Redis servers`);

export const UNPINNED: Layout = { inline: false, text: 'all cores, shared by all threads' };

function onTwo([first, second]: readonly [number, number], redisBeside: 'server' | 'generator'): Layout {
  const server = 'iotepserver, stack and handlers in one thread';
  return redisBeside === 'server'
    ? {
        inline: true,
        cores: { server: first, redis: [first], generator: second },
        text: `core ${first}: ${server}, and Redis; core ${second}: mcc`,
      }
    : {
        inline: true,
        cores: { server: first, redis: [second], generator: second },
        text: `core ${first}: ${server}; core ${second}: Redis and mcc`,
      };
}

/** Two physical cores with four threads: the server's other thread stays free. */
function onTwoPairs(server: number, redis: number, generator: number): Layout {
  const text = `core ${server}: iotepserver, stack and handlers in one thread; core ${redis}: Redis; core ${generator}: mcc`;
  return { inline: true, cores: { server, redis: [redis], generator }, text };
}

function onMany(pins: Pins, generator: number): Layout {
  const redis = pins.redis.length > 0 ? pins.redis : [generator];
  const [stack, app] = [coresText(pins.stacks), coresText(pins.apps)];
  return {
    inline: false,
    cores: { redis, generator },
    pin: `stack=${stack} app=${app}`,
    text: `core ${stack}: iotepserver's stack; core ${app}: its handlers; ${redis.length > 1 ? 'cores' : 'core'} ${coresText(redis)}: Redis; core ${generator}: mcc`,
  };
}

export function layoutOf(
  cores: readonly PhysicalCore[] = topologyOf(),
  redisBeside: 'server' | 'generator' = 'server',
): Layout {
  const threads = cores.flatMap((core) => [...core.threads]);
  const [first, second] = threads;
  if (first === undefined) return UNPINNED;
  if (second === undefined) return { inline: true, text: '1 core, shared by iotepserver (one thread), Redis and mcc' };
  if (threads.length === 2) return onTwo([first, second], redisBeside);
  const last = cores.at(-1)?.threads ?? [];
  const [generator = second, beside = generator] = last;
  if (cores.length <= 2) return onTwoPairs(first, generator, beside);
  const pins = planPins(cores.slice(0, -1), { stacks: 1, apps: 1, workersPerApp: 0 });
  return pins === undefined ? UNPINNED : onMany(pins, generator);
}
