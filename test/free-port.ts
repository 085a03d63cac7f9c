// A TCP port of 127.0.0.1 for a server that a test is about to start. Nobody keeps it until then.
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { CLUSTER_SIZE } from '../tools/redis/cluster.js';

/** A port that is free now; 0 lets the kernel choose it. */
export async function freePort(wanted = 0): Promise<number> {
  const server = createServer().listen(wanted, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

const isFree = (port: number) =>
  freePort(port).then(
    () => true,
    () => false,
  );

/**
 * The first of a Redis Cluster's ports. They and those of its bus, 10,000 above, are free and below 32,768, where Linux begins to
 * take the ports of clients: a connection of another test would hold one of them a moment later.
 */
export async function freeClusterPort(): Promise<number> {
  const first = 12_000 + (process.pid % 1_000) * 10;
  for (let base = first; base < 22_700; base += 10) {
    const ports = Array.from({ length: CLUSTER_SIZE }, (_, i) => [base + i, base + i + 10_000]).flat();
    if ((await Promise.all(ports.map(isFree))).every(Boolean)) return base;
  }
  throw new Error(`no free ports for a cluster from ${first} on`);
}
