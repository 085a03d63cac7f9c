// Live: progress on stderr. A terminal gets a table that is drawn again with each tick, of the last second and of all; anything
// else a line each period.
// In: ticks, sums, the capture's counts. Out: text.
import { formatUs } from '../mcc/report.js';
import type { Capture } from './native.js';
import { levelReport, levelTable } from './report.js';
import type { Result } from './results.js';

export interface LiveOptions {
  readonly quiet: boolean;
  readonly isTerminal: boolean;
  /** 0: no lines. */
  readonly periodMs: number;
  readonly write: (text: string) => void;
  readonly nowMs: () => number;
}

function levelLine({ levels }: Result): string {
  return levels
    .map(({ name, responses, latency }) => {
      const [p50, p99] = [latency.percentileNs(0.5), latency.percentileNs(0.99)].map((ns) =>
        formatUs(ns === undefined ? null : ns / 1_000),
      );
      return `${name} ${responses.toLocaleString('en-US')} responses p50 ${p50} p99 ${p99}`;
    })
    .join(' | ');
}

export class Live {
  private lines = 0;
  private nextMs: number;

  constructor(private readonly options: LiveOptions) {
    this.nextMs = options.nowMs() + options.periodMs;
  }

  show(tick: Result, total: Result, capture: Capture): void {
    const { quiet, isTerminal, periodMs, nowMs } = this.options;
    if (quiet) return;
    const lost = capture.missed + capture.dropped;
    const facts = `frames ${capture.frames.toLocaleString('en-US')} lost ${lost.toLocaleString('en-US')}`;
    if (isTerminal)
      this.draw(
        `last second\n${levelTable(tick.levels.map(levelReport))}\nall\n${levelTable(total.levels.map(levelReport))}\n${facts}`,
      );
    else if (periodMs > 0 && nowMs() >= this.nextMs) {
      this.nextMs = nowMs() + periodMs;
      this.options.write(`${levelLine(total)} | ${facts}\n`);
    }
  }

  /** Other text follows. */
  leave(): void {
    this.lines = 0;
  }

  private draw(text: string): void {
    const up = this.lines > 0 ? `\u001b[${this.lines}A\u001b[0J` : '';
    this.options.write(`${up}${text}\n`);
    this.lines = text.split('\n').length;
  }
}
