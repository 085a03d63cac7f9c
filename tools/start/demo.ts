// The demonstration itself: Redis, then a server and a generator per run, with priorities on and off.
// In: options. Out: what was measured. Everything that was started ends with it, also after a fault or a ^C.

import type { ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { plan } from '../../mempool/plan.js';
import type { Report, RunReport } from '../mcc/report.js';
import { type RedisServer, redisDown, redisUp } from '../redis/servers.js';
import type { Child } from './child.js';
import { Generator } from './generator.js';
import { layoutOf, redisServersOf } from './layout.js';
import type { StartOptions } from './options.js';
import { isHigherLoad, mainPhases, overloadPhases } from './phases.js';
import { redisCalls, resetRedisStats } from './redis-stats.js';
import type { Measured, Twin } from './result.js';
import { PACKETS, Server } from './server.js';

const BASELINE_CONNECTIONS = 1_000;
/** Below this the server's own memory hides the connections'. */
const MEASURABLE_CONNECTIONS = 10_000;

interface Run {
  report: Report;
  /** Memory of the server while all connections were idle. */
  idleBytes: number;
  /** Redis' calls up to the end of the first phase. */
  firstPhaseCalls: number;
}

interface Setup {
  priorities: boolean;
  phases: string;
  connections: number;
  /** What an earlier run has shown. */
  capacityPerS?: number | undefined;
}

export class Demo {
  private readonly folder = mkdtempSync(join(tmpdir(), 'qstack-start-'));
  private readonly redisProcesses: ChildProcess[] = [];
  private readonly layout = layoutOf();
  private redis: RedisServer[] = [];
  private children: Child[] = [];
  private stopped = false;

  constructor(
    private readonly options: StartOptions,
    private readonly say: (line: string) => void,
    private readonly startedMs = Date.now(),
  ) {}

  async measure(): Promise<Measured> {
    const { redisServers = redisServersOf(this.layout) } = this.options;
    const folder = join(this.folder, 'redis');
    this.redis = await redisUp(redisServers, folder, {
      foreground: this.redisProcesses,
      cores: this.layout.cores?.redis,
    });
    this.say(this.layout.text);
    this.say(`${this.redis.length} redis-server${this.redis.length === 1 ? '' : 's'} on private sockets`);
    const phases = mainPhases(this.options);
    const on = await this.run(true, phases);
    const off = await this.run(false, phases, on.report.capacity_per_s);
    const twins: Twin = { on: first(on.report), off: first(off.report) };
    return {
      connections: this.options.connections,
      connected: on.report.connected,
      main: twins,
      overload: await this.overloadOf(on, off),
      redisOps: on.firstPhaseCalls,
      bytesPerConnection: await this.bytesPerConnection(on),
      busyBytesPerConnection: busyBytesPerConnection(this.options.connections),
    };
  }

  /** Both under the same load: where the second run showed a higher capacity the first one is made again at that. */
  private async overloadOf(on: Run, off: Run): Promise<Measured['overload']> {
    const capacityPerS = off.report.capacity_per_s;
    const before = on.report.capacity_per_s;
    if (capacityPerS === undefined || before === undefined) return undefined;
    const last = (run: Run) => run.report.phases.at(-1) as RunReport;
    if (!isHigherLoad(capacityPerS, before)) return { capacityPerS, on: last(on), off: last(off) };
    this.say('priorities off showed a higher capacity: the overload with priorities on once more, at the same load');
    const again = await this.run(true, overloadPhases(capacityPerS));
    return { capacityPerS, on: last(again), off: last(off) };
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

  private async run(priorities: boolean, phases: string, capacityPerS?: number): Promise<Run> {
    const { connections } = this.options;
    const { server, generator, seen } = await this.startRun({ priorities, phases, connections, capacityPerS });
    const report = await generator.report();
    if (this.stopped) throw new Error('stopped');
    const firstPhaseCalls = (await seen.calls) ?? (await redisCalls(this.redis));
    await server.stop();
    this.children = [];
    return { report, idleBytes: seen.idleBytes, firstPhaseCalls };
  }

  private async startRun({ priorities, phases, connections, capacityPerS }: Setup) {
    if (this.stopped) throw new Error('stopped');
    const { folder, redis, layout, say } = this;
    const server = await Server.start({ folder, connections, priorities, redis, layout }, say);
    this.children.push(server.child);
    say(
      `iotepserver is on the air, priorities ${priorities ? 'on' : 'off'} (${((Date.now() - this.startedMs) / 1000).toFixed(1)} s after the start)`,
    );
    await resetRedisStats(redis);
    const seen: { idleBytes: number; calls: Promise<number> | undefined } = { idleBytes: 0, calls: undefined };
    const { highShare, seed } = this.options;
    const generator = new Generator({
      ...{ folder, connections, phases, capacityPerS, highShare, seed, layout, say },
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
    const { server, generator, seen } = await this.startRun({
      priorities: true,
      phases: 'paced:1/1s',
      connections: BASELINE_CONNECTIONS,
    });
    await generator.report();
    await server.stop();
    this.children = [];
    return Math.round((idleBytes - seen.idleBytes) / (connections - BASELINE_CONNECTIONS));
  }
}

/** Of the measured memory, what the plan has for data in flight, were all connections to have some at once. */
function busyBytesPerConnection(connections: number): number {
  const busyBytes = (count: number) => {
    const { items } = plan({ connections: count, levels: 2, apps: 1, packets: PACKETS });
    const ofBusy = items.filter(({ name }) => name === 'busy blocks' || name === 'early ranges');
    return ofBusy.reduce((sum, { bytes }) => sum + bytes, 0);
  };
  const more = busyBytes(connections) - busyBytes(BASELINE_CONNECTIONS);
  return Math.round(more / Math.max(1, connections - BASELINE_CONNECTIONS));
}

function first(report: Report): RunReport {
  return report.phases[0] as RunReport;
}
