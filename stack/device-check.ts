// What can be said about a device before DPDK is asked, which only says that it did not work: an interface that is not there,
// a capability that is missing, an address that the kernel answers for as well.
// In: settings, and what this host is (tests pass their own). Out: nothing, or an error with the command that mends it.
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { networkInterfaces } from 'node:os';
import { parseIp } from './config/address.js';
import type { Device } from './config/device.js';
import { ipv6Number } from './config/ipv6.js';
import type { StackSettings } from './config/settings.js';
import { QstackError } from './errors.js';

export interface HostAddress {
  address: string;
  prefixLength: number;
}

export interface HostNetwork {
  has(interfaceName: string): boolean;
  /** Addresses of both families that the kernel holds on an interface. */
  addressesOf(interfaceName: string): HostAddress[];
  hasCapability(bit: number): boolean;
}

/** Bits of capability sets, see capabilities(7). */
const CAPABILITIES = { CAP_NET_ADMIN: 12, CAP_NET_RAW: 13 } as const;
type Capability = keyof typeof CAPABILITIES;

const NEEDED: Readonly<Record<'tap' | 'af_packet', readonly Capability[]>> = {
  tap: ['CAP_NET_ADMIN'],
  // Besides reading packets DPDK sets the interface's address and promiscuous mode.
  af_packet: ['CAP_NET_ADMIN', 'CAP_NET_RAW'],
};

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

interface IpAddress {
  addr_info?: { family: string; local: string; prefixlen: number }[];
}

/** Node lists only interfaces that are running, and a tap without a reader is not: so ip(8) is asked where it is there. */
function addressesOf(name: string): HostAddress[] {
  const { status, stdout } = spawnSync('ip', ['-json', 'address', 'show', 'dev', name], { encoding: 'utf8' });
  if (status === 0) {
    const found = (JSON.parse(stdout || '[]') as IpAddress[]).flatMap(({ addr_info = [] }) => addr_info);
    return found.map(({ local, prefixlen }) => ({ address: local, prefixLength: prefixlen }));
  }
  const running = networkInterfaces()[name] ?? [];
  return running.map(({ address, cidr }) => ({ address, prefixLength: Number(cidr?.split('/')[1] ?? 32) }));
}

export const thisHost: HostNetwork = {
  // /sys may belong to another network namespace than this process; /proc/net does not.
  has: (name) => read('/proc/net/dev').includes(`\n${name.padStart(6)}:`),
  addressesOf,
  hasCapability(bit) {
    const effective = /^CapEff:\s*([\da-f]+)$/m.exec(read('/proc/self/status'))?.[1];
    return effective === undefined || ((BigInt(`0x${effective}`) >> BigInt(bit)) & 1n) === 1n;
  },
};

function interfaceOf(device: Device): string | undefined {
  if (device.kind === 'tap') return device.name;
  return device.kind === 'af_packet' ? device.interface : undefined;
}

function checkCapabilities(device: Device, text: string, host: HostNetwork): void {
  if (device.kind !== 'tap' && device.kind !== 'af_packet') return;
  const missing = NEEDED[device.kind].filter((name) => !host.hasCapability(CAPABILITIES[name]));
  if (missing.length === 0) return;
  const noun = missing.length === 1 ? 'the capability' : 'the capabilities';
  const set = `setcap ${missing.join(',').toLowerCase()}+ep ${process.execPath}`;
  throw new QstackError('QST_ERR_DEVICE', `${text} needs ${noun} ${missing.join(' and ')}: run as root, or \`${set}\``);
}

function isOurs({ address: first, addressCount, ipv6 }: StackSettings, text: string): boolean {
  const held = parseIp(text);
  if (typeof held === 'number') return first !== 0 && held >= first && held < first + addressCount;
  if (held === undefined || ipv6 === undefined) return false;
  const step = ipv6Number(held) - ipv6Number(ipv6.address);
  return step >= 0n && step < addressCount;
}

function checkAddresses(settings: StackSettings, name: string, host: HostNetwork): void {
  for (const { address, prefixLength } of host.addressesOf(name)) {
    if (!isOurs(settings, address)) continue;
    throw new QstackError(
      'EADDRINUSE',
      `the kernel answers for ${address} on ${name} as well, and would reset our connections: ` +
        `\`ip addr del ${address}/${prefixLength} dev ${name}\``,
    );
  }
}

export function checkDevice(settings: StackSettings, host: HostNetwork = thisHost): void {
  const { device } = settings;
  const name = interfaceOf(device);
  if (name === undefined) return;
  const text = `${device.kind}:${name}`;
  if (device.kind === 'af_packet' && !host.has(name)) {
    throw new QstackError('QST_ERR_DEVICE', `${text}: there is no interface "${name}"; \`ip link\` lists them`);
  }
  checkCapabilities(device, text, host);
  if (host.has(name)) checkAddresses(settings, name, host);
}
