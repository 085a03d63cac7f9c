// Fields that have a name: addresses, ports, lengths, tags, flags; and pcap-filter expressions.
// In: builder calls (`sourceAddress.in('fd00::/8')`). Out: Conditions. Read first: classifier-condition.ts.
import { type Base, Condition, type Field, invalid, NumberField, test, type Width } from './classifier-condition.js';
import { networkOf, parseIpv4, parseIpv6Prefix, parsePrefix } from './config/address.js';
import { ipv6NetworkOf, parseIpv6 } from './config/ipv6.js';
import { loadNative } from './native.js';

const FILTER_LENGTH_MAX = 4096;

function named(name: string, base: Base, offset: number, width: Width, mask: number, shift = 0): Field {
  return { name, base, offset, width, order: 'be', mask, shift };
}

/** An address of the IP header. Prefixes are `a.b.c.d/p` or IPv6; each family fails the tests of the other one. */
export class AddressField {
  private readonly name: string;
  private readonly offset: number;
  private readonly offset6: number;

  constructor(name: string, offset: number, offset6: number) {
    this.name = name;
    this.offset = offset;
    this.offset6 = offset6;
  }

  in(prefix: string): Condition {
    return this.compare(false, prefix);
  }

  /** Of the same family, and outside. */
  notIn(prefix: string): Condition {
    return this.compare(true, prefix);
  }

  is(address: string): Condition {
    if (parseIpv4(address) === undefined && parseIpv6(address) === undefined) {
      throw invalid(`"${address}" is no address; accepted are a.b.c.d and IPv6 addresses`);
    }
    return this.compare(false, address);
  }

  private compare(negated: boolean, text: string): Condition {
    return text.includes(':') ? this.compare6(negated, text) : this.compare4(negated, text);
  }

  private compare4(negated: boolean, text: string): Condition {
    const prefix = parsePrefix(text.includes('/') ? text : `${text}/32`);
    if (prefix === undefined || prefix.length === 0) {
      throw invalid(`"${text}" is no network; accepted is a.b.c.d/p with p from 1 to 32`);
    }
    const mask = 2 ** 32 - 2 ** (32 - prefix.length);
    const network = networkOf(prefix.address, prefix.length);
    return test(named(this.name, 'ip4', this.offset, 4, mask), negated ? 'not' : 'is', [network]);
  }

  private compare6(negated: boolean, text: string): Condition {
    const prefix = parseIpv6Prefix(text.includes('/') ? text : `${text}/128`);
    if (prefix === undefined || prefix.length === 0) {
      throw invalid(`"${text}" is no network; accepted is an IPv6 address/p with p from 1 to 128`);
    }
    const { length } = prefix;
    const network = ipv6NetworkOf(prefix.address, length);
    const place = { name: this.name, base: 'ip6', offset: this.offset6 } as const;
    return new Condition([[{ kind: 'network', ...place, network, length, negated }]]);
  }
}

/** Bits of the TCP header's flags (RFC 9293 3.1, RFC 3168). */
export const TCP_FLAGS = { fin: 1, syn: 2, rst: 4, psh: 8, ack: 16, urg: 32, ece: 64, cwr: 128 } as const;
export type TcpFlag = keyof typeof TCP_FLAGS;

export class FlagsField extends NumberField {
  constructor(mask = 0xff) {
    const name = mask === 0xff ? 'tcp flags' : `tcp flags & 0x${mask.toString(16).padStart(2, '0')}`;
    super(named(name, 'tcp', 13, 1, mask));
  }

  /** Compares `flags & mask`. */
  mask(mask: number): FlagsField {
    if (Number.isInteger(mask) && mask >= 1 && mask <= 0xff) return new FlagsField(mask);
    throw invalid(`the mask ${mask} does not fit tcp flags; accepted are 0x01 to 0xff`);
  }

  /** All of these are set. */
  has(...flags: readonly [TcpFlag, ...TcpFlag[]]): Condition {
    return this.mask(bitsOf(flags)).is(bitsOf(flags));
  }

  /** None of these is set. */
  lacks(...flags: readonly [TcpFlag, ...TcpFlag[]]): Condition {
    return this.mask(bitsOf(flags)).is(0);
  }
}

function bitsOf(flags: readonly TcpFlag[]): number {
  return flags.reduce((bits, flag) => bits | TCP_FLAGS[flag], 0);
}

/** Bytes of the frame from the Ethernet header to the end of the IP packet: padding, FCS and a VLAN tag do not count. */
export const frameLength = new NumberField(named('length', 'length', 0, 4, 0xffff));
/** Behind the VLAN tag, if there is one: 0x0800 is IPv4, 0x86dd IPv6. */
export const etherType = new NumberField(named('ether type', 'frame', 12, 2, 0xffff));
/** Of frames that came with a tag; 0: the tag has a priority only. */
export const vlanId = new NumberField(named('vlan id', 'vlan', 2, 2, 0x0fff));
/** Priority code point of the tag, 0 to 7. */
export const vlanPriority = new NumberField(named('vlan pcp', 'vlan', 2, 2, 0xe000, 13));
export const sourcePort = new NumberField(named('src port', 'tcp', 0, 2, 0xffff));
export const destinationPort = new NumberField(named('dst port', 'tcp', 2, 2, 0xffff));
export const tcpFlags = new FlagsField();
/** Differentiated services code point (RFC 2474) of IPv4 and IPv6, 0 to 63. */
export const dscp = new NumberField(named('dscp', 'dscp', 0, 1, 0xfc, 2));
export const sourceAddress = new AddressField('src net', 12, 8);
export const destinationAddress = new AddressField('dst net', 16, 24);

/**
 * A pcap-filter expression (see `man pcap-filter`), such as `tcp[37] = 1 and greater 81`. libpcap compiles it once and
 * runs it on the frame without its VLAN tag and padding, also where a message is judged that is not the frame's first.
 * Throws QST_ERR_CLASSIFIER_INVALID with what libpcap says.
 */
export function pcap(expression: string): Condition {
  if (expression.length > FILTER_LENGTH_MAX) {
    throw invalid(`a pcap filter of ${expression.length} characters; at most ${FILTER_LENGTH_MAX} are possible`);
  }
  if (!/^[\x20-\x7e]*$/.test(expression) || expression.includes('"')) {
    throw invalid(`the pcap filter ${JSON.stringify(expression)} is no line of ASCII without quotation marks`);
  }
  const fault = loadNative().filterFault(expression);
  if (fault !== undefined) throw invalid(`the pcap filter "${expression}" is refused by libpcap: ${fault}`);
  return new Condition([[{ kind: 'filter', expression }]]);
}
