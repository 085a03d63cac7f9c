// The machine as a report names it.
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { cpus, release } from 'node:os';

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

/** Work of all processes and of the kernel since the machine started, interrupts and softirqs among it: /proc/stat. */
export function parseBusySeconds(stat: string): number {
  const numbers = (stat.split('\n')[0] ?? '').split(/\s+/).slice(1).map(Number);
  const [user = 0, nice = 0, system = 0, , , irq = 0, softirq = 0] = numbers;
  return (user + nice + system + irq + softirq) / TICKS_PER_SECOND;
}

export function machineBusySeconds(): number {
  return parseBusySeconds(readFileSync('/proc/stat', 'utf8'));
}
