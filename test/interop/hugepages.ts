// Hugepages for the time of a test: as many as DPDK asks for, and given back whatever happens but SIGKILL.
// In: root, and a kernel that finds enough memory in one piece. Out: a reservation, or the reason why there is none.
import { readFileSync, writeFileSync } from 'node:fs';

const RESERVED = '/proc/sys/vm/nr_hugepages';

/** A field of /proc/meminfo: pages, or KiB. */
export function memoryField(name: string): number {
  const line = new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(readFileSync('/proc/meminfo', 'utf8'));
  return Number(line?.[1] ?? 0);
}

/** Of one process, in KiB, whether others share them or not. */
export function hugepagesOf(pid: number): number {
  const rollup = readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8');
  const parts = [...rollup.matchAll(/^(?:Private|Shared)_Hugetlb:\s+(\d+) kB$/gm)];
  return parts.reduce((sum, [, kilobytes]) => sum + Number(kilobytes), 0);
}

export interface Reservation {
  /** As it was before. */
  giveBack(): void;
}

function reserved(): number {
  return Number(readFileSync(RESERVED, 'utf8'));
}

/** At least `mebibytes` in free hugepages; a string says why that cannot be had. */
export function reserveHugepages(mebibytes: number): Reservation | string {
  const sizeKiB = memoryField('Hugepagesize');
  if (sizeKiB === 0) return 'the kernel has no hugepages';
  const lacking = Math.ceil((mebibytes * 1_024) / sizeKiB) - memoryField('HugePages_Free');
  if (lacking <= 0) return { giveBack: () => {} };
  const before = reserved();
  const giveBack = () => {
    process.off('exit', giveBack);
    writeFileSync(RESERVED, `${before}`);
  };
  try {
    writeFileSync(RESERVED, `${before + lacking}`);
  } catch (error) {
    return `hugepages cannot be reserved: ${(error as Error).message}`;
  }
  process.on('exit', giveBack);
  const got = reserved() - before;
  if (got >= lacking) return { giveBack };
  giveBack();
  return `the kernel finds ${got} of ${lacking} hugepages`;
}
