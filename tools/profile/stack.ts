// Where native threads spend their time: `perf record` on iotepserver and mcc under load, or on processes that run already.
// In: a load, or pids. Out: CPU time by thread and function. Clock ticks are counted, so that a virtual machine without hardware
// counters will do. What V8 has compiled has no names here: it is one line, and `profile -- app` tells what it is.
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { withFolder } from '../bench/places.js';
import { Child } from '../start/child.js';
import { addCost, type Profile, shortName, sumOf } from './largest.js';
import { type Load, type Say, underLoad, untilStopped } from './load.js';

/** No divisor of what threads do a thousand times a second. */
const SAMPLES_PER_S = 997;
const CLOCK = ['-e', 'cpu-clock', '-F', String(SAMPLES_PER_S)];
/** Threads with less than this of the whole are left out. */
const SHARE_MIN = 0.03;
const PARANOID = '/proc/sys/kernel/perf_event_paranoid';

export interface StackOptions extends Load {
  /** Processes that run already, in place of iotepserver and mcc under load. */
  readonly pids: readonly number[];
}

/** Why perf cannot record here, with the way out; undefined: it can. */
export function perfRefusal(): string | undefined {
  const { status, stderr, error } = spawnSync('perf', ['record', '-q', ...CLOCK, '-o', '/dev/null', '--', 'true'], {
    encoding: 'utf8',
  });
  if (error !== undefined)
    return 'perf is not installed: as root, `apt-get install linux-perf` (on Ubuntu linux-tools-generic)';
  if (status === 0) return undefined;
  const level = readFileSync(PARANOID, 'utf8').trim();
  return (
    `perf cannot record: run this as root, or as root \`sysctl kernel.perf_event_paranoid=1\` (it is ${level}); ` +
    `a container has to allow perf_event_open as well. perf itself says:\n${stderr.trim()}`
  );
}

/** Processes by the names that their threads are shown with. */
type Programs = Readonly<Record<string, number>>;

class Recording {
  private child: Child | undefined;
  private readonly programs = new Map<string, string>();

  constructor(private readonly file: string) {}

  start(programs: Programs): void {
    for (const [name, pid] of Object.entries(programs))
      for (const tid of readdirSync(`/proc/${pid}/task`)) this.programs.set(tid, name);
    const pids = Object.values(programs).join(',');
    this.child = new Child({ name: 'perf', command: ['perf', 'record', ...CLOCK, '-o', this.file, '-p', pids] });
  }

  signal(signal: NodeJS.Signals): void {
    this.child?.signal(signal);
  }

  /** It may have ended by itself, when what it watches has. */
  async stop(): Promise<void> {
    if (this.child === undefined) throw new Error('nothing was recorded');
    await this.child.stop('SIGINT');
  }

  /** perf finds the names, and adds up. */
  read(): Profile[] {
    const flags = ['-i', this.file, '--stdio', '-q', '-t', '|', '-F', 'sample,pid,comm,dso,sym'];
    const { status, stdout, stderr } = spawnSync('perf', ['report', ...flags], {
      encoding: 'utf8',
      maxBuffer: 2 ** 28,
    });
    if (status !== 0) throw new Error(`${this.child?.failure() ?? ''}\n${stderr}`.trim());
    return readPerfReport(stdout, (tid) => this.programs.get(tid) ?? 'a later thread');
  }
}

/** `[k] schedule`, `[.] qstack::Stack::turn`; an address where there is no name. */
function functionName(object: string, symbol: string): string {
  if (/^(\[JIT\]|perf-\d+\.map|\/\/anon)/.test(object)) return '(JavaScript)';
  const [, mode, name = symbol] = /^\[(.)\] (.*)$/.exec(symbol) ?? [];
  if (name.startsWith('0x')) return `(no name) ${object}`;
  return mode === 'k' ? `${name} (kernel)` : shortName(name);
}

/** Lines such as `374|13582:node|qstack-stack0|qstack.node|[.] qstack::Stack::turn`; milliseconds, the busiest thread first. */
export function readPerfReport(text: string, programOf: (tid: string) => string): Profile[] {
  const threads = new Map<string, Map<string, number>>();
  for (const line of text.split('\n')) {
    const [samples = '', thread = '', comm = '', object = '', symbol = ''] = line.split('|').map((cell) => cell.trim());
    if (!(Number(samples) > 0)) continue;
    const tid = thread.split(':', 1)[0] ?? '';
    const name = `${programOf(tid)}: ${comm} ${tid}`;
    const costs = threads.get(name) ?? new Map<string, number>();
    threads.set(name, costs);
    addCost(costs, functionName(object, symbol), (Number(samples) * 1_000) / SAMPLES_PER_S);
  }
  const profiles = [...threads].map(([name, costs]) => ({ name, costs }));
  const whole = profiles.reduce((sum, profile) => sum + sumOf(profile), 0);
  return profiles.filter((one) => sumOf(one) >= whole * SHARE_MIN).sort((a, b) => sumOf(b) - sumOf(a));
}

export async function profileStack(options: StackOptions, say: Say): Promise<Profile[]> {
  const refusal = perfRefusal();
  if (refusal !== undefined) throw new Error(refusal);
  return withFolder(async (folder) => {
    const recording = new Recording(join(folder, 'perf.data'));
    if (options.pids.length > 0) await watch(recording, options, say);
    else {
      await underLoad(
        options,
        {
          onLoad: (iotepserver, mcc) => recording.start({ iotepserver, mcc }),
          end: async (server) => {
            await recording.stop();
            await server.stop();
          },
        },
        say,
      );
    }
    return recording.read();
  });
}

/** Processes that run already. */
async function watch(recording: Recording, { pids, durationMs }: StackOptions, say: Say): Promise<void> {
  for (const pid of pids) if (!existsSync(`/proc/${pid}`)) throw new Error(`there is no process ${pid}`);
  recording.start(Object.fromEntries(pids.map((pid) => [`process ${pid}`, pid])));
  const early = new AbortController();
  await untilStopped(
    say,
    (signal) => (signal === 'SIGINT' ? early.abort() : recording.signal(signal)),
    () => sleep(durationMs, undefined, { signal: early.signal }).catch(() => {}),
  );
  await recording.stop();
}
