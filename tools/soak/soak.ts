// Soak: one long run from its first process to its verdict: Redis servers, the server, its devices, and the troubles of a plan.
// In: options. Out: a report. Everything that was started ends with it, by its pid. stop() ends the load early; what was promised
// is checked all the same.
import type { ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { redisDown, redisUp } from '../redis/servers.js';
import { Child } from '../start/child.js';
import { programPath } from '../start/place.js';
import { Server, type ServerPlan, socketPath } from '../start/server.js';
import { type Census, leftOf } from './census.js';
import type { FleetOptions, FleetState, FromDevices, ToDevices } from './devices.js';
import { type Reading, trendOf } from './memory.js';
import type { SoakOptions } from './options.js';
import { planOf } from './plan.js';
import { progressText } from './progress.js';
import type { SoakReport } from './report.js';
import { RULE_VARIANTS } from './rules.js';
import type { ServerState } from './server.js';
import { Troubles } from './troubles.js';
import { findingsOf } from './verdict.js';
import { ServerVoice } from './voice.js';

const REDIS_SERVERS = 2;
const SERVER_ADDRESS = '10.0.0.1';
const DEVICES_ADDRESS = '10.0.1.2/16';
/** So few that an outage of Redis uses them up, and each has been used when the warm-up is over. */
const PACKETS = 16_384;
/** A device's connection, on average; in a short run less, so that there are ends. */
const LIFE_MS = 10_000;
const LIVES_MIN = 5;
/** Where a message is planted as lost nobody has to wait for it for long. */
const PATIENCE_MS = { real: 60_000, planted: 1_000 };
/**
 * TIME-WAIT is short, so that the end is soon. A reset that found no room on its way leaves a connection to nobody: silent peers
 * are asked. Nobody is given up sooner than by Linux.
 */
const LINES = [
  ...['tcp_timewait = 1s', 'drain_timeout = 2s'],
  ...['keepalive = 5s', 'keepalive_interval = 1s', 'keepalive_count = 60'],
];
const TICK_MS = 50;
const READING_EVERY_MS = 1_000;
const OPEN_MS_MAX = 60_000;
const END_MS_MAX = 120_000;
const SETTLE_MS_MAX = 60_000;
const QUIT_MS_MAX = 30_000;

export class Soak {
  private readonly folder = mkdtempSync(join(tmpdir(), 'qstack-soak-'));
  private readonly redisProcesses: ChildProcess[] = [];
  private readonly voice = new ServerVoice();
  private readonly readings: Reading[] = [];
  private readonly faults: string[] = [];
  private server: Server | undefined;
  private devices: Child | undefined;
  private serverState: ServerState | undefined;
  private fleet: FleetState | undefined;
  private isReady = false;
  private ended: { readonly state: FleetState; readonly left: Census } | undefined;
  private isStopped = false;

  constructor(
    private readonly options: SoakOptions,
    private readonly say: (line: string) => void,
  ) {}

  stop(): void {
    this.isStopped = true;
  }

  async run(): Promise<SoakReport> {
    const { server, plan } = await this.startServer();
    const fresh = await this.firstState();
    const devices = this.startDevices();
    await this.waitFor('the devices to open their connections', OPEN_MS_MAX, () => this.isReady);
    this.say(`${this.options.connections} devices are connected`);
    const scene = {
      ...{ plan, server, voice: this.voice, redisFolder: this.redisFolder, redisProcesses: this.redisProcesses },
      tellDevices: (message: ToDevices) => devices.send(message),
      say: this.options.isVerbose ? this.say : () => {},
    };
    const troubles = new Troubles(scene);
    const ranS = await this.play(troubles);
    return this.end({ troubles, fresh, ranS, devices, server });
  }

  private get redisFolder(): string {
    return join(this.folder, 'redis');
  }

  private async startServer(): Promise<{ server: Server; plan: ServerPlan }> {
    const { connections, stackThreads, appThreads, isShared } = this.options;
    const redis = await redisUp(REDIS_SERVERS, this.redisFolder, { foreground: this.redisProcesses });
    const plan: ServerPlan = {
      ...{ folder: this.folder, connections: connections * 2, priorities: true, redis, packets: PACKETS },
      ...{ stackThreads, appThreads },
      lines: isShared ? [...LINES, 'arrangement = shared'] : LINES,
      program: 'dist/tools/soak/server.js',
      onErrorLine: (line) => this.voice.hear(line),
      onMessage: (state) => {
        this.serverState = state as ServerState;
      },
    };
    this.server = await Server.start(plan, this.say);
    return { server: this.server, plan };
  }

  private async firstState(): Promise<Census> {
    await this.waitFor('the server to say what it has', OPEN_MS_MAX, () => this.serverState !== undefined);
    return this.serverState?.census ?? {};
  }

  private startDevices(): Child {
    const { seed, connections, ratePerS, minutes, plants } = this.options;
    const fleet: FleetOptions = {
      device: `memif:${socketPath(this.folder)}?client`,
      hostIp: DEVICES_ADDRESS,
      server: SERVER_ADDRESS,
      ...{ seed, connections, ratePerS },
      lifeMs: Math.min(LIFE_MS, (minutes * 60_000) / LIVES_MIN),
      patienceMs: plants.length === 0 ? PATIENCE_MS.real : PATIENCE_MS.planted,
      plants,
    };
    this.devices = new Child({
      name: 'devices',
      command: [process.execPath, programPath('dist/tools/soak/devices.js'), JSON.stringify(fleet)],
      onMessage: (message) => this.hear(message as FromDevices),
    });
    return this.devices;
  }

  private hear(message: FromDevices): void {
    if (message.type === 'ready') this.isReady = true;
    if (message.type === 'state') this.fleet = message.state;
    if (message.type === 'ended') this.ended = { state: message.state, left: message.left };
  }

  /** Throws when it does not come in time, or a program has ended. */
  private async waitFor(what: string, limitMs: number, holds: () => boolean): Promise<void> {
    const untilMs = performance.now() + limitMs;
    while (!holds()) {
      this.checkRunning();
      if (performance.now() > untilMs) throw new Error(`waited ${limitMs / 1_000} s for ${what}. ${this.words()}`);
      await sleep(TICK_MS);
    }
  }

  private words(): string {
    return `The server's last words:\n${this.server?.child.words}\nthose of the devices:\n${this.devices?.words}`;
  }

  private checkRunning(): void {
    for (const child of [this.server?.child, this.devices]) {
      if (child !== undefined && !child.isRunning) throw new Error(child.failure());
    }
  }

  /** The load and its troubles, for as long as was asked; seconds. */
  private async play(troubles: Troubles): Promise<number> {
    const { seed, minutes, progressMs } = this.options;
    const lengthMs = minutes * 60_000;
    const plan = planOf(seed, lengthMs, REDIS_SERVERS, RULE_VARIANTS.length);
    const startedMs = performance.now();
    let [nextReadingMs, nextProgressMs] = [0, progressMs];
    let before = this.fleet;
    for (let nowMs = 0; nowMs < lengthMs && !this.isStopped; nowMs = performance.now() - startedMs) {
      this.checkRunning();
      for (let trouble = plan[0]; trouble !== undefined && trouble.atMs <= nowMs; trouble = plan[0]) {
        plan.shift();
        troubles.begin(trouble);
      }
      if (nowMs >= nextReadingMs) {
        nextReadingMs += READING_EVERY_MS;
        this.readings.push({ atS: nowMs / 1_000, bytes: this.server?.bytes ?? 0 });
      }
      if (nowMs >= nextProgressMs) {
        nextProgressMs += progressMs;
        this.sayProgress(nowMs, troubles, before);
        before = this.fleet;
      }
      await sleep(TICK_MS);
    }
    return (performance.now() - startedMs) / 1_000;
  }

  private sayProgress(nowMs: number, troubles: Troubles, before: FleetState | undefined): void {
    const { fleet, voice } = this;
    if (fleet === undefined) return;
    const serverBytes = this.readings.at(-1)?.bytes ?? 0;
    this.say(
      progressText({
        nowMs,
        fleet,
        before,
        periodMs: this.options.progressMs,
        counts: troubles.counts,
        resets: voice.resets,
        serverBytes,
      }),
    );
  }

  private async end(parts: {
    troubles: Troubles;
    fresh: Census;
    ranS: number;
    devices: Child;
    server: Server;
  }): Promise<SoakReport> {
    const { troubles, fresh, ranS, devices, server } = parts;
    this.say('the load ends; what was promised is checked');
    await troubles.end();
    devices.send({ type: 'end' } satisfies ToDevices);
    await this.waitFor('the devices to end', END_MS_MAX, () => this.ended !== undefined);
    const leftAtServer = await this.settle(fresh);
    const serverCounters = this.serverState?.counters ?? {};
    devices.send({ type: 'quit' } satisfies ToDevices);
    await this.waitFor('the devices to quit', QUIT_MS_MAX, () => !devices.isRunning);
    await server.stop();
    const { state, left: leftAtDevices } = this.ended ?? { state: this.fleet as FleetState, left: {} };
    const memory = trendOf(this.readings, ranS);
    const { deaths, restarts, resets } = this.voice;
    const findings = findingsOf({
      ...{ devices: state, leftAtDevices, leftAtServer, serverCounters, memory, deaths, restarts },
      deathsTold: troubles.counts.deaths,
      faults: [...this.voice.faults, ...troubles.faults],
    });
    const { seed, minutes, connections, stackThreads, appThreads, isShared } = this.options;
    return {
      ...{ seed, minutes, connections, stackThreads, appThreads, isShared, memory, findings },
      seconds: ranS,
      isStoppedEarly: this.isStopped,
      devices: state,
      troubles: troubles.counts,
      resetByServer: resets,
      left: { server: leftAtServer, devices: leftAtDevices },
    };
  }

  /** What the server still has in use, when it has had time to give it back. */
  private async settle(fresh: Census): Promise<Census> {
    const untilMs = performance.now() + SETTLE_MS_MAX;
    for (;;) {
      this.serverState = undefined;
      await this.waitFor('the server to say what it has', OPEN_MS_MAX, () => this.serverState !== undefined);
      const left = leftOf((this.serverState as ServerState | undefined)?.census ?? {}, fresh);
      if (Object.keys(left).length === 0 || performance.now() > untilMs) return left;
    }
  }

  /** Ends what still runs. */
  async clean(): Promise<void> {
    await this.devices?.stop('SIGTERM');
    if (this.server?.child.isRunning) await this.server.child.stop('SIGTERM');
    await redisDown(this.redisFolder);
    rmSync(this.folder, { recursive: true, force: true });
  }
}
