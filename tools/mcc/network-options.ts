// Where it is sent: device, network stack, threads, own addresses. In: flags. Out: values, or faults kept by the reader.
import { join } from 'node:path';
import { formatIpv4, networkOf, prefixSize } from '../../stack/config/address.js';
import { type Device, parseDevice } from '../../stack/config/device.js';
import { runtimeDir } from '../../stack/config/runtime-dir.js';
import type { FlagReader } from './flag-reader.js';
import { type KernelMachine, kernelPlace } from './kernel.js';

/** Ports 1025 … 65535 of each local address of our own stack. */
const PORTS_PER_ADDRESS = 64_511;
const DEFAULT_PREFIX = 16;

/** As MccOptions has it. */
export interface Place {
  networkStack: 'qstack' | 'kernel';
  sources: readonly number[];
  processes: number;
  device: Device;
  ips: number;
  source: number;
  prefixLength: number;
}

function readDevice(reader: FlagReader): Device {
  const text = reader.text('device');
  const socket = reader.text('socket') ?? join(runtimeDir(), 'memif', 'qstack.sock');
  const device = parseDevice(text ?? `memif:${socket}?client`);
  if (typeof device !== 'string') return device.kind === 'memif' ? { ...device, role: 'client' } : device;
  reader.faults.push(`${text === undefined ? '--socket' : '--device'}: ${device}`);
  return { kind: 'eal', device: '' };
}

/** Local addresses that the server's own address is not among. */
function readSource(reader: FlagReader, destination: number, ips: number, prefixLength: number): number {
  const given = reader.address('source', '--source');
  const network = networkOf(destination, prefixLength);
  let source = given ?? network + Math.min(257, prefixSize(prefixLength) >>> 1);
  const holds = destination >= source && destination < source + ips;
  if (given === undefined && holds) source = destination + 1;
  if (given !== undefined && holds) {
    reader.faults.push(`--source: ${formatIpv4(given)} and the ${ips - 1} after it hold the server's own address`);
  }
  const last = networkOf(source, prefixLength) + prefixSize(prefixLength) - 2;
  if (source + ips - 1 > last) {
    reader.faults.push(`--ips: ${ips} addresses from ${formatIpv4(source)} on do not fit into a /${prefixLength}`);
  }
  return source;
}

export function readThreads(reader: FlagReader, cores: number): void {
  const smp = reader.count('smp', '--smp', 1, 1_024, 2);
  const engines = Math.max(1, smp - 1);
  if (engines + 1 > cores && engines > 1) {
    reader.warnings.push(
      `--smp ${smp}: this machine has ${cores} cores, so there are at most ${Math.max(1, cores - 1)} engine threads`,
    );
  }
  if (engines > 1) {
    reader.warnings.push(
      `--smp ${smp}: one engine thread runs, because a memif socket has one peer and one queue; it opens all connections`,
    );
  }
}

/** What only our own stack has. */
const STACK_ONLY = { flood: '--flood', socket: '--socket', mac: '--mac', gateway: '--gateway', packets: '--packets' };

function readKernelPlace(reader: FlagReader, connections: number, destination: number, machine: KernelMachine): Place {
  for (const [name, flag] of Object.entries(STACK_ONLY)) {
    if (reader.text(name) !== undefined) reader.refuse(flag, reader.text(name), 'it goes with --network-stack qstack');
  }
  const vlan = reader.text('vlan');
  if (vlan !== undefined && vlan !== '0') reader.refuse('--vlan', vlan, 'it goes with --network-stack qstack');
  const ips = reader.count('ips', '--ips', 1, 65_536);
  const source = reader.address('source', '--source');
  const found = kernelPlace({ connections, destination, device: reader.text('device'), source, ips }, machine);
  if (typeof found === 'string') reader.faults.push(found);
  const { sources, processes } = typeof found === 'string' ? { sources: [0], processes: 1 } : found;
  const none = { device: { kind: 'eal' as const, device: '' }, prefixLength: DEFAULT_PREFIX };
  return {
    ...none,
    networkStack: 'kernel',
    sources,
    processes,
    ips: sources.length,
    source: sources[0] || destination,
  };
}

function readStackPlace(reader: FlagReader, connections: number, destination: number): Place {
  const prefixLength = reader.count('prefix', '--prefix', 8, 30, DEFAULT_PREFIX);
  const enough = Math.ceil(connections / PORTS_PER_ADDRESS);
  const ips = reader.count('ips', '--ips', 1, 65_536, enough);
  if (ips < enough) {
    reader.faults.push(
      `--ips: ${connections} connections need at least ${enough} local addresses of ${PORTS_PER_ADDRESS} ports`,
    );
  }
  const source = readSource(reader, destination, ips, prefixLength);
  return { networkStack: 'qstack', sources: [], processes: 1, device: readDevice(reader), ips, source, prefixLength };
}

/** Network, own addresses and processes. */
export function readPlace(reader: FlagReader, connections: number, destination: number, machine: KernelMachine): Place {
  const name = reader.choice('networkStack', '--network-stack', ['qstack', 'mtcp', 'kernel']);
  if (name === 'kernel') return readKernelPlace(reader, connections, destination, machine);
  return readStackPlace(reader, connections, destination);
}
