// What Redis itself counted: calls of SET and GET since the last reset, summed over all servers.
import { Redis } from 'ioredis';
import type { RedisServer } from '../redis/servers.js';

async function ask<T>(servers: readonly RedisServer[], question: (client: Redis) => Promise<T>): Promise<T[]> {
  return Promise.all(
    servers.map(async ({ socket }) => {
      const client = new Redis(socket, { lazyConnect: true, maxRetriesPerRequest: 1, retryStrategy: () => null });
      client.on('error', () => {});
      try {
        await client.connect();
        return await question(client);
      } finally {
        client.disconnect();
      }
    }),
  );
}

export async function resetRedisStats(servers: readonly RedisServer[]): Promise<void> {
  await ask(servers, (client) => client.config('RESETSTAT'));
}

/** Calls of data commands in the text of `INFO commandstats`. */
export function callsOf(info: string): number {
  const calls = [...info.matchAll(/^cmdstat_(?:get|set):calls=(\d+)/gm)].map((match) => Number(match[1]));
  return calls.reduce((sum, part) => sum + part, 0);
}

export async function redisCalls(servers: readonly RedisServer[]): Promise<number> {
  const texts = await ask(servers, (client) => client.info('commandstats'));
  return texts.reduce((sum, text) => sum + callsOf(text), 0);
}
