// RedisWatch: looks at the slot map of a Redis Cluster, in the thread of control; ioredis asks its servers.
// In: some of the cluster's servers. Out: each map that differs from the one before. Invariant: app threads never wait for it. They
// follow MOVED and ASK by themselves; what it adds is the successor of a server that is lost, which nobody names.
import { Cluster } from 'ioredis';
import type { RedisAddress } from './config/keys.js';
import type { Log } from './log.js';
import { isSameTopology, type RedisTopology, topologyOf } from './redis-topology.js';

/** From one look to the next; how long a successor is not known, beside the cluster's own time. */
const PERIOD_MS = 250;
const ANSWER_MS = 1_000;
const FIRST_MS = 3_000;

export class RedisWatch {
  private readonly cluster: Cluster;
  private readonly log: Log;
  private readonly onChange: (topology: RedisTopology) => void;
  private known: RedisTopology | undefined;
  private looking = Promise.resolve();
  private isClosed = false;

  private constructor(servers: readonly RedisAddress[], onChange: (topology: RedisTopology) => void, log: Log) {
    this.onChange = onChange;
    this.log = log;
    const seeds = servers.flatMap((server) =>
      server.kind === 'tcp' ? [{ host: server.host, port: server.port }] : [],
    );
    this.cluster = new Cluster(seeds, {
      slotsRefreshInterval: PERIOD_MS,
      slotsRefreshTimeout: ANSWER_MS,
      clusterRetryStrategy: () => PERIOD_MS,
      // A cluster that has lost a part has a map all the same.
      enableReadyCheck: false,
      redisOptions: { connectTimeout: ANSWER_MS },
    });
    this.cluster.on('error', (error: Error) => {
      log.warn('REDIS_CLUSTER', `no server of the cluster tells its slots: ${error.message}`, {}, 'REDIS_CLUSTER');
    });
    this.cluster.on('refresh', () => {
      this.looking = this.looking.then(() => this.look());
    });
  }

  /** Resolves with the first map, or, after a while, without one: then the given servers name the others by MOVED. */
  static async open(
    servers: readonly RedisAddress[],
    onChange: (topology: RedisTopology) => void,
    log: Log,
  ): Promise<RedisWatch> {
    let first: () => void = () => {};
    const told = new Promise<void>((resolve) => {
      first = resolve;
    });
    const watch = new RedisWatch(
      servers,
      (topology) => {
        onChange(topology);
        first();
      },
      log,
    );
    const late = setTimeout(first, FIRST_MS);
    await told;
    clearTimeout(late);
    return watch;
  }

  get topology(): RedisTopology | undefined {
    return this.known;
  }

  private async look(): Promise<void> {
    try {
      const now = await topologyOf(this.cluster.slots);
      if (now === undefined || this.isClosed || (this.known !== undefined && isSameTopology(now, this.known))) return;
      if (this.known !== undefined) this.log.info('REDIS_CLUSTER', `another slot map: ${now.servers.length} masters`);
      this.known = now;
      this.onChange(now);
    } catch (error) {
      this.log.warn(
        'REDIS_CLUSTER',
        `the slot map cannot be used: ${(error as Error).message}`,
        {},
        'REDIS_CLUSTER map',
      );
    }
  }

  close(): void {
    this.isClosed = true;
    this.cluster.disconnect();
  }
}
