// Where it is sent: device, network stack, threads, own addresses. In: flags. Out: values, or faults kept by the reader.
import { join } from 'node:path';
import { formatIpv4, networkOf, prefixSize } from '../../stack/config/address.js';
import { type Device, parseDevice } from '../../stack/config/device.js';
import { runtimeDir } from '../../stack/config/runtime-dir.js';
import type { FlagReader } from './flag-reader.js';

export function readDevice(reader: FlagReader): Device {
  const text = reader.text('device');
  const socket = reader.text('socket') ?? join(runtimeDir(), 'memif', 'qstack.sock');
  const device = parseDevice(text ?? `memif:${socket}?client`);
  if (typeof device !== 'string') return device.kind === 'memif' ? { ...device, role: 'client' } : device;
  reader.faults.push(`${text === undefined ? '--socket' : '--device'}: ${device}`);
  return { kind: 'eal', device: '' };
}

/** Local addresses that the server's own address is not among. */
export function readSource(reader: FlagReader, destination: number, ips: number, prefixLength: number): number {
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

export function readNetworkStack(reader: FlagReader): void {
  const name = reader.text('networkStack');
  if (name === 'kernel') {
    reader.faults.push('--network-stack: kernel sockets are not available yet; qstack, or mtcp which means the same');
  } else {
    reader.choice('networkStack', '--network-stack', ['qstack', 'mtcp']);
  }
}
