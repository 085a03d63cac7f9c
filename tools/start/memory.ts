// Memory of a process as the connection's price is measured: Pss and hugepages of /proc/<pid>/smaps_rollup.
import { readFileSync } from 'node:fs';

const COUNTED = ['Pss', 'Private_Hugetlb', 'Shared_Hugetlb'];

export function bytesOfRollup(text: string): number {
  const kilobytes = COUNTED.map((name) => Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(text)?.[1] ?? 0));
  return kilobytes.reduce((sum, part) => sum + part, 0) * 1_024;
}

export function processBytes(pid: number): number {
  return bytesOfRollup(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8'));
}
