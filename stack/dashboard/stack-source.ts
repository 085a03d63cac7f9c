// StackSource: a running stack as the dashboard sees it.
// In: Stack.figures(), the rings, /proc, once a second. Out: snapshots, metrics, new rules, another policy. Invariant: nothing that it does
// is per connection, and nothing of it runs where nobody looks but the reading itself. Inline this thread is the stack's as well: so
// it is done in parts, between which packets go on.
import { setImmediate as othersFirst } from 'node:timers/promises';
import { parseRule } from '../classifier.js';
import { readPolicyLines } from '../config/policy-lines.js';
import type { ConnectionQuery, ConnectionsFound } from '../connection-list.js';
import type { Stack } from '../control.js';
import { QstackError } from '../errors.js';
import { overloadOf } from '../overload.js';
import { policyLines } from '../policy.js';
import { timeOf } from '../sojourn.js';
import { busyCores, busyThreads, readCpu } from './cpu.js';
import { differenceOf, intervalOf, levelCells, sparse, stageFigures } from './percentiles.js';
import { connectionKey, RingLooks } from './ring-looks.js';
import type { LevelRates, ProgramFacts, RedisShard, RuleFigures, Rules, Snapshot, StageSpectrum } from './snapshot.js';
import type { DashboardSource } from './source.js';
import { stackMetrics } from './stack-metrics.js';
import { type StackReading, shardSums } from './stack-reading.js';

/** The stage that holds the others: from the poll of a frame to the port that has taken its reply. */
const WHOLE_WAY = 'wire';
/** Lines that may be given at once. */
const LINES_MAX = 256;

const rate = (now: number | undefined, before: number | undefined, seconds: number) =>
  Math.max(0, Math.round((((now ?? 0) - (before ?? 0)) / seconds) * 10) / 10);

export class StackSource implements DashboardSource<StackReading> {
  readonly program: ProgramFacts;
  private readonly stack: Stack;
  private readonly looks: RingLooks;

  constructor(stack: Stack, program: ProgramFacts) {
    this.stack = stack;
    this.program = program;
    this.looks = new RingLooks(stack.attachArena(), stack.levels);
  }

  async read(): Promise<StackReading> {
    const figures = await this.stack.figures();
    await othersFirst();
    const cpu = readCpu();
    await othersFirst();
    return { atMs: Date.now(), figures, cpu, depths: this.looks.depths() };
  }

  async snapshot(now: StackReading, before: StackReading): Promise<Omit<Snapshot, 'number'>> {
    const seconds = Math.max(0.001, (now.atMs - before.atMs) / 1_000);
    const cells = intervalOf(now.figures.stages, before.figures.stages);
    await othersFirst();
    const times = { stages: stageFigures(cells), spectrum: levelCells(cells, WHOLE_WAY) };
    await othersFirst();
    const { busiest, known } = this.looks.busiest();
    await othersFirst();
    const slowest = this.looks.slowest(known);
    await othersFirst();
    const [cores, threads] = [busyCores(now.cpu, before.cpu), busyThreads(now.cpu, before.cpu, seconds)];
    await othersFirst();
    return {
      at_ms: now.atMs,
      interval_s: seconds,
      program: this.program,
      levels: [...this.stack.levels],
      connections: this.connectionFigures(now, before, seconds),
      rates: this.rates(now, before, seconds),
      latency_stage: WHOLE_WAY,
      ...times,
      queues: now.depths,
      drops: drops(now, before, seconds),
      redis: this.redis(now, before, seconds),
      cores,
      threads,
      busiest,
      slowest,
      rules: this.rules(now, before, seconds),
      policy: { lines: policyLines(this.stack.levels, this.stack.policy) },
      more: more(now, before, seconds),
    };
  }

  private connectionFigures(now: StackReading, before: StackReading, seconds: number) {
    const { counters } = now.figures.counters;
    const old = before.figures.counters.counters;
    return {
      open: counters.connections_open ?? 0,
      capacity: this.stack.settings.connectionsMax,
      opened_per_s: rate(counters.connections_opened, old.connections_opened, seconds),
      closed_per_s: rate(counters.connections_closed, old.connections_closed, seconds),
      half_open: counters.half_open ?? 0,
      time_wait: counters.time_wait ?? 0,
    };
  }

  private rates(now: StackReading, before: StackReading, seconds: number): LevelRates[] {
    const { levels } = this.stack;
    const overload = ({ figures }: StackReading) => overloadOf(levels, figures.counters.deferredByLevel, figures.apps);
    const [load, old] = [overload(now), overload(before)];
    const answered = intervalOf(now.figures.stages, before.figures.stages).filter(({ stage }) => stage === WHOLE_WAY);
    return levels.map((level, index) => {
      const deferred = rate(load[index]?.deferred, old[index]?.deferred, seconds);
      const messages = now.figures.counters.messagesByLevel[index];
      const came = rate(messages, before.figures.counters.messagesByLevel[index], seconds);
      const replies = answered[index]?.cells.reduce((sum, count) => sum + count, 0) ?? 0;
      return {
        level,
        offered_per_s: Math.round((came + deferred) * 10) / 10,
        answered_per_s: rate(replies, 0, seconds),
        more: {
          deferred_per_s: deferred,
          moved_per_s: rate(load[index]?.moved, old[index]?.moved, seconds),
          shed_per_s: rate(load[index]?.shed, old[index]?.shed, seconds),
        },
      };
    });
  }

  private redis(now: StackReading, before: StackReading, seconds: number): RedisShard[] {
    const old = new Map(shardSums(before.figures.apps).map((shard) => [shard.server, shard]));
    return shardSums(now.figures.apps).map((shard) => {
      const was = old.get(shard.server);
      const cells = differenceOf(shard.cells, was?.cells);
      const { p50_us, p99_us } = timeOf('redis', '', cells);
      return {
        server: shard.server,
        connected: shard.connected,
        in_flight: shard.inFlight,
        waiting: shard.waiting,
        replied_per_s: rate(shard.replied, was?.replied, seconds),
        errors_per_s: rate(shard.errors, was?.errors, seconds),
        timeouts_per_s: rate(shard.timeouts, was?.timeouts, seconds),
        p50_us,
        p99_us,
      };
    });
  }

  private rules(now: StackReading, before: StackReading, seconds: number): Rules {
    const lines = [...this.stack.classifyTexts];
    const active = this.stack.settings.priorities;
    const old = before.figures.rules;
    const all = now.figures.rules.map(({ rule, level, hits }, index): RuleFigures => {
      const was = old[index]?.rule === rule ? old[index]?.hits : 0;
      const from = active && index < lines.length ? 'configuration' : 'program';
      return { rule, level, from, hits, hits_per_s: rate(hits, (was ?? 0) > hits ? 0 : was, seconds) };
    });
    return { lines, active, all };
  }

  async stages(): Promise<StageSpectrum[]> {
    const { stages } = await this.stack.figures();
    return stages.map(({ stage, level, cells }) => ({ stage, level, cells: sparse(cells) }));
  }

  async metrics(): Promise<string> {
    return stackMetrics(await this.read(), this.stack.levels, this.program);
  }

  async connections(query: ConnectionQuery): Promise<ConnectionsFound> {
    const found = await this.stack.connections(query);
    const counts = this.looks.levelCounts(new Set(found.lines.map(connectionKey)));
    return { ...found, lines: found.lines.map((line) => ({ ...line, levels: counts.get(connectionKey(line)) ?? {} })) };
  }

  /** In place of the configuration's rules. QST_ERR_CLASSIFIER_INVALID, with the line's number, changes nothing. */
  classify(texts: readonly string[]): void {
    if (texts.length > LINES_MAX) throw invalid(`${texts.length} rules; at most ${LINES_MAX} are taken`);
    texts.forEach((text, index) => {
      try {
        parseRule(text, this.stack.levels);
      } catch (error) {
        throw invalid(`line ${index + 1}: ${(error as Error).message}`);
      }
    });
    this.stack.classifyLines(texts.map((text) => ({ text, where: 'dashboard' })));
  }

  /** In place of the configuration's policy. QST_ERR_CONFIG_INVALID, with the lines' numbers, changes nothing. */
  schedule(lines: readonly string[]): void {
    this.stack.scheduleSettings(readPolicyLines(lines));
  }
}

function invalid(sentence: string): QstackError {
  return new QstackError('QST_ERR_CLASSIFIER_INVALID', sentence);
}

function drops(now: StackReading, before: StackReading, seconds: number): Record<string, number> {
  const old = before.figures.counters.counters;
  const named = Object.entries(now.figures.counters.counters).filter(([name]) => name.startsWith('drop_'));
  const rates = named.map(([name, count]) => [name.slice(5), rate(count, old[name], seconds)] as const);
  return Object.fromEntries(rates.filter(([, perS]) => perS > 0));
}

function more(now: StackReading, before: StackReading, seconds: number): Record<string, number> {
  const { counters, pools } = now.figures.counters;
  const old = before.figures.counters.counters;
  const perS = (name: string) => rate(counters[name], old[name], seconds);
  return {
    rx_packets_per_s: perS('rx_packets'),
    tx_packets_per_s: perS('tx_packets'),
    rx_bytes_per_s: perS('rx_bytes'),
    tx_bytes_per_s: perS('tx_bytes'),
    retransmits_per_s: perS('retransmits'),
    rx_packets_free: pools.rxFree,
    tx_packets_free: pools.txFree,
    hiccup_p99_us: now.figures.hiccups.p99Us,
    resident_bytes: process.memoryUsage.rss(),
  };
}
