// Programs, of this package and others, as processes of a test: what they say, how they end.
import { type ChildProcess, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

export class Command {
  readonly child: ChildProcess;
  out = '';
  err = '';
  /** Exit code, once both streams have ended. */
  readonly ended: Promise<number | null>;
  private readonly waiters: { text: string; resolve: () => void; reject: (error: Error) => void }[] = [];

  /** `name` is what errors say. */
  constructor(name: string, command: readonly string[]) {
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
        for (const { reject, text } of this.waiters.splice(0)) {
          reject(new Error(`${name} ended with ${code} before it said "${text}": ${this.err}`));
        }
        resolve(code);
      });
    });
  }

  private look(): void {
    for (const waiter of [...this.waiters]) {
      if (!this.out.includes(waiter.text) && !this.err.includes(waiter.text)) continue;
      this.waiters.splice(this.waiters.indexOf(waiter), 1);
      waiter.resolve();
    }
  }

  /** Resolves when this text stands in its output. */
  said(text: string): Promise<void> {
    return new Promise((resolve, reject) => {
      this.waiters.push({ text, resolve, reject });
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
