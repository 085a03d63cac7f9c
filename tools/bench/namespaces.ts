// Network namespaces of one benchmark: two that a veth pair joins, or one with a tap that our stack makes.
// Every address lies inside; removing the namespaces removes all. Needs root.
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';

const NAME = /^qsb-(\d+)-\d+$/;
const FOLDER = '/var/run/netns';
const PREFIX = 24;

/** Frames would carry partial checksums, and be larger than the MTU, with any of these. */
const OFFLOADS = ['tx', 'rx', 'tso', 'gso', 'gro'];

let made = 0;

function run(...command: string[]): void {
  const [file = '', ...args] = command;
  const { status, stderr, error } = spawnSync(file, args, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`${command.join(' ')}: ${stderr || (error?.message ?? '')}`.trim());
}

/** Left by a benchmark that was killed: its process is gone. */
function removeStale(): void {
  if (!existsSync(FOLDER)) return;
  for (const name of readdirSync(FOLDER)) {
    const pid = NAME.exec(name)?.[1];
    if (pid !== undefined && !existsSync(`/proc/${pid}`)) spawnSync('ip', ['netns', 'delete', name]);
  }
}

/** Process ids of the kernel threads whose name begins like this. */
function threadsOf(name: string): string[] {
  const commOf = (pid: string) => {
    try {
      return readFileSync(`/proc/${pid}/comm`, 'utf8');
    } catch {
      return '';
    }
  };
  return readdirSync('/proc').filter((pid) => /^\d+$/.test(pid) && commOf(pid).startsWith(name));
}

export class Namespace {
  readonly name: string;

  private constructor() {
    made += 1;
    this.name = `qsb-${process.pid}-${made}`;
    run('ip', 'netns', 'add', this.name);
    this.run('ip', 'link', 'set', 'lo', 'up');
  }

  static make(): Namespace {
    removeStale();
    return new Namespace();
  }

  /** Why there can be none here; undefined: there can. */
  static missing(): string | undefined {
    if (process.getuid?.() !== 0) return 'network namespaces need root';
    const tools = ['ip', 'ethtool'].filter((tool) => spawnSync('which', [tool]).status !== 0);
    if (tools.length > 0) return `not installed: ${tools.join(', ')}`;
    return existsSync('/dev/net/tun') ? undefined : 'there is no /dev/net/tun';
  }

  /** A command as it is run inside. */
  command(...command: string[]): string[] {
    return ['ip', 'netns', 'exec', this.name, ...command];
  }

  run(...command: string[]): void {
    run(...this.command(...command));
  }

  /** Whether a link of this name is there. */
  has(link: string): boolean {
    return spawnSync('ip', this.command('ip', 'link', 'show', link).slice(1)).status === 0;
  }

  giveAddress(link: string, address: string): void {
    this.run('ip', 'link', 'set', link, 'up');
    this.run('ip', 'address', 'replace', `${address}/${PREFIX}`, 'dev', link);
  }

  offloadsOff(link: string): void {
    // One that a driver does not know, or that is fixed, is off anyway.
    for (const offload of OFFLOADS) spawnSync('ip', this.command('ethtool', '-K', link, offload, 'off').slice(1));
  }

  /** Whether the kernel can be told which core works on what comes in (receive packet steering). */
  static steers(): boolean {
    return existsSync('/sys/class/net/lo/queues/rx-0/rps_cpus');
  }

  /** Without it the receiver's whole TCP runs on the sender's core, in the system call that sends a frame. */
  steer(link: string, core: number): void {
    const cores = (1 << core).toString(16);
    this.run('sh', '-c', `echo ${cores} > /sys/class/net/${link}/queues/rx-0/rps_cpus`);
  }

  /** False: this kernel does not. What a tap sends is worked on by a kernel thread on this core, not in the system call. */
  pollInThread(link: string, core: number): boolean {
    const { status } = spawnSync('ip', this.command('sh', '-c', `echo 1 > /sys/class/net/${link}/threaded`).slice(1));
    if (status !== 0) return false;
    for (const thread of threadsOf(`napi/${link}-`)) run('taskset', '-p', '-c', String(core), thread);
    return true;
  }

  /** A pair of interfaces of the same name, one in each namespace, with their offloads off. */
  joinTo(other: Namespace, link: string): void {
    run('ip', 'link', 'add', link, 'netns', this.name, 'type', 'veth', 'peer', 'name', link, 'netns', other.name);
    for (const end of [this, other]) {
      end.offloadsOff(link);
      end.run('ip', 'link', 'set', link, 'up');
    }
  }

  remove(): void {
    spawnSync('ip', ['netns', 'delete', this.name]);
  }
}
