// Trace: when a replay sends. In: MCC's traffic model (a list of whole numbers: nanoseconds from a message to the next), or a
// capture (pcap, pcapng), of which the client's segments with payload are the messages. Out: times from the first message on,
// and of a capture lengths and flows; or the sentence that says what is wrong. Times are sums of whole nanoseconds: exact.
import { readFileSync } from 'node:fs';
import { locate, type Segment } from '../../stack/classifier-locate.js';
import { type CapturedFrame, loadNative } from '../../stack/native.js';

/** Numbers of messages, in their order. Nanoseconds. */
export interface Trace {
  readonly times: Float64Array;
  /** From the first message to the first one of the next round. */
  readonly cycleNs: number;
  /** Of a capture: bytes of payload, and the number of the connection that it was seen on. */
  readonly lengths?: Float64Array;
  readonly flows?: Float64Array;
}

const MESSAGES_MAX = 16_777_216;
const SECOND_NS = 1e9;
const LENGTH_MIN = 10;
const LENGTH_MAX = 1_448;
const [SYN, ACK] = [0x02, 0x10];
/** First four bytes of a capture, in either order of bytes: pcap of micro- and nanoseconds, pcapng. */
const CAPTURES = [0xa1b2c3d4, 0xd4c3b2a1, 0xa1b23c4d, 0x4d3cb2a1, 0x0a0d0d0a];

export function traceOfGaps(gaps: readonly number[]): Trace | string {
  const times = new Float64Array(gaps.length);
  let sum = 0;
  for (const [index, gap] of gaps.entries()) {
    times[index] = sum;
    sum += gap;
  }
  if (sum === 0) return 'all its gaps are 0';
  // What is sent at the same time as the first message of the next round comes a nanosecond before it.
  const last = times[times.length - 1] ?? 0;
  return { times, cycleNs: Math.max(sum, last + 1) };
}

function traceOfModel(text: string): Trace | string {
  const words = text.split(/[\s,;[\]]+/).filter((word) => word !== '');
  if (words.length === 0) return 'it holds no number';
  if (words.length > MESSAGES_MAX) return `it holds more than ${MESSAGES_MAX} numbers`;
  const wrong = words.find((word) => !/^\d{1,15}$/.test(word));
  return wrong === undefined ? traceOfGaps(words.map(Number)) : `"${wrong}" is no whole number of nanoseconds`;
}

interface Sent {
  readonly ns: number;
  readonly length: number;
  readonly flow: string;
  readonly port: number;
}

const u16 = (bytes: Uint8Array, at: number) => ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0);
const u32 = (bytes: Uint8Array, at: number) => u16(bytes, at) * 65_536 + u16(bytes, at + 2);

/** By the IP header, as a capture may have cut the payload off. */
function payloadLength({ frame, version, start }: Segment): number {
  const end = start.ip + (version === 4 ? u16(frame, start.ip + 2) : 40 + u16(frame, start.ip + 4));
  return end - start.payload;
}

function portOfFirstSyn(segments: readonly Segment[]): number | undefined {
  const syn = segments.find(({ frame, start }) => ((frame[start.tcp + 13] ?? 0) & (SYN | ACK)) === SYN);
  return syn === undefined ? undefined : u16(syn.frame, syn.start.tcp + 2);
}

function sentOf(segment: Segment, captured: CapturedFrame, firstS: number): Sent {
  const { frame, start } = segment;
  const addresses = frame.subarray(
    start.ip + (segment.version === 4 ? 12 : 8),
    start.ip + (segment.version === 4 ? 20 : 40),
  );
  const ports = frame.subarray(start.tcp, start.tcp + 4);
  return {
    ns: (captured.seconds - firstS) * SECOND_NS + captured.microseconds * 1_000,
    length: payloadLength(segment),
    flow: `${addresses.join('.')}:${ports.join('.')}`,
    port: u16(frame, start.tcp + 2),
  };
}

/** Segments to the server's port, without what was sent again: the port given, or else that of the first SYN. */
function traceOfCapture(frames: readonly CapturedFrame[], port: number): Trace | string {
  const located = frames.map((captured) => ({ captured, segment: locate(captured.bytes, undefined) }));
  const segments = located.flatMap(({ segment }) => (segment === undefined ? [] : [segment]));
  const highest = new Map<string, number>();
  const messages = (to: number) => {
    highest.clear();
    const out: Sent[] = [];
    for (const { captured, segment } of located) {
      if (segment === undefined) continue;
      const sent = sentOf(segment, captured, frames[0]?.seconds ?? 0);
      if (sent.port !== to || sent.length <= 0) continue;
      const end = (u32(segment.frame, segment.start.tcp + 4) + sent.length) >>> 0;
      const before = highest.get(sent.flow);
      if (before !== undefined && ((end - before) | 0) <= 0) continue;
      highest.set(sent.flow, end);
      out.push(sent);
    }
    return out;
  };
  const asked = messages(port);
  const found = asked.length > 0 ? asked : messages(portOfFirstSyn(segments) ?? port);
  if (found.length === 0)
    return `no segment with payload goes to port ${port} in it; --port says which one is the server's`;
  return traceOfSent(found.sort((a, b) => a.ns - b.ns));
}

function traceOfSent(sent: readonly Sent[]): Trace {
  const first = sent[0]?.ns ?? 0;
  const span = (sent.at(-1)?.ns ?? 0) - first;
  const numbers = new Map<string, number>();
  for (const { flow } of sent) if (!numbers.has(flow)) numbers.set(flow, numbers.size);
  return {
    times: Float64Array.from(sent, ({ ns }) => ns - first),
    // The mean gap lies between the rounds; of a single message a second.
    cycleNs: span + Math.max(1, sent.length > 1 ? Math.round(span / (sent.length - 1)) : SECOND_NS),
    lengths: Float64Array.from(sent, ({ length }) => Math.min(Math.max(length, LENGTH_MIN), LENGTH_MAX)),
    flows: Float64Array.from(sent, ({ flow }) => numbers.get(flow) ?? 0),
  };
}

/** What one of `count` generators plays: flows of a capture stay whole, other messages take turns. It may be nothing. */
export function shareOfTrace(trace: Trace, index: number, count: number): Trace {
  const { times, cycleNs, lengths, flows } = trace;
  const isMine = (_: number, at: number) => (flows?.[at] ?? at) % count === index;
  return {
    times: times.filter(isMine),
    cycleNs,
    ...(lengths === undefined ? {} : { lengths: lengths.filter(isMine) }),
    ...(flows === undefined ? {} : { flows: flows.filter(isMine).map((flow) => Math.floor(flow / count)) }),
  };
}

/** `port` is the server's in the capture. */
export function readTrace(path: string, port: number): Trace | string {
  try {
    const bytes = readFileSync(path);
    const isCapture = bytes.length >= 4 && CAPTURES.includes(bytes.readUInt32LE(0));
    if (!isCapture) return traceOfModel(bytes.toString('utf8'));
    return traceOfCapture(loadNative().captureFrames(path, MESSAGES_MAX), port);
  } catch (error) {
    return (error as Error).message;
  }
}
