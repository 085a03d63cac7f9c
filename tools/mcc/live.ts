// Live: progress while connections open and runs go on, on stderr only. A terminal gets one table that is drawn again each
// second; anything else gets a line each `periodMs`.
// In: two successive views. Out: text. Rates are the difference of the two over the time between them.

import type { Level } from './levels.js';
import { PHASES, type View } from './native.js';
import { formatUs } from './report.js';

export interface LiveOptions {
  quiet: boolean;
  periodMs: number;
  isTerminal: boolean;
  connections: number;
  levels: readonly Level[];
  write: (text: string) => void;
  nowMs: () => number;
}

function perSecond(now: number, before: number, seconds: number): number {
  return Math.max(0, Math.round((now - before) / seconds));
}

/** `high 1,000/1,000 p99 210 us`: sent and answered per second, latency of the interval. */
function levelText(view: View, before: View, level: number, name: string, seconds: number): string {
  const now = view.levels[level];
  const old = before.run === view.run ? before.levels[level] : undefined;
  if (now === undefined) return '';
  const sent = perSecond(now.sent, old?.sent ?? 0, seconds);
  const answered = perSecond(now.answered, old?.answered ?? 0, seconds);
  const counts = `${sent.toLocaleString('en-US')}/s sent ${answered.toLocaleString('en-US')}/s answered`;
  const times = answered > 0 ? ` p50 ${formatUs(now.p50Ns / 1_000)} p99 ${formatUs(now.p99Ns / 1_000)}` : '';
  return `${name.padEnd(5)} ${counts}${times}`;
}

export class Live {
  private lines = 0;
  private nextMs = 0;
  private before: View | undefined;
  private beforeMs = 0;

  constructor(private readonly options: LiveOptions) {}

  /** Call with each new view. */
  show(view: View): void {
    const { quiet, nowMs, isTerminal, periodMs } = this.options;
    if (quiet || nowMs() < this.nextMs) return;
    const seconds = Math.max(0.001, (nowMs() - this.beforeMs) / 1_000);
    const parts = this.parts(view, this.before ?? view, seconds);
    this.before = view;
    this.beforeMs = nowMs();
    this.nextMs = nowMs() + (isTerminal ? 900 : periodMs - 100);
    if (isTerminal) this.draw(parts);
    else this.options.write(`${parts.join(' | ')}\n`);
  }

  private parts(view: View, before: View, seconds: number): string[] {
    const phase = PHASES[view.phase] ?? '?';
    const isRun = phase === 'running' || phase === 'draining';
    const head = [
      isRun ? `${phase} ${Math.round(view.elapsedNs / 1e9)} s` : phase,
      `connected ${view.connected.toLocaleString('en-US')}/${this.options.connections.toLocaleString('en-US')}`,
      `retries ${view.retries} reconnects ${view.reconnects}`,
    ];
    if (!isRun) return head;
    const flow = `in flight ${view.inFlight} waiting ${view.waiting} mismatched ${view.mismatched}`;
    return [
      ...head,
      ...view.levels.map((_, level) => levelText(view, before, level, this.nameOf(level), seconds)),
      flow,
    ];
  }

  private nameOf(level: number): string {
    return this.options.levels[level]?.name ?? String(level);
  }

  private draw(parts: readonly string[]): void {
    const up = this.lines > 0 ? `\u001b[${this.lines}A\u001b[0J` : '';
    this.options.write(`${up}${parts.join('\n')}\n`);
    this.lines = parts.length;
  }

  /** Other text follows on the terminal: the next table starts below it. */
  leave(): void {
    this.lines = 0;
    this.nextMs = 0;
  }
}
