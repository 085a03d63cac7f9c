// Pairs: which address of the kernel leads to which address behind our stack.
// In: `127.0.0.1:8080 10.0.0.1:80 …`, two by two. Out: pairs, or the sentence that says what is wrong; and an address for our
// own stack that none of the targets has.
import {
  formatEndpoint,
  formatIp,
  formatIpv4,
  type IpAddress,
  networkOf,
  parseEndpoint,
} from '../../stack/config/address.js';

export interface Endpoint {
  address: IpAddress;
  port: number;
}

export interface Pair {
  /** Of the kernel. */
  listen: Endpoint;
  /** Of the server on our stack. */
  target: Endpoint;
}

const LOOPBACK = '127.0.0.1';
const PREFIX = 16;
/** Where mcc begins as well: only one of them has the link at a time. */
const FIRST_OFFSET = 257;

export function formatPair({ listen, target }: Pair): string {
  return `${formatEndpoint(listen.address, listen.port)} -> ${formatEndpoint(target.address, target.port)}`;
}

/** `8080` is a port of 127.0.0.1. */
function listenOf(text: string): Endpoint | undefined {
  return parseEndpoint(/^\d+$/.test(text) ? `${LOOPBACK}:${text}` : text);
}

export function parsePairs(words: readonly string[]): Pair[] | string {
  const pairs: Pair[] = [];
  for (let at = 0; at < words.length; at += 2) {
    const [from = '', to = ''] = words.slice(at, at + 2);
    if (to === '') return `${from}: where does it lead to? Addresses come in pairs, such as 127.0.0.1:8080 10.0.0.1:80`;
    const listen = listenOf(from);
    const target = parseEndpoint(to);
    if (listen === undefined) return `"${from}" is no address to listen on, such as 127.0.0.1:8080, [::1]:8080 or 8080`;
    if (target === undefined) return `"${to}" is no address of a server, such as 10.0.0.1:80 or [fd00::1]:80`;
    pairs.push({ listen, target });
  }
  return pairs;
}

/** Whoever reaches one of these addresses from elsewhere reaches the server. */
export function isLoopback({ address }: Endpoint): boolean {
  return typeof address === 'number' ? address >>> 24 === 127 : address === '::1';
}

/** `--source` as host_ip has it: with a prefix length. */
export function hostIpOf(source: string): string {
  if (source.includes('/')) return source;
  return `${source}/${source.includes(':') ? 64 : PREFIX}`;
}

/** An address in the first target's network; undefined where only IPv6 is spoken. */
export function defaultSource(pairs: readonly Pair[]): string | undefined {
  const taken = new Set(pairs.map(({ target }) => formatIp(target.address)));
  const first = pairs.map(({ target }) => target.address).find((address) => typeof address === 'number');
  if (first === undefined) return undefined;
  let source = networkOf(first, PREFIX) + FIRST_OFFSET;
  while (taken.has(formatIpv4(source))) source += 1;
  return formatIpv4(source);
}
