// Tally: what one app thread counts of its messages. In: one call per message. Out: a plain object, on request, that control
// adds up over the app threads. Counts are since the start; latencies are since the last report.
import { Latency } from './latency.js';

export interface LevelTally {
  name: string;
  messages: number;
  replies: number;
  /** Redis did not answer in time, or with an error. */
  unavailable: number;
  /** From the frame's arrival to Redis' reply, since the last report. */
  redis_p50_us: number;
  redis_p99_us: number;
  redis_max_us: number;
}

export interface TallyReport {
  levels: LevelTally[];
  /** Too short to be a message. */
  malformed: number;
  /** By the code of the failure. */
  redis_failures: Record<string, number>;
  /** Commands that a Redis Cluster has sent on, and that came to their reply all the same: MOVED, ASK. */
  redis_moved: number;
  redis_asked: number;
  /** The same for those that it could not answer at first: TRYAGAIN, CLUSTERDOWN. */
  redis_retried: number;
}

/** What the Redis client counts by server. */
type Redirections = readonly { readonly moved: number; readonly asked: number; readonly retried: number }[];

export class Tally {
  malformed = 0;
  private readonly messages: number[];
  private readonly replies: number[];
  private readonly unavailable: number[];
  private readonly latencies: Latency[];
  private readonly failures: Record<string, number> = {};

  constructor(private readonly names: readonly string[]) {
    this.messages = names.map(() => 0);
    this.replies = names.map(() => 0);
    this.unavailable = names.map(() => 0);
    this.latencies = names.map(() => new Latency());
  }

  served(level: number, latencyUs: number): void {
    this.messages[level] = (this.messages[level] as number) + 1;
    this.latencies[level]?.record(latencyUs);
  }

  failed(level: number, error: unknown): void {
    this.messages[level] = (this.messages[level] as number) + 1;
    this.unavailable[level] = (this.unavailable[level] as number) + 1;
    const code = (error as { code?: unknown } | null)?.code;
    const name = typeof code === 'string' ? code : 'UNKNOWN';
    this.failures[name] = (this.failures[name] ?? 0) + 1;
  }

  replied(level: number): void {
    this.replies[level] = (this.replies[level] as number) + 1;
  }

  report(servers: Redirections = []): TallyReport {
    const levels = this.names.map((name, level) => {
      const latency = this.latencies[level] as Latency;
      const tally = {
        name,
        messages: this.messages[level] as number,
        replies: this.replies[level] as number,
        unavailable: this.unavailable[level] as number,
        redis_p50_us: latency.quantileUs(0.5),
        redis_p99_us: latency.quantileUs(0.99),
        redis_max_us: latency.maxUs,
      };
      latency.clear();
      return tally;
    });
    return {
      levels,
      malformed: this.malformed,
      redis_failures: { ...this.failures },
      redis_moved: servers.reduce((sum, { moved }) => sum + moved, 0),
      redis_asked: servers.reduce((sum, { asked }) => sum + asked, 0),
      redis_retried: servers.reduce((sum, { retried }) => sum + retried, 0),
    };
  }
}

/** Counts added; of latencies the worst app thread's, because percentiles cannot be added. */
export function sumTallies(reports: readonly TallyReport[]): TallyReport {
  const redis = { redis_moved: 0, redis_asked: 0, redis_retried: 0 };
  const sum: TallyReport = { levels: [], malformed: 0, redis_failures: {}, ...redis };
  for (const report of reports) {
    sum.malformed += report.malformed;
    sum.redis_moved += report.redis_moved;
    sum.redis_asked += report.redis_asked;
    sum.redis_retried += report.redis_retried;
    for (const [code, n] of Object.entries(report.redis_failures)) {
      sum.redis_failures[code] = (sum.redis_failures[code] ?? 0) + n;
    }
    report.levels.forEach((level, index) => {
      sum.levels[index] = sum.levels[index] === undefined ? { ...level } : addLevels(sum.levels[index], level);
    });
  }
  return sum;
}

function addLevels(a: LevelTally, b: LevelTally): LevelTally {
  return {
    name: a.name,
    messages: a.messages + b.messages,
    replies: a.replies + b.replies,
    unavailable: a.unavailable + b.unavailable,
    redis_p50_us: Math.max(a.redis_p50_us, b.redis_p50_us),
    redis_p99_us: Math.max(a.redis_p99_us, b.redis_p99_us),
    redis_max_us: Math.max(a.redis_max_us, b.redis_max_us),
  };
}
