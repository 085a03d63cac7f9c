// Watch: what `c10m` sees of iotepserver, mcc and Redis while they run. In: what the rig tells. Out: how long the server took to
// start, memory and CPU by process and thread, and the last counts that the server has said.
import type { Second } from '../../apps/iotepserver/second.js';
import { processBytes } from '../start/memory.js';
import type { Sample } from './benchmark.js';
import { ms } from './priority/part.js';
import type { Rig } from './priority/rig.js';
import { type ThreadSeconds, threadSeconds, usedBetween } from './threads.js';

const GIB = 2 ** 30;

export class Watch {
  private readonly pids: { iotepserver: number[]; mcc: number[]; 'redis-server': number[] };
  private readonly beganMs = Date.now();
  private startedMs = Number.NaN;
  private before: ThreadSeconds = new Map();
  private used: ThreadSeconds = new Map();
  private readonly bytes = new Map<string, number>();
  private second: Second | undefined;

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

  readonly onLine = (line: string): void => {
    if (line.startsWith('{')) this.second = JSON.parse(line) as Second;
  };

  readonly onIdle = (): void => {
    this.before = threadSeconds(this.pids);
  };

  /** All keys are in Redis now, and every slot has been used. */
  readonly onRun = (): void => {
    this.used = usedBetween(this.before, threadSeconds(this.pids));
    for (const [name, pids] of Object.entries(this.pids)) {
      this.bytes.set(
        name,
        pids.reduce((sum, pid) => sum + processBytes(pid), 0),
      );
    }
  };

  get startS(): number {
    return (this.startedMs - this.beganMs) / 1_000;
  }

  memory(): Sample {
    const gib = [...this.bytes].map(([name, bytes]) => [name.replace('-server', ''), bytes / GIB] as const);
    const all = gib.reduce((sum, [, one]) => sum + one, 0);
    return { memory_gib: all, ...Object.fromEntries(gib.map(([name, one]) => [`${name}_gib`, one])) };
  }

  /** Of the way from the poll of a frame to its reply at the port. */
  wireMs(level: string): number {
    const time = this.second?.stages.find((one) => one.stage === 'wire' && one.level === level);
    return ms(time?.p99_us ?? null);
  }

  /** By thread, over so many seconds and messages. */
  budget(seconds: number, messages: number): [thread: string, figures: Sample][] {
    return [...this.used].map(([thread, used]) => [
      thread,
      { cores: used / seconds, us_per_message: (used * 1e6) / messages },
    ]);
  }
}
