// CPU time by thread of processes that run. In: /proc/<pid>/task. Out: seconds since each began, by process and thread; of one process
// also to the nanosecond.
import { readdirSync, readFileSync } from 'node:fs';

const TICKS_PER_SECOND = 100;
/** Threads that do the work, by the names that they give themselves; all others of a process are one line. */
const OWN = /^(qstack-|mcc$|redis-server$)/;
const REST = 'the rest';
/** Of a server with `arrangement = inline` it is the one that does the work. */
const MAIN = 'main thread';

/** User and system time of a line of /proc/<pid>/stat; the name in brackets may hold anything. */
export function parseThreadSeconds(stat: string): number {
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
}

export type ThreadSeconds = ReadonlyMap<string, number>;

/** How long each thread of a process has run, in the order of its numbers; the first is the main one. */
export function ranNanoseconds(pid: number): { thread: string; ns: number }[] {
  const of = (task: string, file: string) => readFileSync(`/proc/${pid}/task/${task}/${file}`, 'utf8').trim();
  const tasks = readdirSync(`/proc/${pid}/task`).sort((a, b) => Number(a) - Number(b));
  return tasks.map((task) => ({ thread: of(task, 'comm'), ns: Number(of(task, 'schedstat').split(' ')[0]) }));
}

function add(times: Map<string, number>, process: string, pid: number): void {
  for (const task of readdirSync(`/proc/${pid}/task`)) {
    const stat = readFileSync(`/proc/${pid}/task/${task}/stat`, 'utf8');
    const thread = stat.slice(stat.indexOf('(') + 1, stat.lastIndexOf(')'));
    const unnamed = task === String(pid) ? MAIN : REST;
    const name = `${process}, ${OWN.test(thread) ? thread : unnamed}`;
    times.set(name, (times.get(name) ?? 0) + parseThreadSeconds(stat));
  }
}

/** `processes`: pids by the name of what they are; several of one name are added up. */
export function threadSeconds(processes: Readonly<Record<string, readonly number[]>>): ThreadSeconds {
  const times = new Map<string, number>();
  for (const [process, pids] of Object.entries(processes)) for (const pid of pids) add(times, process, pid);
  return times;
}

/** What each thread has used between two readings; one that is new began at 0. */
export function usedBetween(before: ThreadSeconds, after: ThreadSeconds): ThreadSeconds {
  return new Map([...after].map(([name, seconds]) => [name, seconds - (before.get(name) ?? 0)]));
}
