// MCC's client_log: a line each --log-duration in the form of the original, for scripts that read it.
//   INFO  2026-01-02 03:04:05,678 [cpu 0]client_log - connected: 100000 send: 20000 request: 1000 received: 1000
// In: views. Out: lines. `connected` is how many are now; the others are per second since the line before: messages, those
// of them that ask for an answer (the high level), and answers. The time is local, as MCC's.
import { PHASES, type View } from './native.js';

function two(value: number, digits = 2): string {
  return String(value).padStart(digits, '0');
}

function dateText(ms: number): string {
  const at = new Date(ms);
  const date = [at.getFullYear(), two(at.getMonth() + 1), two(at.getDate())].join('-');
  const time = [two(at.getHours()), two(at.getMinutes()), two(at.getSeconds())].join(':');
  return `${date} ${time},${two(at.getMilliseconds(), 3)}`;
}

interface Counts {
  send: number;
  request: number;
  received: number;
}

const NONE: Counts = { send: 0, request: 0, received: 0 };

function countsOf({ levels }: View): Counts {
  const sum = (of: 'sent' | 'answered') => levels.reduce((total, level) => total + level[of], 0);
  return { send: sum('sent'), request: levels[0]?.sent ?? 0, received: sum('answered') };
}

export class ClientLog {
  private lastMs: number;
  private last = NONE;
  private run = -1;
  /** What earlier runs had counted since the last line. */
  private carried = NONE;

  constructor(
    private readonly write: (line: string) => void,
    private readonly periodMs: number,
    private readonly now: () => number = Date.now,
  ) {
    this.lastMs = now();
  }

  /** Call with each new view; they come once a second and at each change of phase. */
  view(view: View): void {
    const counts = countsOf(view);
    // Behind a run its counts stand until the next one begins, under a number that is not that of the run any more.
    const runs = ['running', 'draining'].includes(PHASES[view.phase] ?? '');
    if ((runs && view.run !== this.run) || counts.send < this.seen.send) this.begin(view.run);
    const nowMs = this.now();
    const isOver = PHASES[view.phase] === 'closed';
    if (nowMs - this.lastMs < this.periodMs - 100 && !isOver) {
      this.seen = counts;
      return;
    }
    const seconds = Math.max(0.001, (nowMs - this.lastMs) / 1_000);
    const rate = (name: keyof Counts) =>
      Math.max(0, Math.round((this.carried[name] + counts[name] - this.last[name]) / seconds));
    this.write(
      `INFO  ${dateText(nowMs)} [cpu 0]client_log - connected: ${view.connected} send: ${rate('send')} request: ${rate('request')} received: ${rate('received')}\n`,
    );
    [this.lastMs, this.last, this.seen, this.carried] = [nowMs, counts, counts, NONE];
  }

  private seen = NONE;

  /** The engine counts from 0 in each run. */
  private begin(run: number): void {
    const rest = (name: keyof Counts) => this.carried[name] + this.seen[name] - this.last[name];
    this.carried = { send: rest('send'), request: rest('request'), received: rest('received') };
    [this.run, this.last, this.seen] = [run, NONE, NONE];
  }
}
