// Kernel: what mcc needs of the machine to run on kernel sockets (`--network-stack kernel`): local addresses, ports of each, and
// files, of which a process has so many. In: flags and the machine. Out: addresses and processes, or the fault that names its fix.
import { readFileSync } from 'node:fs';
import { type NetworkInterfaceInfo, networkInterfaces } from 'node:os';
import { formatIpv4, parseIpv4 } from '../../stack/config/address.js';

export interface KernelMachine {
  /** Ports that the kernel gives to a local address. */
  readonly ports: { readonly first: number; readonly last: number };
  /** Hard limit of open files of a process. */
  readonly files: number;
  readonly interfaces: NodeJS.Dict<NetworkInterfaceInfo[]>;
}

export interface KernelPlace {
  /** Local addresses; 0: the kernel chooses. */
  readonly sources: readonly number[];
  readonly processes: number;
}

export interface KernelRequest {
  readonly connections: number;
  readonly destination: number;
  readonly device: string | undefined;
  readonly source: number | undefined;
  /** 0: as many as the connections need. */
  readonly ips: number;
}

/** What node itself has open, and what comes and goes. */
const FILES_KEPT = 64;
const PROCESSES_MAX = 256;
const PORT_RANGE = '/proc/sys/net/ipv4/ip_local_port_range';

function text(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

export function kernelMachine(): KernelMachine {
  const [first, last] = text(PORT_RANGE).split(/\s+/).map(Number);
  const files = /^Max open files\s+\S+\s+(\S+)/m.exec(text('/proc/self/limits'))?.[1];
  return {
    ports: { first: first || 32_768, last: last || 60_999 },
    files: files === 'unlimited' ? Number.POSITIVE_INFINITY : Number(files ?? 1_024),
    interfaces: networkInterfaces(),
  };
}

function isLoopback(address: number): boolean {
  return address >>> 24 === 127;
}

/** IPv4 addresses of an interface and of its aliases (`eth0:1`). */
function addressesOf(device: string, { interfaces }: KernelMachine): number[] {
  return Object.entries(interfaces)
    .filter(([name]) => name === device || name.startsWith(`${device}:`))
    .flatMap(([, infos]) => infos ?? [])
    .filter((info) => info.family === 'IPv4')
    .map((info) => parseIpv4(info.address))
    .filter((address): address is number => address !== undefined);
}

/** Addresses that may be used, as many as there are up to `wanted`; a sentence where there are none. */
function candidates(request: KernelRequest, wanted: number, machine: KernelMachine): number[] | string {
  const { device, source, destination } = request;
  const anyOfLoopback = isLoopback(destination) && (device === undefined || device === 'lo');
  if (source !== undefined || (anyOfLoopback && wanted > 1)) {
    const first = source ?? 0x7f000001;
    return Array.from({ length: wanted }, (_, index) => first + index);
  }
  if (device === undefined || anyOfLoopback) return [0];
  const found = addressesOf(device, machine);
  if (found.length > 0) return found.slice(0, wanted);
  const names = Object.keys(machine.interfaces).join(', ');
  return `--device: "${device}" is no interface with IPv4 addresses; with --network-stack kernel it is one of ${names}`;
}

function widest(connections: number, addresses: number): string {
  const ports = Math.ceil(connections / addresses);
  return ports <= 64_511 ? `, or "sysctl -w net.ipv4.ip_local_port_range='1025 65535'"` : '';
}

function processesFor(connections: number, files: number): number | string {
  const each = files - FILES_KEPT;
  const processes = each > 0 ? Math.max(1, Math.ceil(connections / each)) : Number.POSITIVE_INFINITY;
  if (processes <= PROCESSES_MAX) return processes;
  const needed = Math.ceil(connections / PROCESSES_MAX) + FILES_KEPT;
  return `-c: ${connections} connections take as many open files, and a process may have ${files}; raise the hard limit: "ulimit -n ${needed}"`;
}

/** Where the connections come from, and in how many processes; or why not. */
export function kernelPlace(request: KernelRequest, machine: KernelMachine): KernelPlace | string {
  const { connections } = request;
  const each = machine.ports.last - machine.ports.first + 1;
  const enough = Math.ceil(connections / each);
  const sources = candidates(request, request.ips || enough, machine);
  if (typeof sources === 'string') return sources;
  if (sources.length < enough) {
    const from = sources[0] === 0 ? 'one local address' : `${sources.length} local addresses`;
    const more = sources[0] === 0 ? '--device with alias addresses, or --source and --ips' : 'more --ips, or aliases';
    return `-c: ${connections} connections from ${from} with ${each} ports each (net.ipv4.ip_local_port_range) are too many; say ${more}${widest(connections, sources.length)}`;
  }
  const processes = processesFor(connections, machine.files);
  return typeof processes === 'string' ? processes : { sources, processes };
}

/** By the kernel's name of the error, what stood in the way and what helps. */
const REFUSALS: Readonly<Record<string, (server: string) => string>> = {
  ECONNREFUSED: (server) => `refused: does a server listen at ${server}?`,
  ETIMEDOUT: (server) => `without an answer: is ${server} right, and is there no firewall in between?`,
  EHOSTUNREACH: (server) => `unreachable: there is no host at ${server} (ip neigh, ip route get)`,
  ENETUNREACH: (server) => `unreachable: there is no route to ${server} (ip route get)`,
  EADDRNOTAVAIL: () =>
    `without a local address or port: is the address on this machine? more --ips, or "sysctl -w net.ipv4.ip_local_port_range='1025 65535'"`,
  EADDRINUSE: () => 'without a free local port: more --ips',
  EMFILE: () => 'without a file: the limit of open files is reached ("ulimit -n")',
  ENFILE: () => 'without a file: the machine\'s limit is reached ("sysctl fs.file-max")',
  EACCES: () => 'forbidden by this machine (firewall)',
  EPERM: () => 'forbidden by this machine (firewall)',
};

/** `12 opens were refused: does a server listen at 10.0.0.1:80?`; undefined when none has failed. */
export function refusals(
  counters: Readonly<Record<string, number>>,
  destination: number,
  port: number,
): string | undefined {
  const server = `${formatIpv4(destination)}:${port}`;
  const sentences = Object.entries(counters)
    .filter(([name, count]) => name.startsWith('connect_') && count > 0)
    .map(([name, count]) => {
      const error = name.slice('connect_'.length);
      return `${count} opens were ${REFUSALS[error]?.(server) ?? `refused with ${error}`}`;
    });
  return sentences.length === 0 ? undefined : sentences.join('; ');
}
