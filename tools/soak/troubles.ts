// Troubles: makes what a plan says happen to a running server. In: a trouble at its time. Out: nothing but a count, or a sentence
// where the server did not do what it should. Each process that is ended was started here, and is ended by its pid.
import type { ChildProcess } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { type RedisServer, redisStatus, redisUp } from '../redis/servers.js';
import { configPath, configText, type Server, type ServerPlan } from '../start/server.js';
import type { ToDevices } from './devices.js';
import type { Trouble } from './plan.js';
import { RULE_VARIANTS } from './rules.js';
import type { ServerVoice } from './voice.js';

export interface TroubleCounts {
  redisRestarts: number;
  reloads: number;
  deaths: number;
}

export interface Scene {
  readonly plan: ServerPlan;
  readonly server: Server;
  readonly voice: ServerVoice;
  readonly redisFolder: string;
  readonly redisProcesses: ChildProcess[];
  readonly tellDevices: (message: ToDevices) => void;
  readonly say: (line: string) => void;
}

const LIMIT_MS = 30_000;
const LOOK_MS = 20;

async function within(limitMs: number, holds: () => boolean): Promise<boolean> {
  const untilMs = performance.now() + limitMs;
  while (!holds()) {
    if (performance.now() > untilMs) return false;
    await sleep(LOOK_MS);
  }
  return true;
}

export class Troubles {
  readonly counts: TroubleCounts = { redisRestarts: 0, reloads: 0, deaths: 0 };
  readonly faults: string[] = [];
  /** What two troubles of one kind would do to each other: they wait. */
  private readonly lines = new Map<string, Promise<void>>();

  constructor(private readonly scene: Scene) {}

  begin(trouble: Trouble): void {
    const { kind } = trouble;
    const before = this.lines.get(kind) ?? Promise.resolve();
    const done = before.then(() => this.make(trouble)).catch((error: Error) => void this.faults.push(error.message));
    this.lines.set(kind, done);
  }

  async end(): Promise<void> {
    await Promise.all(this.lines.values());
  }

  private make(trouble: Trouble): Promise<void> {
    if (trouble.kind === 'redis') return this.restartRedis(trouble);
    if (trouble.kind === 'reload') return this.reload(trouble.variant);
    return this.die(trouble);
  }

  private async restartRedis({ server, signal, downMs }: Extract<Trouble, { kind: 'redis' }>): Promise<void> {
    const { redisFolder, redisProcesses, tellDevices, plan, say } = this.scene;
    const find = (): RedisServer | undefined => redisStatus(redisFolder).find(({ index }) => index === server);
    const running = find();
    if (running === undefined) throw new Error(`redis-server ${server} has ended by itself`);
    tellDevices({ type: 'redis', server, isUp: false });
    process.kill(running.pid, signal);
    if (!(await within(LIMIT_MS, () => find() === undefined))) {
      throw new Error(`redis-server ${server} did not end after ${signal}`);
    }
    await sleep(downMs);
    await redisUp(plan.redis.length, redisFolder, { foreground: redisProcesses });
    tellDevices({ type: 'redis', server, isUp: true });
    this.counts.redisRestarts++;
    say(`redis-server ${server} ended by ${signal}, and was there again after ${downMs} ms and its start`);
  }

  private async reload(number: number): Promise<void> {
    const { plan, server, voice, say } = this.scene;
    const variant = RULE_VARIANTS[number % RULE_VARIANTS.length];
    if (variant === undefined) return;
    writeFileSync(configPath(plan.folder), configText({ ...plan, lines: [...(plan.lines ?? []), ...variant.lines] }));
    const said = voice.says(variant.answer, LIMIT_MS);
    server.child.signal('SIGHUP');
    if (!(await said)) {
      throw new Error(`after SIGHUP the server did not say ${variant.answer}, but: ${voice.others.join(' | ')}`);
    }
    this.counts.reloads++;
    say(`rules ${number} were read`);
  }

  private async die({ how }: Extract<Trouble, { kind: 'death' }>): Promise<void> {
    const { tellDevices, voice, say } = this.scene;
    const before = voice.deaths.length;
    this.counts.deaths++;
    tellDevices({ type: 'death', how });
    const isBack = () => voice.deaths.length > before && voice.restarts > before;
    if (!(await within(LIMIT_MS, isBack))) throw new Error('an app thread that was told to die did not come back');
    const { app, reset } = voice.deaths[before] ?? { app: -1, reset: 0 };
    say(`app thread ${app} died by ${how}; ${reset} connections were reset, and it is there again`);
  }
}
