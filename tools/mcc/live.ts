// Live: progress while connections open and runs go on, on stderr only. A terminal gets one table that is drawn again each
// second; anything else gets a line each `periodMs`.
// In: two successive views, and what is under way. Out: text. Rates are the difference of the two over the time between them.
import { formatDuration } from '../../stack/config/units.js';
import type { Level } from './levels.js';
import { type Hiccups, PHASES, type View } from './native.js';
import { formatUs } from './report.js';

export interface LiveOptions {
  quiet: boolean;
  periodMs: number;
  isTerminal: boolean;
  connections: number;
  levels: readonly Level[];
  write: (text: string) => void;
  nowMs: () => number;
  /** Of the terminal. */
  columns?: () => number | undefined;
  /** Of the run so far; asked for only where they are shown. */
  hiccups?: () => Hiccups;
}

/** What is being sent, and for how long. */
interface Plan {
  name: string;
  durationMs: number;
}

/** Longer runs end with ^C: a bar would stand still. */
const BAR_MOST_MS = 7 * 24 * 3_600_000;
const BAR = 24;
const COLUMNS = 80;

function perSecond(now: number, before: number, seconds: number): number {
  return Math.max(0, Math.round((now - before) / seconds));
}

const count = (value: number) => value.toLocaleString('en-US');

function bar(share: number): string {
  const full = Math.round(Math.min(1, Math.max(0, share)) * BAR);
  return `${'█'.repeat(full)}${'░'.repeat(BAR - full)}`;
}

interface Rates {
  name: string;
  offered: number;
  sent: number;
  answered: number;
  errors: number;
  times: readonly (number | null)[];
}

/** Per second, and latencies of the interval in microseconds: p50, p99, maximum; null where nothing was answered. */
function ratesOf(view: View, before: View, level: number, name: string, seconds: number): Rates | undefined {
  const now = view.levels[level];
  const old = before.run === view.run ? before.levels[level] : undefined;
  if (now === undefined) return undefined;
  const answered = perSecond(now.answered, old?.answered ?? 0, seconds);
  const times = [now.p50Ns, now.p99Ns, now.maxNs].map((ns) => (answered > 0 ? ns / 1_000 : null));
  return {
    name,
    offered: perSecond(now.offered, old?.offered ?? 0, seconds),
    sent: perSecond(now.sent, old?.sent ?? 0, seconds),
    answered,
    errors: perSecond(now.errors, old?.errors ?? 0, seconds),
    times,
  };
}

/** `high 1,000/s sent 1,000/s answered p50 50 us p99 210 us`. */
function levelText({ name, sent, answered, times }: Rates): string {
  const counts = `${count(sent)}/s sent ${count(answered)}/s answered`;
  const said = answered > 0 ? ` p50 ${formatUs(times[0] ?? null)} p99 ${formatUs(times[1] ?? null)}` : '';
  return `${name.padEnd(5)} ${counts}${said}`;
}

const HEAD = ['offered/s', 'sent/s', 'answered/s', 'errors/s', 'p50', 'p99', 'max'];
const WIDTHS = [9, 9, 10, 8, 8, 8, 8];

function row(name: string, cells: readonly string[]): string {
  return `${name.slice(0, 12).padEnd(12)}${cells.map((cell, index) => cell.padStart(WIDTHS[index] ?? 9)).join(' ')}`;
}

function rowOf({ name, offered, sent, answered, errors, times }: Rates): string {
  return row(name, [...[offered, sent, answered, errors].map(count), ...times.map(formatUs)]);
}

export class Live {
  private lines = 0;
  private nextMs = 0;
  private before: View | undefined;
  private beforeMs = 0;
  private plan: Plan | undefined;

  constructor(private readonly options: LiveOptions) {}

  /** What the views that follow are of. */
  begin(plan: Plan): void {
    this.plan = plan;
  }

  /** Call with each new view. */
  show(view: View): void {
    const { quiet, nowMs, isTerminal, periodMs } = this.options;
    if (isTerminal && PHASES[view.phase] === 'closed') return this.leave();
    if (quiet || nowMs() < this.nextMs) return;
    const seconds = Math.max(0.001, (nowMs() - this.beforeMs) / 1_000);
    const before = this.before ?? view;
    const rates = view.levels.flatMap((_, level) => ratesOf(view, before, level, this.nameOf(level), seconds) ?? []);
    this.before = view;
    this.beforeMs = nowMs();
    this.nextMs = nowMs() + (isTerminal ? 900 : periodMs - 100);
    if (isTerminal) this.draw(this.table(view, rates));
    else this.options.write(`${this.line(view, rates).join(' | ')}\n`);
  }

  private nameOf(level: number): string {
    return this.options.levels[level]?.name ?? String(level);
  }

  private line(view: View, rates: readonly Rates[]): string[] {
    const phase = PHASES[view.phase] ?? '?';
    const head = [
      isRun(view) ? `${phase} ${Math.round(view.elapsedNs / 1e9)} s` : phase,
      `connected ${count(view.connected)}/${count(this.options.connections)}`,
      `retries ${view.retries} reconnects ${view.reconnects}`,
    ];
    if (!isRun(view)) return head;
    const flow = `in flight ${view.inFlight} waiting ${view.waiting} mismatched ${view.mismatched}`;
    return [...head, ...rates.map(levelText), flow];
  }

  private table(view: View, rates: readonly Rates[]): string[] {
    const { connections, hiccups } = this.options;
    const connected = `connected ${count(view.connected)} of ${count(connections)}`;
    if (!isRun(view)) {
      const isOpening = PHASES[view.phase] === 'connecting';
      const head = `${PHASES[view.phase] ?? '?'}${isOpening ? `  ${bar(view.connected / connections)}` : ''}`;
      return [head, `${connected}   retries ${count(view.retries)}   reconnects ${count(view.reconnects)}`];
    }
    const gaps = hiccups?.();
    const told =
      gaps === undefined ? '' : `   hiccup p99 ${formatUs(gaps.p99Ns / 1e3)}, max ${formatUs(gaps.maxNs / 1e3)}`;
    return [
      this.progress(view),
      `${connected}   reconnects ${count(view.reconnects)}   mismatched ${count(view.mismatched)}`,
      `in flight ${count(view.inFlight)}   waiting ${count(view.waiting)}${told}`,
      row('level', HEAD),
      ...rates.map(rowOf),
    ];
  }

  private progress(view: View): string {
    const { name = '', durationMs = Number.POSITIVE_INFINITY } = this.plan ?? {};
    const elapsedMs = view.elapsedNs / 1e6;
    const elapsed = formatDuration(Math.round(elapsedMs / 1_000) * 1_000);
    if (PHASES[view.phase] === 'draining') return `${name}  ${bar(1)}  waiting for the last answers`;
    if (durationMs > BAR_MOST_MS) return `${name}  ${elapsed}, until ^C`;
    return `${name}  ${bar(elapsedMs / durationMs)}  ${elapsed} of ${formatDuration(durationMs)}`;
  }

  /** Takes the table off the terminal. */
  private up(): string {
    return this.lines > 0 ? `\u001b[${this.lines}A\u001b[0J` : '';
  }

  /** A line that the terminal would wrap is cut: the next drawing goes up by lines. */
  private draw(lines: readonly string[]): void {
    const columns = this.options.columns?.() ?? COLUMNS;
    this.options.write(`${this.up()}${lines.map((line) => line.slice(0, columns - 1)).join('\n')}\n`);
    this.lines = lines.length;
  }

  /** Other text follows: the table goes, and the next one starts below that text. */
  leave(): void {
    if (this.lines > 0) this.options.write(this.up());
    this.lines = 0;
    this.nextMs = 0;
  }
}

function isRun({ phase }: View): boolean {
  const name = PHASES[phase];
  return name === 'running' || name === 'draining';
}
