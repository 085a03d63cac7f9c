// Memory of a process, from /proc/<pid>/smaps_rollup, in two measures: the one by which a connection's price is told, Pss and
// hugepages; and what a plan can know, the same without pages of files: program text lies in the page cache, and how much of it is
// whose depends on how many Node processes the machine has.
import { readFileSync } from 'node:fs';

const HUGETLB = ['Private_Hugetlb', 'Shared_Hugetlb'];
const COUNTED = ['Pss', ...HUGETLB];
const OWN = ['Pss_Anon', 'Pss_Shmem', ...HUGETLB];

function sumOf(text: string, names: readonly string[]): number {
  const kilobytes = names.map((name) => Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(text)?.[1] ?? 0));
  return kilobytes.reduce((sum, part) => sum + part, 0) * 1_024;
}

export function bytesOfRollup(text: string): number {
  return sumOf(text, COUNTED);
}

export function ownBytesOfRollup(text: string): number {
  return sumOf(text, OWN);
}

function rollup(pid: number): string {
  return readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8');
}

export function processBytes(pid: number): number {
  return bytesOfRollup(rollup(pid));
}

export interface Memory {
  readonly bytes: number;
  /** Of them, what is no page of a file. */
  readonly own: number;
}

export function processMemory(pid: number): Memory {
  const text = rollup(pid);
  return { bytes: bytesOfRollup(text), own: ownBytesOfRollup(text) };
}
