// A program of a benchmark: it says "ready" when it can be reached, and one line of JSON at its end.
import { Child } from '../start/child.js';

const READY_MS = 20_000;

export class End<Report> {
  private readonly child: Child;
  private readonly ready: Promise<void>;
  private tell: () => void = () => {};
  private json = '';

  /** `name` is for sentences; `command` may begin with one that runs commands. */
  constructor(
    private readonly name: string,
    command: readonly string[],
  ) {
    this.ready = new Promise((done) => {
      this.tell = done;
    });
    this.child = new Child({ name, command, onLine: (line, from) => this.hear(line, from) });
  }

  private hear(line: string, from: 'stdout' | 'stderr'): void {
    if (from === 'stdout' && line === 'ready') this.tell();
    if (from === 'stdout' && line.startsWith('{')) this.json = line;
  }

  async untilReady(): Promise<this> {
    const limit = new Promise<'late'>((done) => setTimeout(done, READY_MS, 'late').unref());
    const first = await Promise.race([this.ready, this.child.ended, limit]);
    if (first === undefined) return this;
    await this.child.stop('SIGKILL');
    throw new Error(first === 'late' ? `${this.name} was not ready in ${READY_MS / 1_000} s` : this.child.failure());
  }

  /** What it says when it ends by itself. */
  async report(limitMs: number): Promise<Report> {
    const watchdog = setTimeout(() => this.child.signal('SIGKILL'), limitMs);
    const code = await this.child.ended;
    clearTimeout(watchdog);
    if (code !== 0 || this.json === '') throw new Error(this.child.failure());
    return JSON.parse(this.json) as Report;
  }

  async stop(): Promise<void> {
    if (this.child.isRunning) await this.child.stop('SIGTERM');
  }
}
