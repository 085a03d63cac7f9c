// What the running servers of a folder are: role, slots, memory, clients. In: servers. Out: a row for each, asked of it.
import { Redis } from 'ioredis';
import type { RedisServer } from './servers.js';

export interface ServerStatus {
  name: string;
  pid: number;
  role: string;
  /** Of a cluster's master; 0 for all others. */
  slots: number;
  keys: number;
  memory_bytes: number;
  /** 0: no limit. */
  memory_max_bytes: number;
  clients: number;
  operations_per_s: number;
  /** How it is reached. */
  socket: string;
  tcp: string | null;
}

function field(info: string, name: string): string {
  return new RegExp(`^${name}:(.*?)\r?$`, 'm').exec(info)?.[1] ?? '';
}

/** Slots of a server's own line in CLUSTER NODES: `… connected 0-5460 [93->-id]`. */
export function slotsIn(nodes: string): number {
  const own = nodes.split('\n').find((line) => line.includes('myself')) ?? '';
  const ranges = own.split(' ').slice(8);
  return ranges.reduce((sum, range) => {
    const [, first, last = first] = /^(\d+)(?:-(\d+))?$/.exec(range) ?? [];
    return first === undefined ? sum : sum + Number(last) - Number(first) + 1;
  }, 0);
}

export async function statusOf(server: RedisServer): Promise<ServerStatus> {
  const client = new Redis(server.socket, { maxRetriesPerRequest: 1, connectTimeout: 1_000 });
  try {
    const info = await client.info();
    const isMember = field(info, 'cluster_enabled') === '1';
    return {
      name: `${server.kind}-${server.index}`,
      pid: server.pid,
      role: field(info, 'role') === 'slave' ? 'replica' : field(info, 'role'),
      slots: isMember ? slotsIn(String(await client.call('CLUSTER', 'NODES'))) : 0,
      keys: await client.dbsize(),
      memory_bytes: Number(field(info, 'used_memory')),
      memory_max_bytes: Number(field(info, 'maxmemory')),
      // Without this one.
      clients: Number(field(info, 'connected_clients')) - 1,
      operations_per_s: Number(field(info, 'instantaneous_ops_per_sec')),
      socket: server.socket,
      tcp: server.port === 0 ? null : `127.0.0.1:${server.port}`,
    };
  } finally {
    client.disconnect();
  }
}
