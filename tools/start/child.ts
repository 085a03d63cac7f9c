// Child: a program that `npm start` runs beside itself.
// In: a command. Out: its lines as they come, its end, and its last words for a message when it fails.
// A child has a process group of its own, so that a ^C at the terminal reaches only us and we end it in order; and the kernel
// ends it when we end without a chance to do so.
import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { OWN_GROUP } from '../own-group.js';

const LAST_LINES = 20;
const END_MS = 15_000;

export interface ChildOptions {
  name: string;
  command: readonly string[];
  onLine?: (line: string, from: 'stdout' | 'stderr') => void;
  /** Opens a channel for objects; the program must be Node. */
  onMessage?: (message: unknown) => void;
}

export class Child {
  /** Exit code when it has ended; a signal counts as 1. */
  readonly ended: Promise<number>;
  readonly pid: number;
  private readonly process: ChildProcess;
  private readonly lastLines: string[] = [];
  private running = true;

  constructor(private readonly options: ChildOptions) {
    const args = ['--pdeathsig', 'KILL', ...OWN_GROUP, ...options.command];
    const channel = options.onMessage === undefined ? [] : (['ipc'] as const);
    this.process = spawn('setpriv', args, { stdio: ['ignore', 'pipe', 'pipe', ...channel] });
    if (options.onMessage !== undefined) this.process.on('message', options.onMessage);
    this.pid = this.process.pid ?? 0;
    this.listen('stdout');
    this.listen('stderr');
    this.ended = new Promise((done) => {
      const end = (code: number) => {
        this.running = false;
        done(code);
      };
      this.process.once('close', (code) => end(code ?? 1));
      this.process.once('error', (error) => {
        this.lastLines.push(error.message);
        end(1);
      });
    });
  }

  private listen(from: 'stdout' | 'stderr'): void {
    const stream = this.process[from];
    if (stream === null) return;
    createInterface({ input: stream }).on('line', (line) => {
      if (from === 'stderr' || this.lastLines.length === 0) this.remember(line);
      this.options.onLine?.(line, from);
    });
  }

  private remember(line: string): void {
    this.lastLines.push(line.slice(0, 500));
    if (this.lastLines.length > LAST_LINES) this.lastLines.shift();
  }

  /** To a program that has a channel for objects; one that has ended hears nothing. */
  send(message: object): void {
    if (this.process.connected) this.process.send(message, () => {});
  }

  get isRunning(): boolean {
    return this.running;
  }

  /** The sentence of an end that nobody asked for. */
  failure(): string {
    return `${this.options.name} ended by itself. Its last words:\n${this.words}`;
  }

  /** Its last lines, indented. */
  get words(): string {
    return this.lastLines.map((line) => `    ${line}`).join('\n');
  }

  /** Asks it to end, and insists after 15 s. */
  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<number> {
    this.signal(signal);
    const insist = setTimeout(() => this.signal('SIGKILL'), END_MS);
    const code = await this.ended;
    clearTimeout(insist);
    return code;
  }

  /** To the whole group, so that nothing that it started stays. */
  signal(signal: NodeJS.Signals): void {
    if (!this.running || this.pid === 0 || killed(-this.pid, signal)) return;
    // One that has just begun has no group yet; between the two it may have got one, and have begun another in it.
    killed(this.pid, signal);
    killed(-this.pid, signal);
  }
}

/** False where there is no such process or group. */
function killed(target: number, signal: NodeJS.Signals): boolean {
  try {
    return process.kill(target, signal);
  } catch {
    return false;
  }
}
