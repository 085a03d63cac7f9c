// A program of a benchmark: it says "ready" (or another word) when it can be reached, and one line of JSON at its end.
import { Child } from '../start/child.js';

const READY_MS = 20_000;

/** What the end that measures says: how much was done in its window, and how long all processors were busy in it. */
export interface WindowReport {
  readonly amount: number;
  readonly nanoseconds: number;
  readonly busy_s: number;
  readonly hiccup_p99_us?: number;
}

export class End<Report = unknown> {
  /** Of its line that says that it is ready, behind the first word. */
  words: readonly string[] = [];
  private child: Child | undefined;
  private json = '';

  /** `name` is for sentences; `command` may begin with one that runs commands; `ready` is the first word of its line; `onWord` hears that of each. */
  constructor(
    private readonly name: string,
    private readonly command: readonly string[],
    private readonly ready = 'ready',
    private readonly onWord: (word: string) => void = () => {},
  ) {}

  /** Resolves when it is ready. */
  async start(): Promise<void> {
    const { name, command } = this;
    let child: Child | undefined;
    const ready = new Promise<'ready'>((tell) => {
      const onLine = (line: string, from: 'stdout' | 'stderr') => {
        if (from !== 'stdout') return;
        const [first, ...words] = line.split(' ');
        if (first === this.ready) {
          this.words = words;
          tell('ready');
        }
        if (line.startsWith('{')) this.json = line;
        else this.onWord(first ?? '');
      };
      child = new Child({ name, command, onLine });
    });
    this.child = child;
    const late = new Promise<'late'>((done) => setTimeout(done, READY_MS, 'late').unref());
    const first = await Promise.race([ready, child?.ended, late]);
    if (first === 'ready') return;
    throw new Error(first === 'late' ? `${name} was not ready in ${READY_MS / 1_000} s` : child?.failure());
  }

  get pid(): number {
    return this.child?.pid ?? 0;
  }

  /** What it says when it ends by itself. */
  async report(limitMs: number): Promise<Report> {
    const { child } = this;
    if (child === undefined) throw new Error(`${this.name} was not started`);
    let late = false;
    const watchdog = setTimeout(() => {
      late = true;
      child.signal('SIGKILL');
    }, limitMs);
    const code = await child.ended;
    clearTimeout(watchdog);
    if (late) throw new Error(`${this.name} was not done in ${limitMs / 1_000} s: ${this.command.join(' ')}`);
    if (code !== 0 || this.json === '') throw new Error(child.failure());
    return JSON.parse(this.json) as Report;
  }

  async stop(): Promise<void> {
    if (this.child?.isRunning) await this.child.stop('SIGTERM');
  }
}
