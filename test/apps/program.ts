// Programs, of this package and others, as processes of a test: what they say, how they end.
import { type ChildProcess, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

/** Behind what the slowest machine takes, and before a file's watchdog, which knows nothing of what was waited for. */
const LIMIT_MS = 150_000;

interface Waiter {
  /** For errors. */
  what: string;
  isMet: () => boolean;
  resolve: () => void;
  reject: (error: Error) => void;
}

export class Command {
  readonly child: ChildProcess;
  out = '';
  err = '';
  /** Exit code, once both streams have ended. */
  readonly ended: Promise<number | null>;
  private readonly waiters: Waiter[] = [];

  /** `name` is what errors say. */
  constructor(
    private readonly name: string,
    command: readonly string[],
  ) {
    const [file = '', ...args] = command;
    this.child = spawn(file, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    this.child.stdout?.on('data', (bytes) => {
      this.out += bytes;
      this.look();
    });
    this.child.stderr?.on('data', (bytes) => {
      this.err += bytes;
      this.look();
    });
    this.ended = new Promise((resolve) => {
      this.child.on('close', (code) => {
        for (const { reject, what } of this.waiters.splice(0)) {
          reject(new Error(`${name} ended with ${code} before it said ${what}: ${this.err}`));
        }
        resolve(code);
      });
    });
  }

  private look(): void {
    for (const waiter of [...this.waiters]) {
      if (!waiter.isMet()) continue;
      this.waiters.splice(this.waiters.indexOf(waiter), 1);
      waiter.resolve();
    }
  }

  /** Resolves when this text stands in its output. */
  said(text: string): Promise<void> {
    return this.wait(`"${text}"`, () => this.out.includes(text) || this.err.includes(text));
  }

  /** Resolves when mcc's load has run for so many seconds: on a busy machine it does not say each of them. */
  ranFor(seconds: number): Promise<void> {
    const last = () => Number([...this.err.matchAll(/running (\d+) s/g)].at(-1)?.[1] ?? 0);
    return this.wait(`"running ${seconds} s" or later`, () => last() >= seconds);
  }

  private wait(what: string, isMet: () => boolean): Promise<void> {
    return new Promise((resolve, reject) => {
      const late = () => reject(new Error(`${this.name} did not say ${what}, but: ${this.out}${this.err}`));
      const watchdog = setTimeout(late, LIMIT_MS);
      const met = () => {
        clearTimeout(watchdog);
        resolve();
      };
      const failed = (error: Error) => {
        clearTimeout(watchdog);
        reject(error);
      };
      this.waiters.push({ what, isMet, resolve: met, reject: failed });
      this.look();
    });
  }

  stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<number | null> {
    this.child.kill(signal);
    return this.ended;
  }
}

export class Program extends Command {
  /** `path` below dist/; `prefix` is a command that runs commands, such as `ip netns exec NAME`. */
  constructor(path: string, flags: readonly string[], prefix: readonly string[] = []) {
    super(path, [...prefix, process.execPath, fileURLToPath(new URL(`../../${path}`, import.meta.url)), ...flags]);
  }
}
