// Watch: what `c10m` sees of iotepserver, mcc and Redis while they run: two runs that warm up, then what is measured. In: what the rig tells.
// Out: how long the server took to start, memory, CPU by process and thread, and the time of messages in the server.
import type { StageSpectrum } from '../../stack/dashboard/snapshot.js';
import { ProgramClient } from '../qstack/program-client.js';
import { processBytes } from '../start/memory.js';
import type { Sample } from './benchmark.js';
import type { Rig } from './priority/rig.js';
import { readStages, wayP99Ms } from './stages.js';
import { type ThreadSeconds, threadSeconds, usedBetween } from './threads.js';

const GIB = 2 ** 30;

export class Watch {
  private readonly pids: { iotepserver: number[]; mcc: number[]; 'redis-server': number[] };
  private readonly beganMs = Date.now();
  private startedMs = Number.NaN;
  private before: ThreadSeconds = new Map();
  private used: ThreadSeconds = new Map();
  private readonly bytes = new Map<string, number>();
  /** At the beginning of the load, and at its end. */
  private readonly stages: Promise<StageSpectrum[]>[] = [];
  private runs = 0;

  constructor(rig: Rig) {
    this.pids = { iotepserver: [], mcc: [], 'redis-server': rig.redis.map(({ pid }) => pid) };
  }

  readonly onServer = ({ child }: { child: { pid: number } }): void => {
    this.startedMs = Date.now();
    this.pids.iotepserver.push(child.pid);
  };

  readonly onMcc = (pid: number): void => {
    this.pids.mcc.push(pid);
  };

  readonly onRun = (): void => {
    this.runs++;
    if (this.runs === 2) this.begin();
    if (this.runs === 3) this.end();
  };

  private begin(): void {
    this.readStages();
    this.before = threadSeconds(this.pids);
  }

  private end(): void {
    this.used = usedBetween(this.before, threadSeconds(this.pids));
    for (const [name, pids] of Object.entries(this.pids)) {
      this.bytes.set(
        name,
        pids.reduce((sum, pid) => sum + processBytes(pid), 0),
      );
    }
    this.readStages();
  }

  private readStages(): void {
    const [pid = 0] = this.pids.iotepserver;
    const read = readStages(new ProgramClient({ pid }));
    read.catch(() => {}); // wireMs() tells it
    this.stages.push(read);
  }

  get startS(): number {
    return (this.startedMs - this.beganMs) / 1_000;
  }

  memory(): Sample {
    const gib = [...this.bytes].map(([name, bytes]) => [name.replace('-server', ''), bytes / GIB] as const);
    const all = gib.reduce((sum, [, one]) => sum + one, 0);
    return { memory_gib: all, ...Object.fromEntries(gib.map(([name, one]) => [`${name}_gib`, one])) };
  }

  /** p99 of the way from the poll of a frame to its reply at the port. */
  async wireMs(level: string): Promise<number> {
    const [before = [], after = []] = await Promise.all(this.stages);
    return wayP99Ms(before, after, level);
  }

  /** By thread, over so many seconds and messages. */
  budget(seconds: number, messages: number): [thread: string, figures: Sample][] {
    return [...this.used].map(([thread, used]) => [
      thread,
      { cores: used / seconds, us_per_message: (used * 1e6) / messages },
    ]);
  }
}
