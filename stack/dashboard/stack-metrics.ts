// StackMetrics: everything that a stack counts, as metrics. In: one reading. Out: the text of /metrics.
// Names are Prometheus' way: base units, `_total` for what only counts up, the level as a label. docs/metrics.md lists them.
import type { StackShare } from '../native.js';
import { overloadOf } from '../overload.js';
import { COUNTERS, GAUGES } from './counter-help.js';
import { TICKS_PER_S } from './cpu.js';
import { exposition, type Family, type MetricType, type Sample } from './exposition.js';
import type { ProgramFacts, QueueDepth } from './snapshot.js';
import { type ShardSum, type StackReading, shardSums } from './stack-reading.js';

interface Context {
  reading: StackReading;
  levels: readonly string[];
  program: ProgramFacts;
}

const one = (value: number): Sample[] => [{ labels: {}, value }];

function family(name: string, type: MetricType, help: string, samples: Sample[]): Family {
  return { name: `qstack_${name}`, type, help, samples };
}

function stackCounters({ reading }: Context): Family[] {
  const { counters } = reading.figures.counters;
  const reasons = Object.entries(counters).filter(([name]) => name.startsWith('drop_'));
  return [
    ...Object.entries(GAUGES).map(([name, help]) => family(name, 'gauge', help, one(counters[name] ?? 0))),
    ...Object.entries(COUNTERS).map(([name, help]) =>
      family(`${name}_total`, 'counter', help, one(counters[name] ?? 0)),
    ),
    family(
      'drops_total',
      'counter',
      'frames and records that went no further, by reason',
      reasons.map(([name, value]) => ({ labels: { reason: name.slice(5) }, value })),
    ),
  ];
}

function byLevel(levels: readonly string[], valueFor: (level: number) => number | undefined): Sample[] {
  return levels.map((level, index) => ({ labels: { level }, value: valueFor(index) ?? 0 }));
}

function levelCounters({ reading, levels }: Context): Family[] {
  const { counters, apps } = reading.figures;
  const load = overloadOf(levels, counters.deferredByLevel, apps);
  const counter = (name: string, help: string, valueFor: (level: number) => number | undefined) =>
    family(name, 'counter', help, byLevel(levels, valueFor));
  return [
    counter('level_messages_total', 'messages handed to apps, by level', (level) => counters.messagesByLevel[level]),
    counter(
      'level_deferred_total',
      'segments deferred by level (a part of rx_deferred)',
      (level) => load[level]?.deferred,
    ),
    counter('level_moved_total', 'messages whose bytes moved to slabs', (level) => load[level]?.moved),
    counter('level_shed_total', 'messages shed because they were older than max_age', (level) => load[level]?.shed),
  ];
}

function stages({ reading }: Context): Family[] {
  const histograms = reading.figures.stages.map(({ stage, level, cells }) => ({ labels: { stage, level }, cells }));
  const help = 'how long messages and their replies were in each stage (docs/priority.md 7)';
  return [{ ...family('stage_seconds', 'histogram', help, []), histograms }];
}

function apps({ reading }: Context): Family[] {
  const threads = reading.figures.apps;
  const sum = (of: (counts: (typeof threads)[number]) => number) =>
    threads.reduce((all, counts) => all + of(counts), 0);
  const counter = (name: string, help: string, value: number) => family(name, 'counter', help, one(value));
  return [
    counter(
      'handlers_failed_total',
      'handlers that threw',
      sum((counts) => counts.handlersFailed),
    ),
    counter(
      'sends_refused_total',
      'sends on connections that were gone',
      sum((counts) => counts.sendsRefused),
    ),
    counter(
      'send_overflows_total',
      'connections reset because their peers did not read what was sent',
      sum((counts) => counts.sendOverflows),
    ),
    counter(
      'stale_messages_total',
      'messages whose connection was gone',
      sum((counts) => counts.stale),
    ),
    family(
      'messages_waiting',
      'gauge',
      'messages that wait behind their connection’s handler',
      one(sum((counts) => counts.waiting)),
    ),
    family('messages_in_packets', 'gauge', 'messages that hold packets', one(sum((counts) => counts.inPackets))),
    family('messages_in_slabs', 'gauge', 'messages that hold slabs', one(sum((counts) => counts.inSlabs))),
  ];
}

function rules({ reading }: Context): Family[] {
  const samples = reading.figures.rules.map(({ rule, level, hits }) => ({ labels: { rule, level }, value: hits }));
  return [
    family('rule_hits_total', 'counter', 'frames that a rule gave their level, since it was put in place', samples),
  ];
}

function stackThreads({ reading }: Context): Family[] {
  const { stacks } = reading.figures.counters;
  const each = (valueFor: (stack: StackShare) => number, labels = {}): Sample[] =>
    stacks.map((stack, number) => ({ labels: { stack: String(number), ...labels }, value: valueFor(stack) }));
  return [
    family(
      'stack_connections',
      'gauge',
      'connections of a stack thread',
      each(({ connections }) => connections),
    ),
    family(
      'stack_rx_packets_total',
      'counter',
      'frames that a stack thread received',
      each(({ framesIn }) => framesIn),
    ),
    family(
      'stack_tx_packets_total',
      'counter',
      'frames that a stack thread sent',
      each(({ framesOut }) => framesOut),
    ),
    family('stack_packets_free', 'gauge', 'packets of a stack thread’s pool that are free', [
      ...each(({ rxFree }) => rxFree, { pool: 'rx' }),
      ...each(({ txFree }) => txFree, { pool: 'tx' }),
    ]),
  ];
}

function memory({ reading }: Context): Family[] {
  const { pools, linkUp, device } = reading.figures.counters;
  const sides = (rx: number, tx: number): Sample[] => [
    { labels: { pool: 'rx' }, value: rx },
    { labels: { pool: 'tx' }, value: tx },
  ];
  return [
    family('packets', 'gauge', 'packets of a pool', sides(pools.rxPackets, pools.txPackets)),
    family('packets_free', 'gauge', 'packets of a pool that are free', sides(pools.rxFree, pools.txFree)),
    family('packets_with_apps', 'gauge', 'packets of a pool that apps hold', sides(pools.rxWithApps, pools.txWithApps)),
    family('control_blocks', 'gauge', 'control blocks in use, one for each connection', one(pools.controlBlocks)),
    family('busy_blocks', 'gauge', 'blocks of connections with bytes in flight', one(pools.busyBlocks)),
    family('link_up', 'gauge', '1: the device has a link', one(linkUp ? 1 : 0)),
    family(
      'device_total',
      'counter',
      'what the device counts itself, by its own names',
      Object.entries(device).map(([name, value]) => ({ labels: { counter: name }, value })),
    ),
  ];
}

function queues({ reading }: Context): Family[] {
  const labels = ({ queue, level }: QueueDepth) => ({ queue, level });
  const all = (name: string, help: string, valueFor: (depth: QueueDepth) => number) =>
    family(
      name,
      'gauge',
      help,
      reading.depths.map((depth) => ({ labels: labels(depth), value: valueFor(depth) })),
    );
  return [
    all(
      'queue_records',
      'records in the rings between the stack and its apps, by ring and level',
      ({ depth }) => depth,
    ),
    all('queue_capacity_records', 'records that the rings hold', ({ capacity }) => capacity),
  ];
}

function redis({ reading }: Context): Family[] {
  const shards = shardSums(reading.figures.apps);
  const all = (name: string, type: MetricType, help: string, valueFor: (shard: ShardSum) => number) =>
    family(
      `redis_${name}`,
      type,
      help,
      shards.map((shard) => ({ labels: { server: shard.server }, value: valueFor(shard) })),
    );
  const seconds = family('redis_seconds', 'histogram', 'from the start of a command to its outcome, by server', []);
  return [
    all('connected', 'gauge', '1: every app thread is connected to it', ({ connected }) => (connected ? 1 : 0)),
    all('in_flight', 'gauge', 'commands in flight', ({ inFlight }) => inFlight),
    all('waiting', 'gauge', 'commands that wait for room in flight', ({ waiting }) => waiting),
    all('commands_total', 'counter', 'commands sent', ({ sent }) => sent),
    all('replies_total', 'counter', 'replies received', ({ replied }) => replied),
    all('errors_total', 'counter', 'replies that were errors', ({ errors }) => errors),
    all('timeouts_total', 'counter', 'commands without a reply in time', ({ timeouts }) => timeouts),
    all('lost_total', 'counter', 'commands under way when the connection broke', ({ lost }) => lost),
    all('received_bytes_total', 'counter', 'bytes of replies', ({ bytesIn }) => bytesIn),
    all('sent_bytes_total', 'counter', 'bytes of commands', ({ bytesOut }) => bytesOut),
    { ...seconds, histograms: shards.map(({ server, cells }) => ({ labels: { server }, cells })) },
  ];
}

function processFamilies({ reading, program }: Context): Family[] {
  const { hiccups } = reading.figures;
  const quantiles = { '0.5': hiccups.p50Us, '0.99': hiccups.p99Us, '0.999': hiccups.p999Us, '1': hiccups.maxUs };
  const { threads } = reading.cpu;
  const usage = process.cpuUsage();
  const plain = (name: string, type: MetricType, help: string, value: number): Family => ({
    name,
    type,
    help,
    samples: one(value),
  });
  return [
    family('build_info', 'gauge', 'always 1; the program and its versions', [
      { labels: { program: program.name, version: program.version, node: process.versions.node }, value: 1 },
    ]),
    family(
      'hiccup_seconds',
      'gauge',
      'largest gap between two idle turns of the stack per millisecond, by quantile, of the last report’s time',
      Object.entries(quantiles).map(([quantile, us]) => ({ labels: { quantile }, value: us / 1e6 })),
    ),
    family(
      'thread_cpu_seconds_total',
      'counter',
      'CPU time by thread',
      threads.map(({ name, id, ticks }) => ({ labels: { thread: name, id: String(id) }, value: ticks / TICKS_PER_S })),
    ),
    plain('process_cpu_seconds_total', 'counter', 'CPU time of the process', (usage.user + usage.system) / 1e6),
    plain('process_resident_memory_bytes', 'gauge', 'resident memory', process.memoryUsage.rss()),
    plain('process_start_time_seconds', 'gauge', 'start of the process since the epoch', program.started_ms / 1_000),
  ];
}

export function stackFamilies(context: Context): Family[] {
  return [
    ...processFamilies(context),
    ...levelCounters(context),
    ...stages(context),
    ...rules(context),
    ...stackCounters(context),
    ...apps(context),
    ...memory(context),
    ...stackThreads(context),
    ...queues(context),
    ...redis(context),
  ];
}

export function stackMetrics(reading: StackReading, levels: readonly string[], program: ProgramFacts): string {
  return exposition(stackFamilies({ reading, levels, program }));
}
