// Where the headers of a frame lie, found slowly: the reference for native/classify/locate.
// In: the bytes of an Ethernet frame. Out: the frame without VLAN tag and padding, and where its headers begin; undefined
// when no whole TCP segment begins in it (another protocol, a fragment, IPv6 options that ask for something unknown).
import type { Base } from './classifier-condition.js';

export interface Segment {
  /** Up to the end of the IP packet: what lies behind is padding. */
  readonly frame: Uint8Array;
  /** The four bytes that were taken off; empty: there was no tag. */
  readonly tag: Uint8Array;
  readonly version: 4 | 6;
  readonly start: Readonly<Record<'frame' | 'ip' | 'tcp' | 'payload', number>>;
}

const ETHERNET = 14;
const TAG = 4;
const EXTENSIONS = { hopByHop: 0, routing: 43, destination: 60 } as const;
const HEADERS_MAX = 8;
const OPTIONS_MAX = 16;
const TCP = 6;
const PADDING = 1;

interface Place {
  readonly version: 4 | 6;
  /** From the IP header on. */
  readonly tcp: number;
  readonly end: number;
}

const u16 = (bytes: Uint8Array, at: number) => ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0);

function withoutTag(bytes: Uint8Array): { frame: Uint8Array; tag: Uint8Array } {
  if (bytes.length < ETHERNET + TAG || u16(bytes, 12) !== 0x8100) return { frame: bytes, tag: new Uint8Array() };
  return { frame: Uint8Array.from([...bytes.slice(0, 12), ...bytes.slice(12 + TAG)]), tag: bytes.slice(12, 12 + TAG) };
}

function placeIpv4(ip: Uint8Array): Place | undefined {
  const version = ip[0] ?? 0;
  const tcp = (version & 15) * 4;
  const end = u16(ip, 2);
  if (ip.length < 20 || version >> 4 !== 4 || ip[9] !== TCP || (u16(ip, 6) & 0x3fff) !== 0) return;
  return tcp < 20 || end < tcp + 20 ? undefined : { version: 4, tcp, end };
}

/** RFC 8200 4.2: an option that is unknown and not to be skipped stops the packet. */
function optionsPass(ip: Uint8Array, from: number, end: number): boolean {
  let options = 0;
  for (let at = from; at < end; ) {
    const type = ip[at] ?? 0;
    if (type === 0) {
      at += 1;
      continue;
    }
    const next = at + 2 + (ip[at + 1] ?? 0);
    options += 1;
    if (at + 2 > end || next > end || options > OPTIONS_MAX || (type !== PADDING && type >> 6 !== 0)) return false;
    at = next;
  }
  return true;
}

function placeIpv6(ip: Uint8Array): Place | undefined {
  const end = 40 + u16(ip, 4);
  if (ip.length < 40 || (ip[0] ?? 0) >> 4 !== 6 || end > ip.length) return;
  let next = ip[6] ?? 0;
  let at = 40;
  for (let headers = 0; (Object.values(EXTENSIONS) as number[]).includes(next); headers++) {
    if ((next === EXTENSIONS.hopByHop && headers !== 0) || headers === HEADERS_MAX || at + 8 > end) return;
    const behind = at + 8 * ((ip[at + 1] ?? 0) + 1);
    if (behind > end) return;
    // RFC 8200 4.4: a route that goes on does not end here.
    const passes = next === EXTENSIONS.routing ? ip[at + 3] === 0 : optionsPass(ip, at + 2, behind);
    if (!passes) return;
    next = ip[at] ?? 0;
    at = behind;
  }
  return next === TCP ? { version: 6, tcp: at, end } : undefined;
}

export function locate(bytes: Uint8Array, payloadAt: number | undefined): Segment | undefined {
  const { frame, tag } = withoutTag(bytes);
  if (frame.length < ETHERNET) return;
  const ip = frame.subarray(ETHERNET);
  const type = u16(frame, 12);
  const place = type === 0x0800 ? placeIpv4(ip) : type === 0x86dd ? placeIpv6(ip) : undefined;
  if (place === undefined) return;
  const tcp = ETHERNET + place.tcp;
  const end = Math.min(ETHERNET + place.end, frame.length);
  if (end < tcp + 20) return;
  const parsed = Math.min(tcp + Math.max(((frame[tcp + 12] ?? 0) >> 4) * 4, 20), end);
  const payload = payloadAt === undefined ? parsed : tcp + payloadAt;
  const start = { frame: 0, ip: ETHERNET, tcp, payload };
  return { frame: frame.subarray(0, end), tag, version: place.version, start };
}

/** The bytes that offsets of a base count from; empty where the frame has no such header. */
export function bytesOf(base: Base, { frame, tag, version, start }: Segment): Uint8Array {
  const [first = 0, second = 0] = frame.subarray(start.ip);
  switch (base) {
    case 'length':
      return Uint8Array.of(0, 0, frame.length >> 8, frame.length & 255);
    case 'vlan':
      return tag;
    case 'dscp':
      return Uint8Array.of(version === 4 ? second & 0xfc : ((first << 4) | (second >> 4)) & 0xfc);
    case 'ip4':
      return version === 4 ? frame.subarray(start.ip) : new Uint8Array();
    case 'ip6':
      return version === 6 ? frame.subarray(start.ip) : new Uint8Array();
    default:
      return frame.subarray(start[base]);
  }
}
