// CPU time of this machine's cores and of this process' threads.
// In: /proc/stat and /proc/self/task. Out: shares of the time between two readings. Reading costs some 20 µs a thread.
import { readdirSync, readFileSync } from 'node:fs';
import type { BusyCore, BusyThread } from './snapshot.js';

/** Of the kernel's clock ticks, as /proc counts them: USER_HZ is 100 on every Linux of ours. */
export const TICKS_PER_S = 100;

export interface ThreadTime {
  id: number;
  name: string;
  ticks: number;
  core: number;
}

export interface CoreTime {
  core: number;
  busy: number;
  steal: number;
  all: number;
}

export interface CpuTimes {
  cores: CoreTime[];
  threads: ThreadTime[];
}

/** `cpu0 user nice system idle iowait irq softirq steal …` */
export function parseCores(text: string): CoreTime[] {
  // The lines of the cores come first; that of the interrupts, behind them, is long.
  const [cores = ''] = text.split('\nintr', 1);
  return cores.split('\n').flatMap((line) => {
    const match = /^cpu(\d+) (.*)$/.exec(line);
    if (match === null) return [];
    const ticks = (match[2] ?? '').trim().split(/\s+/).slice(0, 8).map(Number);
    const all = ticks.reduce((sum, part) => sum + part, 0);
    const [idle = 0, waits = 0] = [ticks[3], ticks[4]];
    const steal = ticks[7] ?? 0;
    return [{ core: Number(match[1]), busy: all - idle - waits - steal, steal, all }];
  });
}

/** A line of /proc/<pid>/task/<tid>/stat; the name in brackets may hold anything. */
export function parseThread(text: string): ThreadTime {
  const end = text.lastIndexOf(')');
  const fields = text.slice(end + 2).split(' ');
  const id = Number(text.slice(0, text.indexOf(' ')));
  const name = text.slice(text.indexOf('(') + 1, end);
  return { id, name, ticks: Number(fields[11]) + Number(fields[12]), core: Number(fields[36]) };
}

function readThread(id: string): ThreadTime[] {
  try {
    return [parseThread(readFileSync(`/proc/self/task/${id}/stat`, 'latin1'))];
  } catch {
    return []; // It has ended meanwhile.
  }
}

export function readCpu(): CpuTimes {
  const threads = readdirSync('/proc/self/task').flatMap(readThread);
  return { cores: parseCores(readFileSync('/proc/stat', 'latin1')), threads };
}

const share = (part: number, all: number) => (all > 0 ? Math.min(1, Math.max(0, part / all)) : 0);

export function busyCores(now: CpuTimes, before: CpuTimes): BusyCore[] {
  const old = new Map(before.cores.map((core) => [core.core, core]));
  return now.cores.map(({ core, busy, steal, all }) => {
    const was = old.get(core) ?? { busy: 0, steal: 0, all: 0 };
    return { core, busy: share(busy - was.busy, all - was.all), steal: share(steal - was.steal, all - was.all) };
  });
}

/** Node's own threads besides the main one are idle most of the time: those that did nothing are left out. */
export function busyThreads(now: CpuTimes, before: CpuTimes, seconds: number): BusyThread[] {
  const old = new Map(before.threads.map((thread) => [thread.id, thread.ticks]));
  return now.threads
    .map(({ id, name, ticks, core }) => ({
      thread: id === process.pid ? 'control' : name,
      id,
      busy: share(ticks - (old.get(id) ?? ticks), seconds * TICKS_PER_S),
      core,
    }))
    .filter(({ thread, busy }) => busy > 0 || thread === 'control' || thread.startsWith('qstack-'));
}
