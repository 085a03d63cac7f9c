// Rig: what every part of `priority` is measured on: Redis servers, and per run an iotepserver with a generator over memif, the
// programs that `npm start` runs. In: a context. Out: reports. Everything that was started ends with the rig, by its pid; the
// first ^C ends it in order and nothing more is measured, the second one quits at once.
import type { ChildProcess } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Report, RunReport } from '../../mcc/report.js';
import { type RedisServer, redisDown, redisUp } from '../../redis/servers.js';
import { Generator } from '../../start/generator.js';
import { type Layout, layoutOf, redisServersOf } from '../../start/layout.js';
import { Server, socketPath } from '../../start/server.js';
import { onCore } from '../../taskset.js';
import type { Context } from '../benchmark.js';
import type { DeviceOptions, DeviceReport } from '../ends/devices.js';
import { nodeProgram, withFolder } from '../places.js';
import { End } from '../process.js';
import { median } from '../statistics.js';

/** So many that what is on its way at three times the capacity has a packet at either end. */
export const CONNECTIONS = 40_000;
export const HIGH_SHARE = 0.05;
const MESSAGES_UNDER_WAY = 16_384;
const SEARCHES = 3;
/** Of a log. */
const LAST_LINES = 3;
const DEVICES_LIMIT_MS = 120_000;
/** Of devices: so long both ends' JavaScript is still compiled, on the cores that they share. */
const WARM_UP_MS = 4_000;
/** Of devices: their window is near. */
const WARM = 'warm';
/** Of a server whose connections are few; otherwise as many as `npm start` gives it. */
const FEW_PACKETS = 65_536;
/** What a bad device has still under way is no reason to wait. */
const DRAIN = ['drain_timeout = 1s'];
export const SERVER_ADDRESS = '10.0.0.1';

export class Stopped extends Error {
  constructor() {
    super('stopped');
  }
}

export interface Contest {
  readonly priorities: boolean;
  /** More of the server's configuration, and of its command line. */
  readonly lines?: readonly string[];
  readonly flags?: readonly string[];
  readonly onLine?: (line: string) => void;
  /** It is on the air. */
  readonly onServer?: (server: Server) => void | Promise<void>;
}

/** What mcc does, and where. */
export interface Traffic {
  readonly phases: string;
  readonly connections?: number;
  readonly highShare?: number;
  /** In place of those that follow from the rest. */
  readonly mccFlags?: Readonly<Record<string, string>>;
  readonly within?: readonly string[];
  readonly onMcc?: (pid: number) => void;
  /** All connections are open. */
  readonly onIdle?: () => void;
  /** A phase is over. */
  readonly onRun?: (run: RunReport) => void;
}

export interface Load extends Contest, Traffic {
  /** Of the server, received ones and ones to send; otherwise as many as `npm start` gives it. */
  readonly packets?: number;
}

export interface RigOptions {
  /** Of Redis; otherwise one for each core that it has. */
  readonly servers?: number;
  /** Otherwise that of `npm start`. */
  readonly layout?: Layout;
}

export interface DeviceListeners {
  /** Called when they are on the air; what it returns, at the end. */
  readonly meanwhile?: () => () => Promise<void>;
  /** Their window begins soon: what is read now is not part of it. */
  readonly onWarm?: () => Promise<void>;
}

type Stoppable = (signal: NodeJS.Signals) => void;

export class Rig {
  private readonly running = new Set<Stoppable>();
  private stopped = false;
  /** Of capacityPerS(), where a part has asked for it. */
  capacity: number | undefined;
  /** Replies that were no answer to their request, of all loads. */
  mismatched = 0;

  private constructor(
    readonly context: Context,
    private readonly layout: Layout,
    readonly folder: string,
    readonly redis: readonly RedisServer[],
  ) {}

  static with<T>(context: Context, work: (rig: Rig) => Promise<T>, options: RigOptions = {}): Promise<T> {
    const { layout = layoutOf(), servers = redisServersOf(layout) } = options;
    return withFolder(async (folder) => {
      const processes: ChildProcess[] = [];
      const redisFolder = join(folder, 'redis');
      let rig: Rig | undefined;
      let stopped = false;
      const onSignal = () => {
        if (stopped) process.exit(130);
        stopped = true;
        context.say('stopping; once more quits at once');
        rig?.stop();
      };
      process.on('SIGINT', onSignal).on('SIGTERM', onSignal);
      try {
        const redis = await redisUp(servers, redisFolder, {
          foreground: processes,
          cores: layout.cores?.redis,
        });
        if (stopped) throw new Stopped();
        rig = new Rig(context, layout, folder, redis);
        return await work(rig);
      } catch (error) {
        throw stopped ? new Stopped() : error;
      } finally {
        await redisDown(redisFolder);
        process.off('SIGINT', onSignal).off('SIGTERM', onSignal);
      }
    });
  }

  private stop(): void {
    this.stopped = true;
    for (const end of this.running) end('SIGTERM');
  }

  /** A window below a second is for correctness: whatever else a run takes is small as well. */
  get isSmall(): boolean {
    return this.context.seconds < 1;
  }

  get connections(): number {
    return this.isSmall ? CONNECTIONS / 20 : CONNECTIONS;
  }

  /** A search for the capacity: a phase of mcc. */
  search(seconds: number): string {
    const s = this.isSmall ? this.context.seconds : seconds;
    return `capacity:${MESSAGES_UNDER_WAY}/${s}s,pause:${this.isSmall ? 0.1 : 0.5}s`;
  }

  /** One load of so many messages a second. */
  paced(ratePerS: number): string {
    const { isSmall, context } = this;
    return `paced:${Math.max(1, Math.round(ratePerS))}/${context.seconds}s,pause:${isSmall ? 0.1 : 0.5}s`;
  }

  /**
   * Messages a second that are answered without priorities, found once: the median of three searches, or, where that is more, what
   * is answered of twice as many.
   */
  async capacityPerS(): Promise<number> {
    if (this.capacity !== undefined) return this.capacity;
    const twice = `paced:200%/${this.context.seconds}s`;
    const phases = [...Array.from({ length: SEARCHES + 1 }, () => this.search(2)), twice].join(',');
    // The first one warms up.
    const rates = (await this.load({ priorities: false, phases })).slice(1).map(({ answered_per_s }) => answered_per_s);
    this.capacity = Math.round(Math.max(median(rates.slice(0, SEARCHES)), ...rates.slice(SEARCHES)));
    this.context.say(`without priorities ${this.capacity} messages a second are answered: the capacity`);
    return this.capacity;
  }

  /** A fresh server under mcc: what each of its phases has measured. */
  async load(load: Load): Promise<RunReport[]> {
    return (await this.serve(load)).phases;
  }

  /** The same, as mcc's whole report. */
  async serve(load: Load): Promise<Report> {
    const { connections = this.connections, packets = this.isSmall ? FEW_PACKETS : undefined } = load;
    return this.serving(load, connections, packets, () => this.generate(load));
  }

  /** mcc to its end, against a server that is on the air. */
  async generate(traffic: Traffic): Promise<Report> {
    const { folder, context } = this;
    const { phases, connections = this.connections, highShare = HIGH_SHARE, onIdle, onRun, within } = traffic;
    const flags = { '-s': '1', '-w': this.isSmall ? '0' : '1', ...traffic.mccFlags };
    const generator = new Generator({
      ...{ folder, connections, phases, highShare, seed: context.seed, flags, layout: this.layout },
      ...(within === undefined ? {} : { within }),
      ...(onIdle === undefined ? {} : { onIdle }),
      ...(onRun === undefined ? {} : { onRun }),
      say: () => {},
    });
    traffic.onMcc?.(generator.child.pid);
    const report = await this.run(
      (signal) => generator.child.signal(signal),
      () => generator.report(),
    );
    if (report.connected < connections) throw new Error(`only ${report.connected} connections were open`);
    this.mismatched += report.phases.reduce((sum, phase) => sum + phase.mismatched, 0);
    return report;
  }

  /** A fresh server under a program of devices. */
  async devices(
    contest: Contest,
    options: Pick<DeviceOptions, 'hostIp' | 'groups'>,
    { meanwhile, onWarm }: DeviceListeners = {},
  ): Promise<DeviceReport> {
    const connections = options.groups.reduce((sum, { ports }) => sum + ports.length, 64);
    return this.serving(contest, connections, FEW_PACKETS, async () => {
      const windowMs = this.context.seconds * 1_000;
      const full: DeviceOptions = {
        device: `memif:${socketPath(this.folder)}?client`,
        server: SERVER_ADDRESS,
        seed: this.context.seed,
        warmUpMs: this.isSmall ? windowMs : WARM_UP_MS,
        windowMs,
        ...options,
      };
      const program = [...nodeProgram('tools/bench/ends/devices.js'), JSON.stringify(full)];
      const command = [...onCore(this.layout.cores?.generator), ...program];
      let warm: Promise<void> | undefined;
      const onWord = (word: string) => {
        if (word !== WARM) return;
        warm = onWarm?.();
        warm?.catch(() => {}); // it is awaited below
      };
      const end = new End<DeviceReport>('devices', command, 'ready', onWord);
      return this.run(
        () => void end.stop(),
        async () => {
          await end.start();
          const finish = meanwhile?.();
          try {
            const report = await end.report(DEVICES_LIMIT_MS);
            await warm;
            return report;
          } finally {
            await finish?.();
          }
        },
      );
    });
  }

  private async serving<T>(
    contest: Contest,
    connections: number,
    packets: number | undefined,
    work: () => Promise<T>,
  ): Promise<T> {
    if (this.stopped) throw new Stopped();
    const { folder, redis, context } = this;
    const { priorities, lines = [], flags = [], onLine } = contest;
    const plan = {
      ...{ folder, connections, priorities, redis, flags, onLine, layout: this.layout },
      lines: [...DRAIN, ...lines],
      ...(packets === undefined ? {} : { packets }),
    };
    const server = await Server.start(plan, (line) => context.say(line));
    // A ^C ends the work first: the server's own end, here, is the one that it always has.
    try {
      await contest.onServer?.(server);
      return await work();
    } catch (error) {
      throw this.stopped ? error : new Error(`${(error as Error).message}\n${this.wordsOf(server)}`);
    } finally {
      if (server.child.isRunning) await server.stop();
    }
  }

  /** Of those that a fault may come from, although another one has told it. */
  private wordsOf(server: Server): string {
    const logs = this.redis.map(({ index }) => {
      const lines = readFileSync(join(this.folder, `redis/redis-${index}.log`), 'utf8')
        .trim()
        .split('\n');
      return [`redis-server ${index}, its last words:`, ...lines.slice(-LAST_LINES).map((line) => `    ${line}`)];
    });
    return [`iotepserver, its last words:`, server.child.words, ...logs.flat()].join('\n');
  }

  /** `end` is for a ^C meanwhile: what it brings about is no fault of the work. */
  async run<T>(end: Stoppable, work: () => Promise<T>): Promise<T> {
    if (this.stopped) throw new Stopped();
    this.running.add(end);
    try {
      return await work();
    } finally {
      this.running.delete(end);
      // biome-ignore lint/correctness/noUnsafeFinally: it stands in place of the fault.
      if (this.stopped) throw new Stopped();
    }
  }
}

/** Host address with the network's prefix. */
export function hostIp(address: string): string {
  return `${address}/16`;
}
