// What iotepserver says once a second, and at its end: from two successive samples of everything that is counted.
// In: samples. Out: one object per second (`--stats-json`), one line for a person, and the summary.
import type { LevelOverload } from '../../stack/overload.js';
import type { RuleHits } from '../../stack/rule-set.js';
import type { StageTime } from '../../stack/sojourn.js';
import type { TallyReport } from './tally.js';

export interface Sample {
  atMs: number;
  connections: number;
  tally: TallyReport;
  /** By the names of the stack's counters. */
  counters: Readonly<Record<string, number>>;
  handlersFailed: number;
  /** What too much work has led to, by level. */
  overload: readonly LevelOverload[];
  hiccupP99Us: number;
  /** Since the rules were put in place. */
  rules: readonly RuleHits[];
  /** Since the start. */
  stages: readonly StageTime[];
}

export interface Second {
  time: string;
  connections: number;
  levels: {
    name: string;
    messages_per_s: number;
    replies_per_s: number;
    unavailable_per_s: number;
    /** Segments that were dropped before TCP because messages of the level held all that they may. */
    deferred_per_s: number;
    /** Messages whose bytes moved to slabs because too many waited. */
    moved_per_s: number;
    redis_p50_us: number;
    redis_p99_us: number;
    redis_max_us: number;
  }[];
  malformed: number;
  handlers_failed: number;
  /** Frames that went no further in this second, by reason. */
  drops: Record<string, number>;
  retransmits: number;
  hiccup_p99_us: number;
  /** Frames that each rule has given their level, since it was put in place. */
  rules: readonly RuleHits[];
  /** Since the start. */
  stages: readonly StageTime[];
}

function difference(
  now: Readonly<Record<string, number>>,
  before: Readonly<Record<string, number>>,
  name: string,
): number {
  return (now[name] ?? 0) - (before[name] ?? 0);
}

export function secondOf(now: Sample, before: Sample): Second {
  const seconds = Math.max(0.001, (now.atMs - before.atMs) / 1_000);
  const perS = (a: number, b: number | undefined) => Math.round((a - (b ?? 0)) / seconds);
  const drops = Object.keys(now.counters)
    .filter((name) => name.startsWith('drop_'))
    .map((name) => [name.slice(5), difference(now.counters, before.counters, name)] as const)
    .filter(([, count]) => count > 0);
  return {
    time: new Date(now.atMs).toISOString(),
    connections: now.connections,
    levels: now.tally.levels.map((level, index) => {
      const old = before.tally.levels[index];
      return {
        name: level.name,
        messages_per_s: perS(level.messages, old?.messages),
        replies_per_s: perS(level.replies, old?.replies),
        unavailable_per_s: perS(level.unavailable, old?.unavailable),
        deferred_per_s: perS(now.overload[index]?.deferred ?? 0, before.overload[index]?.deferred),
        moved_per_s: perS(now.overload[index]?.moved ?? 0, before.overload[index]?.moved),
        redis_p50_us: level.redis_p50_us,
        redis_p99_us: level.redis_p99_us,
        redis_max_us: level.redis_max_us,
      };
    }),
    malformed: now.tally.malformed - before.tally.malformed,
    handlers_failed: now.handlersFailed - before.handlersFailed,
    drops: Object.fromEntries(drops),
    retransmits: difference(now.counters, before.counters, 'retransmits'),
    hiccup_p99_us: now.hiccupP99Us,
    rules: now.rules,
    stages: now.stages.filter(({ count }) => count > 0),
  };
}

const number = (value: number) => value.toLocaleString('en-US');

export function secondText(second: Second): string {
  const levels = second.levels.map((level) => {
    const away = level.unavailable_per_s > 0 ? ` unavailable ${number(level.unavailable_per_s)}/s` : '';
    const times = level.messages_per_s > 0 ? ` redis p50 ${level.redis_p50_us} us p99 ${level.redis_p99_us} us` : '';
    const deferred = level.deferred_per_s > 0 ? ` deferred ${number(level.deferred_per_s)}/s` : '';
    const moved = level.moved_per_s > 0 ? ` moved ${number(level.moved_per_s)}/s` : '';
    return `${level.name} ${number(level.messages_per_s)}/s${times}${away}${deferred}${moved}`;
  });
  const drops = Object.entries(second.drops).map(([reason, count]) => `${reason} ${number(count)}`);
  const rest = [
    `rules ${second.rules.map((rule) => number(rule.hits)).join('/')}`,
    ...(second.malformed > 0 ? [`malformed ${number(second.malformed)}`] : []),
    ...(second.retransmits > 0 ? [`retransmits ${number(second.retransmits)}`] : []),
    ...(drops.length > 0 ? [`drops: ${drops.join(', ')}`] : []),
  ];
  return [`connections ${number(second.connections)}`, ...levels, ...rest].join(' | ');
}

export function summaryText(last: Sample): string {
  const { tally, counters } = last;
  const levels = tally.levels.map(({ name, messages, replies, unavailable }, index) => {
    const { deferred = 0, moved = 0 } = last.overload[index] ?? {};
    const overload = `${deferred > 0 ? `, ${number(deferred)} segments deferred` : ''}${moved > 0 ? `, ${number(moved)} moved to slabs` : ''}`;
    return `  ${name}: ${number(messages)} messages, ${number(replies)} replies, ${number(unavailable)} without Redis${overload}`;
  });
  const drops = Object.entries(counters).filter(([name, count]) => name.startsWith('drop_') && count > 0);
  const { redis_moved: moved, redis_asked: asked, redis_retried: retried } = tally;
  return [
    `${number(counters.connections_opened ?? 0)} connections were opened, ${number(counters.connections_closed ?? 0)} closed`,
    ...levels,
    ...(tally.malformed > 0 ? [`  malformed: ${number(tally.malformed)}`] : []),
    ...Object.entries(tally.redis_failures).map(([code, count]) => `  ${code}: ${number(count)}`),
    ...(moved + asked > 0
      ? [`  redirected within the Redis Cluster: ${number(moved)} MOVED, ${number(asked)} ASK`]
      : []),
    ...(retried > 0 ? [`  sent to the Redis Cluster again: ${number(retried)} after TRYAGAIN or CLUSTERDOWN`] : []),
    ...drops.map(([name, count]) => `  dropped, ${name.slice(5)}: ${number(count)}`),
  ].join('\n');
}
