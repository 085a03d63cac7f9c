// How long this thread was ready to run while others had its core, as Linux counts it (proc(5), schedstat).
import { readFileSync } from 'node:fs';

/** Microseconds since the thread began; 0 where the kernel does not count them. */
export function waitedForCoreUs(): number {
  try {
    const [, waitedNs = '0'] = readFileSync('/proc/thread-self/schedstat', 'latin1').split(' ');
    return Number(waitedNs) / 1_000;
  } catch {
    return 0;
  }
}
