// A capture of a conversation, made frame by frame: what tests of the monitor watch.
// In: segments with times. Out: the bytes of a pcap file with microseconds.

export interface Segment {
  readonly us: number;
  readonly from: 'client' | 'server';
  readonly seq: number;
  readonly ack: number;
  readonly payload: Uint8Array;
  readonly client?: number;
  readonly flags?: number;
  readonly serverPort?: number;
}

/** 2026-01-02T03:04:05Z. */
export const START_S = 1_767_323_045;
const PSH_ACK = 0x18;

function frameOf({ from, seq, ack, payload, client = 1, flags = PSH_ACK, serverPort = 80 }: Segment): Buffer {
  const frame = Buffer.alloc(54 + payload.length);
  frame.writeUInt16BE(0x0800, 12);
  frame[14] = 0x45;
  frame.writeUInt16BE(40 + payload.length, 16);
  frame[22] = 64;
  frame[23] = 6;
  const [clientIp, serverIp] = [0x0a_00_01_00 + client, 0x0a_00_00_01];
  const isClient = from === 'client';
  frame.writeUInt32BE(isClient ? clientIp : serverIp, 26);
  frame.writeUInt32BE(isClient ? serverIp : clientIp, 30);
  frame.writeUInt16BE(isClient ? 40_000 : serverPort, 34);
  frame.writeUInt16BE(isClient ? serverPort : 40_000, 36);
  frame.writeUInt32BE(seq >>> 0, 38);
  frame.writeUInt32BE(ack >>> 0, 42);
  frame[46] = 0x50;
  frame[47] = flags;
  frame.set(payload, 54);
  return frame;
}

export function capture(segments: readonly Segment[]): Buffer {
  const head = Buffer.alloc(24);
  head.writeUInt32LE(0xa1b2c3d4, 0);
  head.writeUInt16LE(2, 4);
  head.writeUInt16LE(4, 6);
  head.writeUInt32LE(65_535, 16);
  head.writeUInt32LE(1, 20);
  const records = segments.flatMap((segment) => {
    const frame = frameOf(segment);
    const record = Buffer.alloc(16);
    record.writeUInt32LE(START_S + Math.floor(segment.us / 1e6), 0);
    record.writeUInt32LE(segment.us % 1e6, 4);
    record.writeUInt32LE(frame.length, 8);
    record.writeUInt32LE(frame.length, 12);
    return [record, frame];
  });
  return Buffer.concat([head, ...records]);
}

/** A message of mcc: counter, priority at 5, label 2 at 6. */
export function iotRequest(counter: number, high: boolean): Buffer {
  const bytes = Buffer.alloc(200);
  bytes.writeUInt32LE(counter, 0);
  bytes[5] = high ? 1 : 0;
  bytes[6] = 2;
  return bytes;
}

/** iotepserver's reply: label 3 at 6, the counter in hexadecimal digits at 126. */
export function iotReply(counter: number): Buffer {
  const bytes = Buffer.alloc(146, ' ');
  bytes.write('HTTP/1.1 200 OK');
  bytes[6] = 3;
  bytes.write(counter.toString(16).padStart(8, '0'), 126);
  return bytes;
}

/**
 * One client of mcc: `count` messages a millisecond apart, every second one high; high ones are answered after 200 us, low ones
 * after 700 us. The first request and the second reply pass twice.
 */
export function iotConversation(count: number, client = 1, startUs = 0): Segment[] {
  const segments: Segment[] = [];
  const at = { client, ack: 0 };
  for (let i = 0; i < count; i += 1) {
    const isHigh = i % 2 === 0;
    const us = startUs + i * 1_000;
    const request = {
      ...at,
      us,
      from: 'client' as const,
      seq: i * 200,
      ack: i * 146,
      payload: iotRequest(i + 1, isHigh),
    };
    const replyUs = us + (isHigh ? 200 : 700);
    const reply = {
      ...at,
      us: replyUs,
      from: 'server' as const,
      seq: i * 146,
      ack: (i + 1) * 200,
      payload: iotReply(i + 1),
    };
    segments.push(request, ...(i === 0 ? [{ ...request, us: us + 50 }] : []));
    segments.push(reply, ...(i === 1 ? [{ ...reply, us: replyUs + 50 }] : []));
  }
  return segments;
}
