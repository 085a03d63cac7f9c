// IPv6 addresses of the configuration and of connections: canonical text (RFC 5952) outside, bytes in wire order inside.
// In: text, or bytes of the arena. Out: text, bytes, or undefined where the text is no address of IPv6 alone.
import { isIPv6 } from 'node:net';

/** The URL parser of the platform writes addresses as RFC 5952 wants them. */
function canonical(text: string): string {
  return new URL(`http://[${text}]`).hostname.slice(1, -1);
}

/** Zones (`%eth0`) are refused: a stack has one link. */
export function parseIpv6(text: string): string | undefined {
  const written = text.trim();
  return isIPv6(written) && !written.includes('%') ? canonical(written) : undefined;
}

function groupsOf(text: string): number[] {
  return text === '' ? [] : text.split(':').map((group) => Number.parseInt(group, 16));
}

/** Of a canonical text. */
export function ipv6Bytes(address: string): Uint8Array {
  const [head = '', tail] = address.split('::');
  const [left, right] = [groupsOf(head), groupsOf(tail ?? '')];
  const groups = [...left, ...new Array<number>(8 - left.length - right.length).fill(0), ...right];
  return Uint8Array.from(groups.flatMap((group) => [group >>> 8, group & 0xff]));
}

export function formatIpv6(bytes: Uint8Array): string {
  return canonical(Array.from({ length: 8 }, (_, i) => ipv6Group(bytes, i).toString(16)).join(':'));
}

function ipv6Group(bytes: Uint8Array, i: number): number {
  return ((bytes[2 * i] as number) << 8) | (bytes[2 * i + 1] as number);
}

/** As a number, for ranges and prefixes. */
export function ipv6Number(address: string): bigint {
  return ipv6Bytes(address).reduce((number, byte) => (number << 8n) | BigInt(byte), 0n);
}

export function ipv6OfNumber(number: bigint): string {
  const bytes = Uint8Array.from({ length: 16 }, (_, i) => Number((number >> BigInt(8 * (15 - i))) & 0xffn));
  return formatIpv6(bytes);
}

/** The first address of the prefix that holds `address`. */
export function ipv6NetworkOf(address: string, length: number): string {
  const host = (1n << BigInt(128 - length)) - 1n;
  return ipv6OfNumber(ipv6Number(address) & ~host);
}

/** An address that one host may have: no group, not `::` or loopback, no IPv4 in disguise. */
export function isIpv6HostAddress(address: string): boolean {
  const number = ipv6Number(address);
  return number > 1n && number >> 120n !== 0xffn && number >> 32n !== 0xffffn;
}

export function isLinkLocal(address: string): boolean {
  return ipv6Number(address) >> 118n === 0x3fan;
}
