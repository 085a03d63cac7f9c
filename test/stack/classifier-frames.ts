// Ethernet, IPv4 and TCP headers around a payload, for tests that judge single frames.

export interface SegmentParts {
  readonly payload?: ArrayLike<number>;
  readonly ipOptions?: number;
  readonly tcpOptions?: number;
  readonly dscp?: number;
  readonly source?: readonly number[];
  readonly sourcePort?: number;
  readonly destinationPort?: number;
}

export function segment(parts: SegmentParts = {}): Uint8Array {
  const { payload = [], ipOptions = 0, tcpOptions = 0, dscp = 0, source = [10, 0, 0, 1] } = parts;
  const ipBytes = 20 + ipOptions;
  const tcpBytes = 20 + tcpOptions;
  const bytes = new Uint8Array(14 + ipBytes + tcpBytes + payload.length);
  const view = new DataView(bytes.buffer);
  const tcp = 14 + ipBytes;
  view.setUint16(12, 0x0800);
  bytes[14] = 0x40 | (ipBytes / 4);
  bytes[15] = dscp << 2;
  view.setUint16(16, ipBytes + tcpBytes + payload.length);
  bytes[23] = 6;
  bytes.set(source, 26);
  bytes.set([10, 1, 0, 2], 30);
  view.setUint16(tcp, parts.sourcePort ?? 40_000);
  view.setUint16(tcp + 2, parts.destinationPort ?? 80);
  bytes[tcp + 12] = (tcpBytes / 4) << 4;
  bytes.set(Array.from(payload), tcp + tcpBytes);
  return bytes;
}
