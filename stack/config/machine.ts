// Machine: what this machine has for us. The only place where the configuration looks at it; tests pass their own.
import { readFileSync } from 'node:fs';
import { availableParallelism, freemem } from 'node:os';
import { type PhysicalCore, topologyOf } from './topology.js';

export interface Machine {
  cores: number;
  /** Memory that can be had without driving others out. */
  memoryBytes: number;
  /** Where threads are to be pinned. */
  topology?: () => readonly PhysicalCore[];
}

function readNumber(path: string, pattern: RegExp): number | undefined {
  try {
    const match = pattern.exec(readFileSync(path, 'utf8'));
    return match === null ? undefined : Number(match[1]);
  } catch {
    return undefined;
  }
}

/** What a control group leaves us, where one limits memory (a container). */
function groupBytes(): number {
  const limit = readNumber('/sys/fs/cgroup/memory.max', /^(\d+)$/m);
  const used = readNumber('/sys/fs/cgroup/memory.current', /^(\d+)$/m);
  return limit === undefined ? Number.POSITIVE_INFINITY : Math.max(0, limit - (used ?? 0));
}

export function thisMachine(): Machine {
  const available = readNumber('/proc/meminfo', /^MemAvailable:\s+(\d+) kB/m);
  const memoryBytes = available === undefined ? freemem() : available * 1_024;
  return { cores: availableParallelism(), memoryBytes: Math.min(memoryBytes, groupBytes()), topology: topologyOf };
}
