// The record of a process that outlives its starter. In: a pid, a file. Out: whether it runs, and its end.
// Invariant: a process is ended only if its record's pid and start time are still those of a running process: it is ours, not
// a later process that was given the same number.
import { readFileSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

const END_MS = 5_000;
const POLL_MS = 20;

export interface ProcessRecord {
  pid: number;
  /** Clock ticks from the machine's start: with the pid it names one process for ever. */
  startTicks: number;
  /** Where it listens on TCP; 0: nowhere. */
  port: number;
}

/** Start time of a running process; undefined when there is none (a zombie has ended too). */
function startTicksOf(pid: number): number | undefined {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
      .replace(/^.*\) /s, '')
      .split(' ');
    return fields[0] === 'Z' ? undefined : Number(fields[19]);
  } catch {
    return undefined;
  }
}

export function writeRecord(path: string, pid: number, port: number): void {
  writeFileSync(path, JSON.stringify({ pid, startTicks: startTicksOf(pid), port }), { mode: 0o600 });
}

export function readRecord(path: string): ProcessRecord | undefined {
  try {
    const record = JSON.parse(readFileSync(path, 'utf8')) as ProcessRecord;
    return Number.isSafeInteger(record.pid) && record.pid > 1 ? { ...record, port: record.port ?? 0 } : undefined;
  } catch {
    return undefined;
  }
}

export function isRunning(record: ProcessRecord): boolean {
  return startTicksOf(record.pid) === record.startTicks;
}

/** Asks it to end, and insists. */
export async function endProcess(record: ProcessRecord): Promise<void> {
  for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
    if (!isRunning(record)) return;
    process.kill(record.pid, signal);
    const deadline = Date.now() + END_MS;
    while (isRunning(record) && Date.now() < deadline) await sleep(POLL_MS);
  }
}
