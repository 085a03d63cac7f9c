// What can be said about a device before DPDK is asked, which only says that it did not work: an interface that is not there,
// a capability that is missing, a kernel without AF_XDP, a file that cannot be read, an address that the kernel answers for too.
// In: settings, and what this host is (tests pass their own). Out: nothing, or an error with the command that mends it.
import { spawnSync } from 'node:child_process';
import { accessSync, constants, readFileSync, statSync } from 'node:fs';
import { networkInterfaces } from 'node:os';
import { dirname } from 'node:path';
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
  /** The kernel knows sockets of this name, as in /proc/net/protocols. */
  hasProtocol(name: string): boolean;
}

/** Bits of capability sets, see capabilities(7). */
const CAPABILITIES = { CAP_NET_ADMIN: 12, CAP_NET_RAW: 13, CAP_IPC_LOCK: 14, CAP_SYS_ADMIN: 21 } as const;
type Capability = keyof typeof CAPABILITIES;

const NEEDED: Readonly<Record<InterfaceDevice['kind'], readonly Capability[]>> = {
  tap: ['CAP_NET_ADMIN'],
  // Besides reading packets DPDK sets the interface's address and promiscuous mode.
  af_packet: ['CAP_NET_ADMIN', 'CAP_NET_RAW'],
  // The packets are memory that the kernel holds in place, and libxdp looks its program up among all of the kernel's.
  af_xdp: ['CAP_NET_ADMIN', 'CAP_NET_RAW', 'CAP_IPC_LOCK', 'CAP_SYS_ADMIN'],
  pcap: ['CAP_NET_RAW'],
};

/** DPDK's driver keeps 2,048 packets with the kernel for receiving, and sends from copies that it makes in the same pool. */
const AF_XDP_PACKETS_MIN = 4_096;

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

type InterfaceDevice = Extract<Device, { kind: 'tap' | 'af_packet' | 'af_xdp' | 'pcap' }>;

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
  hasProtocol: (name) => new RegExp(`^${name}\\s`, 'm').test(read('/proc/net/protocols')),
};

function refuse(sentence: string): never {
  throw new QstackError('QST_ERR_DEVICE', sentence);
}

function checkCapabilities(device: InterfaceDevice, text: string, host: HostNetwork): void {
  const missing = NEEDED[device.kind].filter((name) => !host.hasCapability(CAPABILITIES[name]));
  if (missing.length === 0) return;
  const noun = missing.length === 1 ? 'the capability' : 'the capabilities';
  const set = `setcap ${missing.join(',').toLowerCase()}+ep ${process.execPath}`;
  refuse(`${text} needs ${noun} ${missing.join(' and ')}: run as root, or \`${set}\``);
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

function checkAfXdp({ packetsMax }: StackSettings, text: string, host: HostNetwork): void {
  if (!host.hasProtocol('XDP')) {
    refuse(`${text}: this kernel has no AF_XDP sockets (CONFIG_XDP_SOCKETS); af_packet needs none`);
  }
  if (packetsMax === 0 || packetsMax >= AF_XDP_PACKETS_MIN) return;
  refuse(`${text}: max_num_buffers is ${packetsMax}; af_xdp needs ${AF_XDP_PACKETS_MIN} or more`);
}

function checkInterface(settings: StackSettings, device: InterfaceDevice, host: HostNetwork): void {
  const name = device.kind === 'tap' ? device.name : device.interface;
  const text = `${device.kind}:${name}`;
  if (device.kind !== 'tap' && !host.has(name)) {
    refuse(`${text}: there is no interface "${name}"; \`ip link\` lists them`);
  }
  checkCapabilities(device, text, host);
  if (device.kind === 'af_xdp') checkAfXdp(settings, text, host);
  if (host.has(name)) checkAddresses(settings, name, host);
}

function checkAccess(path: string, mode: number, what: string): void {
  try {
    accessSync(path, mode);
  } catch (error) {
    refuse(`pcap: ${what}: ${(error as Error).message}`);
  }
}

function checkFiles({ rx, tx }: { rx: string | undefined; tx: string | undefined }): void {
  if (rx !== undefined) checkAccess(rx, constants.R_OK, `frames cannot be read from ${rx}`);
  if (tx === undefined) return;
  const there = statSync(tx, { throwIfNoEntry: false }) !== undefined;
  checkAccess(there ? tx : dirname(tx), constants.W_OK, `frames cannot be written to ${tx}`);
}

export function checkDevice(settings: StackSettings, host: HostNetwork = thisHost): void {
  const { device } = settings;
  if (device.kind === 'pcap_files') checkFiles(device);
  else if (device.kind !== 'memif' && device.kind !== 'eal') checkInterface(settings, device, host);
}
