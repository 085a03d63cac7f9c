// What the machine did around a slow response: its load, and how much of the last second's time its processors had to themselves.
// In: /proc, looked at once a tick. Out: one sentence.
import { readFileSync } from 'node:fs';

/** Columns of the first line of /proc/stat, see proc(5). */
const COLUMNS = ['user', 'nice', 'system', 'idle', 'iowait', 'irq', 'softirq', 'steal'] as const;
type Times = readonly number[];

function timesOf(stat: string): Times {
  return (
    stat
      .split('\n', 1)[0]
      ?.trim()
      .split(/\s+/)
      .slice(1, 1 + COLUMNS.length)
      .map(Number) ?? []
  );
}

/** Percent of the time between two looks by column: `user 20 %, steal 3 %`. */
export function sharesText(before: Times, now: Times): string {
  const spent = COLUMNS.map((_, index) => (now[index] ?? 0) - (before[index] ?? 0));
  const all = spent.reduce((sum, ticks) => sum + ticks, 0);
  if (all <= 0) return 'no processor time yet';
  const shares = COLUMNS.map((name, index) => `${name} ${Math.round(((spent[index] ?? 0) * 100) / all)} %`);
  return shares.join(', ');
}

export class MachineState {
  private before: Times = [];
  private now: Times = [];

  constructor(private readonly read = (path: string) => readFileSync(path, 'utf8')) {
    this.look();
  }

  /** Once a tick. */
  look(): void {
    this.before = this.now;
    this.now = timesOf(this.read('/proc/stat'));
  }

  /** `gapMaxNs`: the longest time that the capture itself did not run. */
  text(gapMaxNs: number): string {
    const load = this.read('/proc/loadavg').split(' ').slice(0, 4).join(' ');
    const shares = sharesText(this.before, timesOf(this.read('/proc/stat')));
    return `load ${load}; processors: ${shares}; longest pause of the capture ${Math.round(gapMaxNs / 1_000)} us`;
  }
}
