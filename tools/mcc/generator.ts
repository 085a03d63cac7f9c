// The generator of this process: our own stack, kernel sockets, or several processes of those. In: options. Out: what makes the test.
// Invariant: DPDK is started once in a process, however many tests it makes.
import { loadNative } from '../../stack/native.js';
import { loadMcc, type NativeMcc } from './native.js';
import type { MccOptions } from './options.js';
import { ProcessGroup } from './process-group.js';

let started = false;

/** `--device 0000:03:00.0` is a NIC. */
function pciDevices({ device }: MccOptions): string[] {
  const address = device.kind === 'eal' ? /^[\da-f]{4}:[^,]*/i.exec(device.device)?.[0] : undefined;
  return address === undefined ? [] : [address];
}

/** DPDK is for our own stack alone; kernel sockets need more processes where one may not have so many files. */
export function generatorOf(options: MccOptions): NativeMcc {
  if (options.networkStack === 'kernel') return options.processes > 1 ? new ProcessGroup(options.processes) : loadMcc();
  if (!started) loadNative().startEal({ memoryMb: 64, pci: pciDevices(options) });
  started = true;
  return loadMcc();
}
