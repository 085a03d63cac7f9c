// How much of a core a process gets beside others. Where the kernel shares the cores out by session (sched(7), "The autogroup
// feature"), nice values weigh within a session only, and a session has a nice value of its own.
import { writeFileSync } from 'node:fs';
import { getPriority, setPriority } from 'node:os';

const NICENESS_MAX = 19;
/** A user who is not root changes one session's value every 0.1 s. */
const AGAIN_MS = 150;
const TRIES = 20;

function setSession(pid: number, value: number, tries = TRIES): void {
  try {
    writeFileSync(`/proc/${pid}/autogroup`, `${value}`);
  } catch (error) {
    const isTooSoon = (error as NodeJS.ErrnoException).code === 'EAGAIN' && tries > 1;
    if (isTooSoon) setTimeout(() => setSession(pid, value, tries - 1), AGAIN_MS).unref();
  }
}

/** By so much more niceness than ours a process gives way to others of its session, and, where it leads one, that session to others. */
export function giveWay(pid: number, niceness: number, { leadsSession }: { leadsSession: boolean }): void {
  const value = Math.min(NICENESS_MAX, getPriority() + niceness);
  setPriority(pid, value);
  if (leadsSession) setSession(pid, value);
}
