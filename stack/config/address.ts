// Addresses: IPv4 and MAC addresses of the configuration, as numbers in host order; ipv6.ts has the other family.
// In: text. Out: numbers, or undefined when the text is no address. Nothing here resolves a name.
import { ipv6NetworkOf, ipv6Number, parseIpv6 } from './ipv6.js';

/** IPv4 as a number in host order, IPv6 as its canonical text. */
export type IpAddress = number | string;

export interface Prefix<A extends IpAddress = number> {
  address: A;
  length: number;
}

/** A static line of ARP or NDP: `count` addresses from `first` on share one MAC. */
export interface NeighborRange {
  first: IpAddress;
  count: number;
  mac: Uint8Array;
}

export function parseIpv4(text: string): number | undefined {
  const match = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/.exec(text.trim());
  if (match === null) return undefined;
  let address = 0;
  for (const part of match.slice(1)) {
    if (Number(part) > 255) return undefined;
    address = address * 256 + Number(part);
  }
  return address;
}

export function formatIpv4(address: number): string {
  return [24, 16, 8, 0].map((shift) => (address >>> shift) & 255).join('.');
}

export function parseIp(text: string): IpAddress | undefined {
  return parseIpv4(text) ?? parseIpv6(text);
}

export function formatIp(address: IpAddress): string {
  return typeof address === 'number' ? formatIpv4(address) : address;
}

/** `10.0.0.1:80`, `[fd00::1]:80`. */
export function formatEndpoint(address: IpAddress, port: number): string {
  return typeof address === 'number' ? `${formatIpv4(address)}:${port}` : `[${address}]:${port}`;
}

/** The opposite of formatEndpoint; undefined when it is none, or the port is 0. */
export function parseEndpoint(text: string): { address: IpAddress; port: number } | undefined {
  const [, inBrackets, plain, portText] = /^(?:\[([^\]]+)\]|([\d.]+)):(\d{1,5})$/.exec(text.trim()) ?? [];
  const address = inBrackets === undefined ? parseIpv4(plain ?? '') : parseIpv6(inBrackets);
  const port = Number(portText);
  return address === undefined || !(port >= 1 && port <= 65_535) ? undefined : { address, port };
}

export function parseIpv6Prefix(text: string): Prefix<string> | undefined {
  const [addressText = '', lengthText = '', ...rest] = text.trim().split('/');
  const address = parseIpv6(addressText);
  const right = /^\d{1,3}$/.test(lengthText) && Number(lengthText) <= 128 && rest.length === 0;
  return address === undefined || !right ? undefined : { address, length: Number(lengthText) };
}

export function parsePrefix(text: string): Prefix | undefined {
  const match = /^([\d.]+)\/(\d{1,2})$/.exec(text.trim());
  const address = parseIpv4(match?.[1] ?? '');
  const length = Number(match?.[2]);
  return address === undefined || !(length <= 32) ? undefined : { address, length };
}

/** Number of addresses below a prefix of this length. */
export function prefixSize(length: number): number {
  return 2 ** (32 - length);
}

/** The first address of the network that holds `address`. */
export function networkOf(address: number, length: number): number {
  return address - (address % prefixSize(length));
}

export function parseMac(text: string): Uint8Array | undefined {
  if (!/^[\da-f]{1,2}([:-][\da-f]{1,2}){5}$/i.test(text.trim())) return undefined;
  return Uint8Array.from(text.trim().split(/[:-]/), (part) => Number.parseInt(part, 16));
}

export function formatMac(mac: Uint8Array): string {
  return Array.from(mac, (byte) => byte.toString(16).padStart(2, '0')).join(':');
}

/** Addresses that one line of neighbours may cover: the native table counts them in 32 bits. */
const NEIGHBORS_MAX = 2n ** 32n - 1n;

/** Addresses from the first to the last; 0 when there are too many, or the last comes first. */
function countOf(first: IpAddress, last: IpAddress): number {
  if (typeof first === 'number' && typeof last === 'number') return Math.max(0, last - first + 1);
  if (typeof first === 'number' || typeof last === 'number') return 0;
  const [low, high] = [ipv6Number(first), ipv6Number(last)];
  // Ranges lie in one /64, as native/wire/ip_address.hh counts them.
  const count = low >> 64n === high >> 64n ? high - low + 1n : 0n;
  return count > 0n && count <= NEIGHBORS_MAX ? Number(count) : 0;
}

/** `10.1.0.0/16 02:…`, `fd00::1-fd00::ff 02:…` or `10.1.0.5 02:…`. */
export function parseNeighborRange(text: string): NeighborRange | undefined {
  const [addresses = '', macText = '', ...rest] = text.trim().split(/\s+/);
  const mac = parseMac(macText);
  if (mac === undefined || rest.length > 0 || ((mac[0] ?? 1) & 1) === 1) return undefined;
  const prefix = parsePrefix(addresses);
  if (prefix !== undefined) {
    return { first: networkOf(prefix.address, prefix.length), count: prefixSize(prefix.length), mac };
  }
  const prefix6 = parseIpv6Prefix(addresses);
  if (prefix6 !== undefined && prefix6.length >= 97) {
    const first = ipv6NetworkOf(prefix6.address, prefix6.length);
    return { first, count: prefixSize(prefix6.length - 96), mac };
  }
  const [firstText = '', lastText = firstText] = addresses.split('-');
  const first = parseIp(firstText);
  const last = parseIp(lastText);
  const count = first === undefined || last === undefined ? 0 : countOf(first, last);
  return first === undefined || count === 0 ? undefined : { first, count, mac };
}

/** An address that one host may have: not 0, loopback, multicast, reserved or broadcast. */
export function isHostAddress(address: number): boolean {
  const top = address >>> 24;
  return top > 0 && top !== 127 && top < 224;
}
