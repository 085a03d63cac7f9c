// A network namespace of one test: kernel peers on one side, our stack on the other, and no address outside of it.
// In: the kind of device. Out: a Link: the device string for our stack, and the kernel's end of it with its address.
// Invariant: everything lies inside the namespace, so that removing it removes all; only processes started here are ended.
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { Command, Program } from '../apps/program.js';

export const OURS = '10.77.0.1';
export const KERNEL = '10.77.0.2';
export const PREFIX_LENGTH = 24;

const NAME = /^qst-(\d+)-\d+$/;
const FOLDER = '/var/run/netns';

/** A run that is killed ends nothing itself. */
const DIES_WITH_US = ['setpriv', '--pdeathsig', 'KILL'];

/** Devices that the kernel is the other end of. */
export const LINK_KINDS = ['tap', 'af_packet', 'af_xdp', 'pcap'] as const;
export type LinkKind = (typeof LINK_KINDS)[number];

export interface Link {
  /** As `device` of our stack. */
  device: string;
  /** Interface that the kernel's side speaks through. */
  kernelEnd: string;
}

function run(command: readonly string[]): { status: number | null; out: string; err: string } {
  const [file = '', ...args] = command;
  const { status, stdout, stderr, error } = spawnSync(file, args, { encoding: 'utf8', maxBuffer: 2 ** 26 });
  return { status, out: stdout ?? '', err: stderr || (error?.message ?? '') };
}

function isAlive(pid: number): boolean {
  return existsSync(`/proc/${pid}`);
}

/** Left by a test that was killed: its process is gone. */
function removeStale(): void {
  if (!existsSync(FOLDER)) return;
  for (const name of readdirSync(FOLDER)) {
    const pid = NAME.exec(name)?.[1];
    if (pid !== undefined && !isAlive(Number(pid))) run(['ip', 'netns', 'delete', name]);
  }
}

/** The JSON that a program says before it ends by itself, within `limitMs`. */
export async function resultOf<T>(program: Program, limitMs = 60_000): Promise<T> {
  const watchdog = setTimeout(() => program.child.kill('SIGKILL'), limitMs);
  const code = await program.ended;
  clearTimeout(watchdog);
  if (code !== 0) throw new Error(`exit ${code ?? `none after ${limitMs} ms`}: ${program.out}${program.err}`);
  return JSON.parse(program.out) as T;
}

let made = 0;

export class Namespace {
  readonly name: string;
  private readonly programs: Command[] = [];

  private constructor(name: string) {
    this.name = name;
  }

  static make(): Namespace {
    removeStale();
    made += 1;
    const namespace = new Namespace(`qst-${process.pid}-${made}`);
    const { status, err } = run(['ip', 'netns', 'add', namespace.name]);
    if (status !== 0) throw new Error(`no network namespace: ${err.trim()}`);
    namespace.run('ip', 'link', 'set', 'lo', 'up');
    // Peers listen below 10,000. A client's port in TIME-WAIT, which the kernel picks for it anywhere in the range, would be
    // EADDRINUSE for them.
    namespace.run('sysctl', '-qw', 'net.ipv4.ip_local_port_range=10000 65535');
    return namespace;
  }

  /** Why namespaces cannot be had here; undefined when they can. */
  static async missing(): Promise<string | undefined> {
    if (process.getuid?.() !== 0) return 'network namespaces need root';
    const tools = ['ip', 'ethtool', 'ping', 'curl'].filter((tool) => run(['which', tool]).status !== 0);
    if (tools.length > 0) return `not installed: ${tools.join(', ')}`;
    try {
      await Namespace.make().remove();
      return existsSync('/dev/net/tun') ? undefined : 'there is no /dev/net/tun';
    } catch (error) {
      return (error as Error).message;
    }
  }

  private get prefix(): string[] {
    return ['ip', 'netns', 'exec', this.name];
  }

  /** A command inside; a failure is thrown with what it said. */
  run(...command: string[]): string {
    const { status, out, err } = run([...this.prefix, ...command]);
    if (status !== 0) throw new Error(`${command.join(' ')}: ${status}: ${out}${err}`);
    return out;
  }

  /** As run(), while this process goes on: for what takes longer. */
  async say(...command: string[]): Promise<string> {
    const running = this.command(...command);
    const code = await running.ended;
    if (code !== 0) throw new Error(`${command.join(' ')}: ${code}: ${running.out}${running.err}`);
    return running.out;
  }

  /** Any program inside; ended with the namespace at the latest. */
  command(...command: string[]): Command {
    const running = new Command(command[0] ?? '', [...DIES_WITH_US, ...this.prefix, ...command]);
    this.programs.push(running);
    return running;
  }

  /** As run(), but a failure is a result. */
  try(...command: string[]): { status: number | null; out: string; err: string } {
    return run([...this.prefix, ...command]);
  }

  /** A program of this package inside; ended with the namespace at the latest. */
  program(path: string, ...flags: string[]): Program {
    return this.programAs([], path, ...flags);
  }

  /** The same behind a command that runs commands, such as setpriv(1). */
  programAs(wrapper: readonly string[], path: string, ...flags: string[]): Program {
    const program = new Program(path, flags, [...DIES_WITH_US, ...this.prefix, ...wrapper]);
    this.programs.push(program);
    return program;
  }

  /** What a program says when it has ended by itself. */
  result<T>(path: string, ...flags: string[]): Promise<T> {
    return resultOf<T>(this.program(path, ...flags));
  }

  /** tap: the name of an interface that the device makes when the stack starts; all others: a pair of interfaces. */
  link(kind: LinkKind): Link {
    if (kind === 'tap') return { device: 'tap:qtap0', kernelEnd: 'qtap0' };
    this.run('ip', 'link', 'add', 'kernel0', 'type', 'veth', 'peer', 'name', 'ours0');
    for (const end of ['kernel0', 'ours0']) {
      // Frames would carry partial checksums and be larger than the MTU otherwise.
      this.run('ethtool', '-K', end, 'tx', 'off', 'tso', 'off', 'gso', 'off', 'gro', 'off');
      this.run('ip', 'link', 'set', end, 'up');
    }
    return { device: `${kind}:ours0`, kernelEnd: 'kernel0' };
  }

  /** The kernel's address, once the interface is there. */
  giveAddress({ kernelEnd }: Link): void {
    this.run('ip', 'link', 'set', kernelEnd, 'up');
    this.run('ip', 'addr', 'replace', `${KERNEL}/${PREFIX_LENGTH}`, 'dev', kernelEnd);
  }

  async remove(): Promise<void> {
    for (const { child } of this.programs) child.kill('SIGKILL');
    await Promise.all(this.programs.map(({ ended }) => ended));
    run(['ip', 'netns', 'delete', this.name]);
  }
}
