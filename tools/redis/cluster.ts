// A Redis Cluster of three masters with a replica each, on loopback: real redis-server processes that know each other.
// In: a folder and a first port. Out: six servers that have agreed who has which slot. Members are asked over their unix sockets;
// they speak TCP with each other and with clients, because a cluster names its members by address and port.
import { setTimeout as sleep } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { fileOf } from './server.js';
import { defaultRedisDir, type RedisServer, redisUp, type UpOptions } from './servers.js';

export const CLUSTER_PORT = 7_000;
export const CLUSTER_SIZE = 6;
const MASTERS = 3;
const SLOTS = 16_384;
/** Its bus listens so far above each port. */
const BUS_PORTS = 10_000;
const AGREE_MS = 30_000;
const POLL_MS = 50;

export interface ClusterOptions extends Omit<UpOptions, 'kind' | 'settings'> {
  /** A member that is silent for so long has failed: then its replica takes over. */
  nodeTimeoutMs?: number | undefined;
}

const memberSettings = (nodes: string, nodeTimeoutMs: number) => ({
  'cluster-enabled': 'yes',
  'cluster-config-file': nodes,
  'cluster-node-timeout': String(nodeTimeoutMs),
  // The slots of a lost master are no reason to refuse the others.
  'cluster-require-full-coverage': 'no',
  'repl-diskless-sync-delay': '0',
});

async function until(what: string, isSo: () => Promise<boolean>): Promise<void> {
  const deadline = Date.now() + AGREE_MS;
  while (!(await isSo())) {
    if (Date.now() > deadline)
      throw new Error(`the cluster is not made: ${what} is not so after ${AGREE_MS / 1_000} s`);
    await sleep(POLL_MS);
  }
}

async function fieldOf(member: Redis, name: string): Promise<string> {
  const said = `${await member.call('CLUSTER', 'INFO')}\n${await member.info('replication')}`;
  return new RegExp(`^${name}:(.*?)\\r?$`, 'm').exec(said)?.[1] ?? '';
}

async function every(members: readonly Redis[], name: string, value: string): Promise<boolean> {
  return (await Promise.all(members.map((member) => fieldOf(member, name)))).every((said) => said === value);
}

/** Members that know nothing of each other become a cluster. */
async function join(members: readonly Redis[], ports: readonly number[]): Promise<void> {
  const [first] = members as [Redis];
  await Promise.all(members.map((member, i) => member.call('CLUSTER', 'SET-CONFIG-EPOCH', i + 1)));
  await Promise.all(
    members.slice(0, MASTERS).map((master, i) => {
      const [begin, end] = [i, i + 1].map((k) => Math.floor((k * SLOTS) / MASTERS)) as [number, number];
      // ADDSLOTSRANGE is new in 7.0.
      return master.call('CLUSTER', 'ADDSLOTS', ...Array.from({ length: end - begin }, (_, k) => begin + k));
    }),
  );
  for (const port of ports.slice(1)) await first.call('CLUSTER', 'MEET', '127.0.0.1', port);
  await until('that all members know each other', () => every(members, 'cluster_known_nodes', String(CLUSTER_SIZE)));
  const ids = (await Promise.all(members.map((member) => member.call('CLUSTER', 'MYID')))) as string[];
  const replicas = members.slice(MASTERS);
  await until('that the replicas know the masters', async () => {
    const known = (await Promise.all(replicas.map((one) => one.call('CLUSTER', 'NODES')))) as string[];
    return known.every((nodes) => !nodes.includes('handshake') && ids.every((id) => nodes.includes(id)));
  });
  await Promise.all(replicas.map((replica, i) => replica.call('CLUSTER', 'REPLICATE', ids[i] as string)));
}

async function agree(members: readonly Redis[], ports: readonly number[], dir: string): Promise<void> {
  const known = await Promise.all(members.map((member) => fieldOf(member, 'cluster_known_nodes')));
  const slots = await Promise.all(members.map((member) => fieldOf(member, 'cluster_slots_assigned')));
  const isNew = known.every((n) => n === '1') && slots.every((n) => n === '0');
  if (isNew) await join(members, ports);
  else if (known.some((n) => n !== String(CLUSTER_SIZE)))
    throw new Error(`the cluster in ${dir} is half made: \`qstack redis down --dir ${dir}\`, then up again`);
  await until('that every member finds it in order', () => every(members, 'cluster_state', 'ok'));
  await until('that each replica has its master', async () => {
    const roles = await Promise.all(
      members.map(async (one) => [await fieldOf(one, 'role'), await fieldOf(one, 'master_link_status')]),
    );
    return roles.every(([role, link]) => role === 'master' || link === 'up');
  });
}

function checkPorts(port: number): void {
  const most = 65_535 - BUS_PORTS - CLUSTER_SIZE + 1;
  if (Number.isInteger(port) && port >= 1_024 && port <= most) return;
  throw new Error(
    `a cluster's first port is from 1,024 to ${most}: its members also need the ports ${BUS_PORTS} above`,
  );
}

/** Sees that the six members run and agree. A member that was killed comes back as what the others make of it. */
export async function clusterUp(dir = defaultRedisDir(), options: ClusterOptions = {}): Promise<RedisServer[]> {
  const { nodeTimeoutMs = 5_000, port = CLUSTER_PORT, ...rest } = options;
  checkPorts(port);
  const servers = await redisUp(CLUSTER_SIZE, dir, {
    ...rest,
    port,
    kind: 'cluster',
    settings: (place) => memberSettings(fileOf(place, 'nodes'), nodeTimeoutMs),
  });
  const members = servers.map(({ socket }) => new Redis(socket, { maxRetriesPerRequest: 1 }));
  try {
    await agree(
      members,
      servers.map((server) => server.port),
      dir,
    );
  } finally {
    for (const member of members) member.disconnect();
  }
  return servers;
}
