// StackReading: everything that is counted of a running stack at one moment, and the sums over its app threads.
// In: what control and /proc tell. Out: plain figures since the start; two readings make a snapshot.
import type { UserCounts } from '../app-protocol.js';
import type { StackFigures } from '../control.js';
import type { RedisServerStats } from '../redis-native.js';
import type { CpuTimes } from './cpu.js';
import { sumOfCells } from './percentiles.js';
import type { QueueDepth } from './snapshot.js';
import type { Reading } from './source.js';

export interface StackReading extends Reading {
  figures: StackFigures;
  cpu: CpuTimes;
  depths: QueueDepth[];
}

export interface ShardSum
  extends Pick<
    RedisServerStats,
    'sent' | 'replied' | 'errors' | 'lost' | 'timeouts' | 'bytesIn' | 'bytesOut' | 'inFlight' | 'connected'
  > {
  /** A path, or host:port. */
  server: string;
  waiting: number;
  cells: Float64Array;
}

/** The clients of all app threads, by server; those of a cluster may know them in different orders. Connected: every client is. */
export function shardSums(apps: readonly UserCounts[]): ShardSum[] {
  const all = apps.flatMap(({ redis }) =>
    (redis?.servers ?? []).map((stats, index) => ({ stats, cells: redis?.latency[index] })),
  );
  const servers = [...new Set(all.map(({ stats }) => stats.address))];
  return servers.map((server) => {
    const same = all.filter(({ stats }) => stats.address === server);
    const sum = (of: (stats: RedisServerStats) => number) => same.reduce((total, { stats }) => total + of(stats), 0);
    return {
      server,
      sent: sum((stats) => stats.sent),
      replied: sum((stats) => stats.replied),
      errors: sum((stats) => stats.errors),
      lost: sum((stats) => stats.lost),
      timeouts: sum((stats) => stats.timeouts),
      bytesIn: sum((stats) => stats.bytesIn),
      bytesOut: sum((stats) => stats.bytesOut),
      inFlight: sum((stats) => stats.inFlight),
      waiting: sum((stats) => stats.waiting.reduce((total, count) => total + count, 0)),
      connected: same.every(({ stats }) => stats.connected),
      cells: sumOfCells(same.flatMap(({ cells }) => cells ?? [])),
    };
  });
}
