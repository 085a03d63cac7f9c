// The machine as a report names it: versions, processors, and how busy they were.
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { cpus, release } from 'node:os';

/** Of /proc/stat, in seconds; `steal` is what a hypervisor gave to others. */
export interface CpuTimes {
  readonly busy: number;
  readonly steal: number;
}

const TICKS_PER_SECOND = 100;

function firstLine(command: string, ...args: string[]): string {
  const { stdout, status } = spawnSync(command, args, { encoding: 'utf8' });
  return status === 0 ? (stdout.split('\n')[0] ?? '').trim() : 'unknown';
}

export function versions(): Record<string, string> {
  return {
    kernel: release(),
    node: process.versions.node,
    dpdk: firstLine('pkg-config', '--modversion', 'libdpdk'),
    compiler: firstLine('c++', '--version'),
    cpu: cpus()[0]?.model ?? 'unknown',
    cores: String(cpus().length),
  };
}

/** Work of all processes and of the kernel, interrupts and softirqs among it. */
export function parseCpuTimes(stat: string): CpuTimes {
  const [user = 0, nice = 0, system = 0, , , irq = 0, softirq = 0, steal = 0] = (stat.split('\n')[0] ?? '')
    .split(/\s+/)
    .slice(1)
    .map(Number);
  return { busy: (user + nice + system + irq + softirq) / TICKS_PER_SECOND, steal: steal / TICKS_PER_SECOND };
}

export function cpuTimes(): CpuTimes {
  return parseCpuTimes(readFileSync('/proc/stat', 'utf8'));
}
