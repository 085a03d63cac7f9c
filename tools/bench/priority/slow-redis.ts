// A Redis server that is slow: it works for a moment, then answers nobody for a while, and so on until it is told to stop.
// In: its socket. Out: the function that ends it. CLIENT PAUSE does it, which ends by itself: nothing has to be undone.
import { setTimeout as sleep } from 'node:timers/promises';
import { Redis } from 'ioredis';

export interface Slowness {
  readonly worksMs: number;
  readonly pausesMs: number;
}

export function slowDown(socket: string, { worksMs, pausesMs }: Slowness): () => Promise<void> {
  const client = new Redis(socket, { maxRetriesPerRequest: 1, retryStrategy: () => null });
  client.on('error', () => {});
  let over = false;
  const loop = async () => {
    while (!over) {
      await client.call('CLIENT', 'PAUSE', String(pausesMs), 'ALL');
      await sleep(pausesMs + worksMs);
    }
  };
  const ended = loop().catch((error: Error) => error);
  return async () => {
    over = true;
    const fault = await ended;
    client.disconnect();
    if (fault !== undefined) throw new Error(`the Redis server was not slow: ${fault.message}`);
  };
}
