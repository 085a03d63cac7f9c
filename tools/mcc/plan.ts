// The generator's memory, before anything is allocated: what `--plan` prints.
// In: options. Out: items and their sum. Invariant: all of it is taken from the start on (native/node/mcc.cc touches it), and
// `npm run bench -- idle` compares it with what is measured.
import { DPDK_STRIDE } from '../../mempool/plan.js';
import { type PlanItem, PlanItems } from '../../mempool/plan-items.js';
import { formatItems } from '../../mempool/plan-text.js';
import { largestThat } from '../../stack/config/checks.js';
import { formatSize } from '../../stack/config/units.js';
import type { MccOptions } from './options.js';
import { poolsOf } from './pools.js';

/** Connection of native/mcc/connection.hh. */
const CONNECTION = 32;
/** Its number by slot. */
const NUMBER = 4;
/** Pending of native/mcc/pending.hh. */
const PENDING = 24;
/** By kind of reply: RecordStream::Place of native/mcc/reply_stream.cc, and HttpReader. */
const REPLY_PLACE = { fixed: 8, lengthPrefix: 8, http: 32, auto: 0, echo: 0 };
/** As native/node/mcc.cc and native/tcp/config.hh: nobody connects to the generator. */
const HALF_OPEN = 64;
const TIME_WAIT = 16_384;
const SUMS = 1_024;

export interface MccPlan {
  items: PlanItem[];
  bytes: number;
}

/** Packets of native/mcc/kernel_network.hh, of each kind. */
const KERNEL_PACKETS = 8_192;
/** Of native/mempool/heap_pool.cc. */
const HEAP_STRIDE = 1_856;
/** Socket of native/mcc/kernel_network.hh; what the kernel keeps of it is not in the process. */
const SOCKET = 72;

/** On kernel sockets there is no stack; what is touched is what is used. */
function kernelPlan(options: MccOptions): MccPlan {
  const { slots, pendingMax } = poolsOf(options);
  const list = new PlanItems();
  for (let made = 0; made < options.processes; made += 1) list.addProgram(0);
  list.add('sockets', slots, SOCKET, "the process' part; the kernel's own part comes beside it");
  list.add('connections', options.connections, CONNECTION, 'what the generator keeps of each');
  list.add('numbers', slots, NUMBER, 'which connection a socket is of');
  list.add('pending messages', pendingMax * options.processes, PENDING, 'from the intended time to the answer');
  list.addPackets(2 * KERNEL_PACKETS * options.processes, HEAP_STRIDE);
  return { items: list.items, bytes: list.sum(false) };
}

export function planOf(options: MccOptions): MccPlan {
  if (options.networkStack === 'kernel') return kernelPlan(options);
  const { slots, busy, rxPackets, txPackets, pendingMax } = poolsOf(options);
  const list = new PlanItems();
  list.addProgram(0);
  list.addTcp({ connections: slots, busy, halfOpen: HALF_OPEN, timeWait: TIME_WAIT, sums: SUMS });
  list.add('connections', options.connections, CONNECTION, 'what the generator keeps of each');
  list.add('numbers', slots, NUMBER, 'which connection a control block is of');
  list.add('pending messages', pendingMax, PENDING, 'from the intended time to the answer');
  const place = REPLY_PLACE[options.reply.kind];
  if (place > 0) list.add('replies', options.connections, place, 'where in a reply each connection is');
  list.addPackets(rxPackets + txPackets, DPDK_STRIDE);
  if (options.device.kind === 'memif') list.addMemif();
  return { items: list.items, bytes: list.sum(false) };
}

/** Why so many connections are too many for this machine, and how many are not; undefined: they fit. */
export function memoryFault(options: MccOptions, memoryBytes: number): string | undefined {
  const needed = planOf(options).bytes;
  if (needed <= memoryBytes) return undefined;
  const fits = (connections: number) => planOf({ ...options, connections }).bytes <= memoryBytes;
  const largest = largestThat(fits, options.connections);
  const sum = `-c: ${options.connections} connections need ${formatSize(needed)}, and ${formatSize(memoryBytes)} can be had`;
  return `${sum}; ${largest > 0 ? `at most ${largest} on this machine` : 'free some memory, or make --packets smaller'}`;
}

export function planText(options: MccOptions): string {
  const { items, bytes } = planOf(options);
  const { processes } = options;
  const each = processes > 1 ? `, in each of ${processes} processes and their parent` : '';
  return `2 threads: 1 control, 1 engine${each}\n${formatItems(items, bytes, bytes)}`;
}
