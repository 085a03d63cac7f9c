// Values of which a stack has one per family: `10.0.0.1/24, fd00::1/64`.
// In: items with commas between. Out: at most one IPv4 and one IPv6 value, or the sentence that says what is wrong.
import { formatIpv4, isHostAddress, type Prefix, parseIpv4, parseIpv6Prefix, parsePrefix } from './address.js';
import { isIpv6HostAddress, parseIpv6 } from './ipv6.js';

export interface PerFamily<V4, V6> {
  ipv4?: V4;
  ipv6?: V6;
}

class Refused {
  constructor(readonly sentence: string) {}
}

function perFamily<V4, V6>(
  text: string,
  ipv4: (item: string) => V4 | Refused,
  ipv6: (item: string) => V6 | Refused,
): PerFamily<V4, V6> | string {
  const found: PerFamily<V4, V6> = {};
  for (const item of text.split(',').map((part) => part.trim())) {
    const family = item.includes(':') ? 'ipv6' : 'ipv4';
    const value = family === 'ipv6' ? ipv6(item) : ipv4(item);
    if (value instanceof Refused) return value.sentence;
    if (found[family] !== undefined) return `${item} is a second address of its family`;
    Object.assign(found, { [family]: value });
  }
  return found;
}

function hostPrefixIpv4(item: string): Prefix | Refused {
  const prefix = parsePrefix(item);
  if (prefix === undefined) return new Refused(`"${item}" is no address with a prefix length`);
  if (prefix.length < 8 || prefix.length > 30) return new Refused(`a prefix of ${prefix.length} bits is out of range`);
  return isHostAddress(prefix.address)
    ? prefix
    : new Refused(`${formatIpv4(prefix.address)} cannot be a host's address`);
}

function hostPrefixIpv6(item: string): Prefix<string> | Refused {
  const prefix = parseIpv6Prefix(item);
  if (prefix === undefined) return new Refused(`"${item}" is no address with a prefix length`);
  if (prefix.length < 8) return new Refused(`a prefix of ${prefix.length} bits is out of range`);
  return isIpv6HostAddress(prefix.address) ? prefix : new Refused(`${prefix.address} cannot be a host's address`);
}

export function parseHostAddresses(text: string): PerFamily<Prefix, Prefix<string>> | string {
  return perFamily(text, hostPrefixIpv4, hostPrefixIpv6);
}

export function parseGateways(text: string): PerFamily<number, string> | string {
  return perFamily(
    text,
    (item) => parseIpv4(item) ?? new Refused(`"${item}" is not an address`),
    (item) => parseIpv6(item) ?? new Refused(`"${item}" is not an address`),
  );
}
