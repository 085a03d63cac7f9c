// The demonstration itself: Redis, then a server and a generator per run, with priorities on and off.
// In: options. Out: what was measured. Everything that was started ends with it, also after a fault or a ^C.

import type { ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Report, RunReport } from '../mcc/report.js';
import { type RedisServer, redisDown, redisUp } from '../redis/servers.js';
import type { Child } from './child.js';
import { Generator } from './generator.js';
import type { StartOptions } from './options.js';
import { redisCalls, resetRedisStats } from './redis-stats.js';
import type { Measured, Twin } from './result.js';
import { Server } from './server.js';

const BASELINE_CONNECTIONS = 1_000;
/** Below this the server's own memory hides the connections'. */
const MEASURABLE_CONNECTIONS = 10_000;
/** So many in flight keep every thread busy: fewer would measure round trips. */
const CAPACITY = 'capacity:16384/4s';
const OVERLOAD_S = 5;
/** Redis is asked for its counters between two phases. */
const PAUSE = 'pause:1s';

interface Run {
  report: Report;
  /** Memory of the server while all connections were idle. */
  idleBytes: number;
  /** Redis' calls up to the end of the first phase. */
  firstPhaseCalls: number;
}

export class Demo {
  private readonly folder = mkdtempSync(join(tmpdir(), 'qstack-start-'));
  private readonly redisProcesses: ChildProcess[] = [];
  private redis: RedisServer[] = [];
  private children: Child[] = [];
  private stopped = false;

  constructor(
    private readonly options: StartOptions,
    private readonly say: (line: string) => void,
    private readonly startedMs = Date.now(),
  ) {}

  async measure(): Promise<Measured> {
    this.redis = await redisUp(this.options.redisServers, join(this.folder, 'redis'), this.redisProcesses);
    this.say(`${this.redis.length} redis-server${this.redis.length === 1 ? '' : 's'} on private sockets`);
    const on = await this.run(true, this.firstPhases());
    const capacityPerS = on.report.capacity_per_s;
    const off = await this.run(false, this.twinPhases(capacityPerS));
    const overload = (run: Run) => run.report.phases.at(-1) as RunReport;
    const twins: Twin = { on: first(on.report), off: first(off.report) };
    return {
      connections: this.options.connections,
      connected: on.report.connected,
      main: twins,
      overload: capacityPerS === undefined ? undefined : { capacityPerS, on: overload(on), off: overload(off) },
      redisOps: on.firstPhaseCalls,
      bytesPerConnection: await this.bytesPerConnection(on),
    };
  }

  /** Ends what runs; whoever waits in measure() gets a fault that says so. */
  stop(signal: NodeJS.Signals): void {
    this.stopped = true;
    for (const child of this.children) child.signal(signal);
  }

  async clean(): Promise<void> {
    await Promise.all(this.children.filter((child) => child.isRunning).map((child) => child.stop('SIGTERM')));
    await redisDown(join(this.folder, 'redis'));
    rmSync(this.folder, { recursive: true, force: true });
  }

  private firstPhases(): string {
    const { ratePerS, durationMs, burst } = this.options;
    if (ratePerS !== undefined) return `paced:${ratePerS}/${durationMs}ms,${PAUSE}`;
    return `wave:${burst}/1s/${durationMs}ms,${PAUSE},${CAPACITY},${PAUSE},paced:150%/${OVERLOAD_S}s`;
  }

  /** The same load again: the overload is that of the first run, not of this run's own capacity. */
  private twinPhases(capacityPerS: number | undefined): string {
    const { ratePerS, durationMs, burst } = this.options;
    if (ratePerS !== undefined || capacityPerS === undefined) return this.firstPhases();
    const rate = Math.max(1, Math.round(capacityPerS * 1.5));
    return `wave:${burst}/1s/${durationMs}ms,${PAUSE},paced:${rate}/${OVERLOAD_S}s`;
  }

  private async run(priorities: boolean, phases: string, connections = this.options.connections): Promise<Run> {
    const { server, generator, seen } = await this.startRun(priorities, phases, connections);
    const report = await generator.report();
    if (this.stopped) throw new Error('stopped');
    const firstPhaseCalls = (await seen.calls) ?? (await redisCalls(this.redis));
    await server.stop();
    this.children = [];
    return { report, idleBytes: seen.idleBytes, firstPhaseCalls };
  }

  private async startRun(priorities: boolean, phases: string, connections: number) {
    if (this.stopped) throw new Error('stopped');
    const { folder, redis, say } = this;
    const server = await Server.start({ folder, connections, priorities, redis }, say);
    this.children.push(server.child);
    say(
      `iotepserver is on the air, priorities ${priorities ? 'on' : 'off'} (${((Date.now() - this.startedMs) / 1000).toFixed(1)} s after the start)`,
    );
    await resetRedisStats(redis);
    const seen: { idleBytes: number; calls: Promise<number> | undefined } = { idleBytes: 0, calls: undefined };
    const { highShare, seed } = this.options;
    const generator = new Generator({
      ...{ folder, connections, phases, highShare, seed, say },
      onIdle: () => {
        seen.idleBytes = server.bytes;
      },
      onRun: (run) => {
        say(`${run.phase} done: ${run.answered_per_s.toLocaleString('en-US')} answered/s`);
        seen.calls ??= redisCalls(redis);
      },
    });
    this.children.push(generator.child);
    return { server, generator, seen };
  }

  /** Against a server planned for and holding 1,000 connections, with the same packet pools. */
  private async bytesPerConnection({ idleBytes }: Run): Promise<number | null> {
    const { connections } = this.options;
    if (connections < MEASURABLE_CONNECTIONS || idleBytes === 0) return null;
    const { server, generator, seen } = await this.startRun(true, 'paced:1/1s', BASELINE_CONNECTIONS);
    await generator.report();
    await server.stop();
    this.children = [];
    return Math.round((idleBytes - seen.idleBytes) / (connections - BASELINE_CONNECTIONS));
  }
}

function first(report: Report): RunReport {
  return report.phases[0] as RunReport;
}
