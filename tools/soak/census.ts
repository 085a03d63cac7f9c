// Census: what of a stack is in use: packets, slabs, blocks, records, by name. When all connections are gone it is as at the start.
// In: a stack's counters, its apps' counts, its arena. Out: numbers under names for people.
import { Arena } from '../../mempool/arena.js';
import { RING_EVENT, RING_RELEASE, RING_SEND } from '../../stack/abi.js';
import type { AppCounts } from '../../stack/app-core.js';
import { loadNative, type StackCounters, type StackId } from '../../stack/native.js';
import type { RedisStats } from '../../stack/redis.js';

export type Census = Readonly<Record<string, number>>;

/** What an app thread says of its Redis client. */
export type RedisCensus = Readonly<Record<'Redis commands' | 'Redis replies', number>>;

export function redisCensus({ servers, placesInUse, queued }: RedisStats): RedisCensus {
  const inFlight = servers.reduce(
    (sum, server) => sum + server.inFlight + server.waiting.reduce((all, one) => all + one, 0),
    0,
  );
  return { 'Redis commands': inFlight + queued, 'Redis replies': placesInUse };
}

/** Records in event, send and release rings that nobody has taken yet. */
export function recordsInRings(stack: StackId, apps: number): number {
  const arena = new Arena(loadNative().attachArena(stack));
  const levels = Array.from({ length: arena.levels }, (_, level) => level);
  const rings = [...levels.flatMap((level) => [RING_EVENT + level, RING_SEND + level]), RING_RELEASE];
  let records = 0;
  for (let set = 0; set < arena.stacks * apps; set++) {
    for (const ring of rings) {
      const consumer = arena.consumer(Math.floor(set / apps), set % apps, ring);
      consumer.refresh();
      records += consumer.available;
    }
  }
  return records;
}

export function stackCensus({ counters, pools }: StackCounters, apps: readonly AppCounts[]): Census {
  const { connections_opened = 0, connections_closed = 0, half_open = 0, time_wait = 0 } = counters;
  const sum = (count: (app: AppCounts) => number) => apps.reduce((all, app) => all + count(app), 0);
  return {
    connections: connections_opened - connections_closed,
    'control blocks': pools.controlBlocks,
    'busy blocks': pools.busyBlocks,
    'early ranges': pools.earlyRanges,
    'half-open records': half_open,
    'TIME-WAIT records': time_wait,
    'option sets': pools.optionSets,
    'RX packets': pools.rxPackets - pools.rxFree,
    'TX packets': pools.txPackets - pools.txFree - pools.txWithApps,
    'messages with apps': pools.rxWithApps,
    'connections of apps': sum((app) => app.connections),
    'messages in packets': sum((app) => app.inPackets),
    'messages in slabs': sum((app) => app.inSlabs),
    'messages that wait': sum((app) => app.waiting),
  };
}

/** What is in use beyond `fresh`, by name; nothing where all is as it was. */
export function leftOf(now: Census, fresh: Census): Census {
  const left = Object.entries(now).map(([name, count]) => [name, count - (fresh[name] ?? 0)] as const);
  return Object.fromEntries(left.filter(([, count]) => count !== 0));
}

export function censusText(census: Census): string {
  return Object.entries(census)
    .map(([name, count]) => `${count} ${name}`)
    .join(', ');
}
