// The machine as a report names it.
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { cpus, release } from 'node:os';

const TICKS_PER_SECOND = 100;

function firstLine(command: string, ...args: string[]): string {
  const { stdout, status } = spawnSync(command, args, { encoding: 'utf8' });
  return status === 0 ? (stdout.split('\n')[0] ?? '').trim() : 'unknown';
}

/** What entering the kernel and coming back costs: of few bytes a write that is most of the price, and hypervisors differ tenfold. */
function systemCallNs(): number {
  const calls = 50_000;
  const empty = Math.min(...[1, 2, 3].map(() => timed(calls, () => 0)));
  const asking = Math.min(...[1, 2, 3].map(() => timed(calls, () => process.ppid)));
  return Math.max(0, Math.round(((asking - empty) * 1e6) / calls));
}

function timed(calls: number, call: () => number): number {
  const beganMs = performance.now();
  let sum = 0;
  for (let i = 0; i < calls; i++) sum += call();
  return sum < 0 ? Number.NaN : performance.now() - beganMs;
}

export function versions(): Record<string, string> {
  return {
    kernel: release(),
    node: process.versions.node,
    dpdk: firstLine('pkg-config', '--modversion', 'libdpdk'),
    compiler: firstLine('c++', '--version'),
    cpu: cpus()[0]?.model ?? 'unknown',
    cores: String(cpus().length),
    system_call_ns: String(systemCallNs()),
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
