// cdf.txt, sketch.txt and burst.txt, as HCMonitor writes them, for the scripts that read them.
// In: intervals and bursts of requests. Out: the three files in a folder: cdf.txt and burst.txt grow, sketch.txt is of the last
// interval. HCMonitor has two levels at most: more are one, `low`. It counts what is late (a segment that fills a hole) as sent
// again, and so do these files.
import { appendFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Histogram } from '../histogram/histogram.js';
import { makeFolder } from './folder.js';
import type { NativeAddress, NativeBurst } from './native.js';
import type { Interval, LevelResult } from './results.js';
import { addressText } from './tail-files.js';

const SHARES: readonly [label: string, share: number][] = [
  ...[0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99].map((share): [string, number] => [
    share.toFixed(2),
    share,
  ]),
  ['0.9990', 0.999],
  ['0.9999', 0.9999],
  ['1.0000', 1],
];
/** 0.1 ms each: 26 ms in all. */
const SKETCH_LINES = 260;
const SKETCH_NS = 100_000;
const MINUTE_MS = 60_000;
const BUCKET_MS = 5;

const ms = (ns: number) => (ns / 1e6).toFixed(4);

interface Column {
  readonly requests: number;
  readonly responses: number;
  readonly leastNs: number;
  readonly latency: Histogram;
}

function columnOf(levels: readonly LevelResult[]): Column {
  const measured = levels.filter(({ responses }) => responses > 0);
  const sum = (of: (level: LevelResult) => number) => levels.reduce((total, level) => total + of(level), 0);
  return {
    requests: sum(({ requests }) => requests),
    responses: sum(({ responses }) => responses),
    leastNs: measured.length === 0 ? 0 : Math.min(...measured.map(({ leastNs }) => leastNs)),
    latency: Histogram.merge(levels.map(({ latency }) => latency)),
  };
}

function row(label: string, values: readonly number[]): string {
  return `${label}: ${values.map(ms).join('; ')}`;
}

export function cdfText({ counts, levels, durationMs }: Interval): string {
  const total = columnOf(levels);
  const [high, low] = [columnOf(levels.slice(0, 1)), columnOf(levels.slice(1))];
  const hasLevels = levels.length > 1;
  const columns = hasLevels ? [total, high, low] : [total];
  const connections = Math.round((counts.connections * MINUTE_MS) / durationMs);
  const sumNs = levels.reduce((sum, level) => sum + level.sumNs, 0);
  const averageMs = total.responses === 0 ? 0 : sumNs / total.responses / 1e6;
  const again = [
    counts.request_retransmissions + counts.request_late,
    counts.response_retransmissions + counts.response_late,
  ];
  const head = `connections:${connections},req_retrans:${again[0]},rsp_retrans:${again[1]},avg_delay:${averageMs.toFixed(6)}`;
  const numbers = [
    `recv_pri_high:${high.requests}, recv_pri_low:${low.requests}.`,
    `pri_high_num:${high.responses},low_pri_num:${low.responses}`,
  ];
  const title = hasLevels ? 'CDF:     total:           high_pri:                   low_pri:      ' : 'CDF:     total:';
  const least = hasLevels
    ? [
        row(
          '0',
          columns.map((column) => column.leastNs),
        ).replace('0: ', '0:  '),
      ]
    : [];
  const shares = SHARES.map(([label, share]) =>
    row(
      label,
      columns.map(({ latency }) => latency.percentileNs(share) ?? 0),
    ),
  );
  return `${[head, ...(hasLevels ? numbers : []), title, ...least, ...shares].join('\n')}\n`;
}

/** 260 lines: how many responses took so many tenths of a millisecond. What took longer than 26 ms is in none. */
export function sketchText({ levels }: Interval): string {
  const counts = new Array<number>(SKETCH_LINES).fill(0);
  for (const [valueNs, count] of Histogram.merge(levels.map(({ latency }) => latency))) {
    const line = Math.floor(valueNs / SKETCH_NS);
    if (line < SKETCH_LINES) counts[line] = (counts[line] as number) + count;
  }
  return `${counts.join('\n')}\n`;
}

/** A line for each 5 ms: `client:requests,…,all`. `from`: the bucket that the first line is of. */
export function burstText(bursts: readonly NativeBurst[], from: number, to: number): string {
  const clients = new Map<number, Map<NativeAddress, number>>();
  for (const { bucket, client, requests } of bursts) {
    const line = clients.get(bucket) ?? new Map<NativeAddress, number>();
    line.set(client, (line.get(client) ?? 0) + requests);
    clients.set(bucket, line);
  }
  let text = '';
  for (let bucket = from; bucket < to; bucket += 1) {
    const line = [...(clients.get(bucket) ?? [])];
    const total = line.reduce((sum, [, requests]) => sum + requests, 0);
    text += `${[...line.map(([client, requests]) => `${addressText(client)}:${requests}`), total].join(',')}\n`;
  }
  return text;
}

export class HcmonitorFiles {
  private readonly paths: { cdf: string; sketch: string; burst: string };
  /** The bucket in which the last tick ended goes on in the next one. */
  private open: readonly NativeBurst[] = [];
  private next = 0;

  /** The folder is made. Throws where it cannot be written. */
  constructor(folder: string) {
    makeFolder('--hcmonitor-files', folder);
    const path = (name: string) => join(folder, name);
    this.paths = { cdf: path('cdf.txt'), sketch: path('sketch.txt'), burst: path('burst.txt') };
    appendFileSync(this.paths.cdf, '');
  }

  interval(interval: Interval): void {
    appendFileSync(this.paths.cdf, cdfText(interval));
    writeFileSync(this.paths.sketch, sketchText(interval));
  }

  /** Of one tick, which begins at `startMs`. Where nothing passed for longer than a tick, there are no lines. */
  bursts(bursts: readonly NativeBurst[], startMs: number, tickMs: number): void {
    const [start, to] = [Math.floor(startMs / BUCKET_MS), Math.floor((startMs + tickMs) / BUCKET_MS)];
    const from = this.next > 0 && start - this.next < tickMs / BUCKET_MS ? this.next : start;
    const all = [...this.open, ...bursts];
    appendFileSync(this.paths.burst, burstText(all, from, to));
    this.open = all.filter(({ bucket }) => bucket >= to);
    this.next = to;
  }
}
