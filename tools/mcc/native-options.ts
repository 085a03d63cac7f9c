// From options and phases to what the native generator takes: the one place where the two vocabularies meet.
// In: validated options, a phase, the capacity so far. Out: NativeMccOptions, NativeRun.
import { networkOf, prefixSize } from '../../stack/config/address.js';
import { formatDevice } from '../../stack/config/device.js';
import { delayedAckMs } from './ack-delay.js';
import type { ClosedLoop } from './modes.js';
import type { NativeMccOptions, NativeRun } from './native.js';
import type { MccOptions } from './options.js';
import { epochMs, type Run } from './phases.js';
import { poolsOf } from './pools.js';
import type { Trace } from './trace.js';

/** Within the backlog that node and others listen with. */
const KERNEL_CONNECTING_MAX = 256;

function closedLoop({ messages, flows, opensPerS, randomLength, request }: ClosedLoop) {
  return { messages, flows, opensPerS, randomLength, request };
}

export function nativeOptions(options: MccOptions): NativeMccOptions {
  const { destination, port, prefixLength, gateway, vlan, connections, batches, seed, core } = options;
  const { messageLength, messages, reply, reconnectAfter, levels, levelPerMessage, answeredAll, thinkNs } = options;
  return {
    device: formatDevice(options.device),
    ...(options.mac === undefined ? {} : { mac: options.mac }),
    firstAddress: options.source,
    addressCount: options.ips,
    ...{ destination, port, prefixLength, gateway, vlan, connections, batches, seed, core },
    ...{ messageLength, reply, reconnectAfter, levelPerMessage, answeredAll, thinkNs },
    ...(messages === undefined ? {} : { templates: messages }),
    levelShares: levels.map(({ share }) => share),
    // Every address of the network; the server's own and the generator's are left out.
    floodAddress: networkOf(destination, prefixLength) + 1,
    floodAddresses: prefixSize(prefixLength) - 2,
    ...poolsOf(options),
    delayedAckMs: delayedAckMs(options),
    ...(options.networkStack === 'kernel'
      ? { kernelSources: options.sources, connectingMax: KERNEL_CONNECTING_MAX }
      : {}),
    ...(options.loop === undefined ? {} : { ...closedLoop(options.loop), mode: 'closed' as const }),
  };
}

/** Lengths of a capture are those of MCC's messages, unless -l has said it. */
function traceFor(trace: Trace, { lengthGiven, messages }: MccOptions): Trace {
  const { lengths, ...rest } = trace;
  return lengths === undefined || lengthGiven || messages !== undefined ? rest : { ...rest, lengths };
}

export function nativeRun(phase: Run, options: MccOptions, capacityPerS: number): NativeRun {
  const durationNs = Math.round(phase.durationMs * 1e6);
  const run = { kind: 'wave' as const, burst: 1, epochNs: 1e9, rate: 1, window: 1, durationNs };
  if (phase.kind === 'wave') {
    return { ...run, burst: phase.burst, epochNs: Math.round(epochMs(phase, options.connections) * 1e6) };
  }
  if (phase.kind === 'closed') return { ...run, kind: 'window' };
  if (phase.kind === 'capacity') return { ...run, kind: 'window', window: phase.window };
  if (phase.kind === 'replay') return { ...run, kind: 'replay', trace: traceFor(phase.trace, options) };
  const rate = 'ratePerS' in phase ? phase.ratePerS : Math.max(1, Math.round(phase.ofCapacity * capacityPerS));
  return { ...run, kind: phase.kind, rate };
}
