// `.hlog`: HdrHistogram's interval log, version 1.3: one line per interval and tag with a compressed histogram (V2, base64),
// which HistogramLogAnalyzer, HdrHistogramVisualizer and the log processors of all languages read. Written line by line, so
// what stands in the file of a run that was killed is whole. Times are seconds since the log's start.
import { HistogramLogReader, HistogramLogWriter, JsHistogram, type Histogram as Read } from 'hdr-histogram-js';
import { fromHdr, toHdr } from './hdr.js';
import type { Histogram } from './histogram.js';

const NS_PER_MS = 1e6;

export interface Interval {
  /** Milliseconds since the epoch. */
  readonly startMs: number;
  readonly endMs: number;
  /** The level's name. */
  readonly tag: string;
  readonly histogram: Histogram;
}

/** A tag ends at a comma and a line at its end; readers split fields at spaces too. */
function tagOf(text: string): string {
  return text.replaceAll(/[\s,#"]+/g, '_');
}

export class HistogramLog {
  private readonly writer: HistogramLogWriter;

  /** The head is written at once. `by`: program and command, for a person. */
  constructor(
    write: (text: string) => void,
    private readonly startMs: number,
    by: string,
  ) {
    this.writer = new HistogramLogWriter(write);
    this.writer.outputComment(`[Logged by ${by.replaceAll(/[\r\n]+/g, ' ')}]`);
    this.writer.outputLogFormatVersion();
    const seconds = (startMs / 1_000).toFixed(3);
    this.writer.outputComment(`[StartTime: ${seconds} (seconds since epoch), ${new Date(startMs).toISOString()}]`);
    this.writer.outputLegend();
  }

  /** The column of maxima is in milliseconds. */
  add({ startMs, endMs, tag, histogram }: Interval): void {
    const hdr = toHdr(histogram);
    hdr.tag = tagOf(tag);
    const [start, end] = [(startMs - this.startMs) / 1_000, (endMs - this.startMs) / 1_000];
    this.writer.outputIntervalHistogram(hdr, start, end, NS_PER_MS);
  }
}

/** All intervals of a log in its order; those without a tag have the tag ''. */
export function readHistogramLog(text: string): Interval[] {
  const reader = new HistogramLogReader(text, 64);
  const intervals: Interval[] = [];
  for (let read = reader.nextIntervalHistogram(); read !== null; read = reader.nextIntervalHistogram()) {
    intervals.push(intervalOf(read));
  }
  return intervals;
}

function intervalOf(read: Read): Interval {
  if (!(read instanceof JsHistogram)) throw new Error('hdr-histogram-js gave another histogram than was asked for');
  const { startTimeStampMsec: startMs, endTimeStampMsec: endMs, tag } = read;
  return { startMs, endMs, tag: tag === 'NO TAG' ? '' : tag, histogram: fromHdr(read) };
}
