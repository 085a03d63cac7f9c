// Ethernet, IP and TCP headers around a payload, for tests that judge single frames.

export interface SegmentParts {
  readonly payload?: ArrayLike<number>;
  readonly ipOptions?: number;
  readonly tcpOptions?: number;
  readonly dscp?: number;
  readonly source?: readonly number[];
  readonly sourcePort?: number;
  readonly destinationPort?: number;
  readonly flags?: number;
}

export interface Ipv6Parts {
  readonly payload?: ArrayLike<number>;
  readonly trafficClass?: number;
  /** Last byte of fd00::. */
  readonly source?: number;
  readonly flags?: number;
  /** A hop-by-hop header with one option of this type and no content. */
  readonly option?: number;
}

export function segment6(parts: Ipv6Parts = {}): Uint8Array {
  const { payload = [], trafficClass = 0, source = 1, flags = 0, option } = parts;
  const extension = option === undefined ? [] : [6, 0, option, 2, 0, 0, 0, 0];
  const tcp = 54 + extension.length;
  const bytes = new Uint8Array(tcp + 20 + payload.length);
  const view = new DataView(bytes.buffer);
  view.setUint16(12, 0x86dd);
  view.setUint32(14, 0x60000000 + trafficClass * 2 ** 20);
  view.setUint16(18, bytes.length - 54);
  bytes[20] = option === undefined ? 6 : 0;
  bytes[22] = bytes[38] = 0xfd;
  bytes[37] = source;
  bytes[53] = 2;
  bytes.set(extension, 54);
  view.setUint16(tcp, 40_000);
  view.setUint16(tcp + 2, 80);
  bytes[tcp + 12] = 0x50;
  bytes[tcp + 13] = flags;
  bytes.set(Array.from(payload), tcp + 20);
  return bytes;
}

/** With an 802.1Q tag. */
export function tagged(frame: Uint8Array, id: number, priority = 0): Uint8Array {
  const control = (priority << 13) | id;
  return Uint8Array.from([...frame.slice(0, 12), 0x81, 0, control >> 8, control & 255, ...frame.slice(12)]);
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
  bytes[tcp + 13] = parts.flags ?? 0;
  bytes.set(Array.from(payload), tcp + tcpBytes);
  return bytes;
}
