// ServerVoice: what the server says on stderr, understood. In: lines. Out: deaths of app threads and how many connections each has
// reset, answers to SIGHUP, and everything that should not have been said.

/** Lines of the log that a long run itself brings about. */
const EXPECTED = new Set(['APP_DIED', 'APP_RESTARTED']);
const LEVELS_OF_FAULTS = new Set(['error', 'fatal']);
const KEPT = 10;

interface LogLine {
  readonly level: string;
  readonly code: string;
  readonly msg: string;
  readonly app?: number;
  readonly reset?: number;
}

export interface DeathNotice {
  readonly app: number;
  readonly reset: number;
}

function parse(line: string): LogLine | undefined {
  if (!line.startsWith('{')) return undefined;
  try {
    return JSON.parse(line) as LogLine;
  } catch {
    return undefined;
  }
}

export class ServerVoice {
  readonly deaths: DeathNotice[] = [];
  restarts = 0;
  /** Errors that no trouble explains. */
  readonly faults: string[] = [];
  /** Everything else that it said, the last lines. */
  readonly others: string[] = [];
  private readonly waiters = new Set<{ readonly pattern: RegExp; readonly heard: (line: string) => void }>();

  hear(line: string): void {
    const logged = parse(line);
    if (logged === undefined) this.hearText(line);
    else this.hearLog(logged);
  }

  private hearLog({ level, code, msg, app = -1, reset = 0 }: LogLine): void {
    if (code === 'APP_DIED') this.deaths.push({ app, reset });
    if (code === 'APP_RESTARTED') this.restarts++;
    if (EXPECTED.has(code)) return;
    if (LEVELS_OF_FAULTS.has(level)) this.faults.push(`the server says ${code}: ${msg}`);
    else this.keep(`${code}: ${msg}`);
  }

  private hearText(line: string): void {
    let isAwaited = false;
    for (const { pattern, heard } of this.waiters) {
      if (!pattern.test(line)) continue;
      isAwaited = true;
      heard(line);
    }
    if (!isAwaited) this.keep(line);
  }

  private keep(line: string): void {
    this.others.push(line);
    if (this.others.length > KEPT) this.others.shift();
  }

  /** True once a line matches; false when none does in time. */
  says(pattern: RegExp, limitMs: number): Promise<boolean> {
    return new Promise((done) => {
      const end = (isSaid: boolean) => {
        clearTimeout(limit);
        this.waiters.delete(waiter);
        done(isSaid);
      };
      const limit = setTimeout(end, limitMs, false);
      const waiter = { pattern, heard: () => end(true) };
      this.waiters.add(waiter);
    });
  }

  get resets(): number {
    return this.deaths.reduce((sum, { reset }) => sum + reset, 0);
  }
}
