// RedisTopology: which server of a Redis Cluster has which slot.
// In: what ioredis keeps of CLUSTER SLOTS: for each slot `host:port` of its master and replicas. Out: the masters, each once, and a
// number for each slot. A slot that nobody has is given to the first server, which says so itself.
import { lookup } from 'node:dns/promises';
import { isIP } from 'node:net';
import type { RedisServer } from './redis-native.js';

export const REDIS_SLOTS = 16_384;

export interface RedisTopology {
  /** With numeric addresses. */
  readonly servers: readonly RedisServer[];
  /** REDIS_SLOTS indices of `servers`. */
  readonly slots: Uint16Array;
}

async function serverOf(key: string): Promise<RedisServer> {
  const colon = key.lastIndexOf(':');
  const host = key.slice(0, colon).replace(/^\[|\]$/g, '');
  return { host: isIP(host) === 0 ? (await lookup(host)).address : host, port: Number(key.slice(colon + 1)) };
}

/** Undefined: no slot has a server. */
export async function topologyOf(
  owners: readonly (readonly string[] | undefined)[],
): Promise<RedisTopology | undefined> {
  const names = new Map<string, number>();
  const slots = new Uint16Array(REDIS_SLOTS);
  for (let slot = 0; slot < REDIS_SLOTS; slot++) {
    const master = owners[slot]?.[0];
    if (master === undefined) continue;
    const number = names.get(master) ?? names.size;
    names.set(master, number);
    slots[slot] = number;
  }
  if (names.size === 0) return undefined;
  return { servers: await Promise.all([...names.keys()].map(serverOf)), slots };
}

export function isSameTopology(a: RedisTopology, b: RedisTopology): boolean {
  return JSON.stringify(a.servers) === JSON.stringify(b.servers) && a.slots.every((n, slot) => n === b.slots[slot]);
}
