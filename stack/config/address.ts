// Addresses: IPv4 and MAC addresses of the configuration, as numbers in host order.
// In: text. Out: numbers, or undefined when the text is no address. Nothing here resolves a name.

export interface Prefix {
  address: number;
  length: number;
}

/** A static ARP line: `count` addresses from `first` on share one MAC. */
export interface NeighborRange {
  first: number;
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

/** `10.1.0.0/16 02:…`, `10.1.0.1-10.1.0.230 02:…` or `10.1.0.5 02:…`. */
export function parseNeighborRange(text: string): NeighborRange | undefined {
  const [addresses = '', macText = '', ...rest] = text.trim().split(/\s+/);
  const mac = parseMac(macText);
  if (mac === undefined || rest.length > 0 || ((mac[0] ?? 1) & 1) === 1) return undefined;
  const prefix = parsePrefix(addresses);
  if (prefix !== undefined) {
    return { first: networkOf(prefix.address, prefix.length), count: prefixSize(prefix.length), mac };
  }
  const [firstText = '', lastText = firstText] = addresses.split('-');
  const first = parseIpv4(firstText);
  const last = parseIpv4(lastText);
  return first === undefined || last === undefined || last < first
    ? undefined
    : { first, count: last - first + 1, mac };
}

/** An address that one host may have: not 0, loopback, multicast, reserved or broadcast. */
export function isHostAddress(address: number): boolean {
  const top = address >>> 24;
  return top > 0 && top !== 127 && top < 224;
}
