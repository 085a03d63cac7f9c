// plan(): what a server takes, before anything is allocated.
// In: numbers of connections, levels, app threads, packets. Out: pools and bytes, each with the reason: what is taken from the
// start on, and what comes when it is used. Invariant: these are the formulas of the native pools (plan-items.ts,
// native/stack/arena.cc, native/port/dpdk_pool.hh); a test compares the arena with the one that native makes, and
// `npm run bench -- idle` the sum with what is measured.
import {
  ADDRESS_ENTRY_BYTES,
  EMPTY_RECORD_BYTES,
  EVENT_RECORD_BYTES,
  HEADER_BYTES,
  INFO_BYTES,
  INFOS_PER_APP,
  RELEASE_RECORD_BYTES,
  RING_HEADER_BYTES,
  SEND_RECORD_BYTES,
} from '../stack/abi.js';
import { alignUp, type PlanItem, PlanItems, powerOfTwo } from './plan-items.js';
import { formatItems } from './plan-text.js';
import { SLAB_CHUNK } from './slabs.js';

export interface PlanInput {
  connections: number;
  /** Stack threads that share them; 1 unless told otherwise. */
  stacks?: number;
  levels: number;
  apps: number;
  /** Packets of the RX pool, and as many of the TX pool; 0: chosen by the number of connections. */
  packets?: number;
  halfOpen?: number;
  timeWait?: number;
  busy?: number;
  /** Connections that may have their sums kept; 1,024 unless told otherwise. */
  sums?: number;
  slabBytes?: number;
  /** Listeners of order `level` exist: they need waiting lists per level. */
  ordersByLevel?: boolean;
  /** IPv6 is spoken: connections of that family keep their addresses in a pool of their own, and tell JavaScript. */
  ipv6?: boolean;
  /** Bytes per connection that user columns take. */
  userColumnBytes?: number;
  /** Bytes from one packet to the next; DPDK's 2,112 unless told otherwise. */
  stride?: number;
  /** Connections per remote address are limited. */
  limitsSources?: boolean;
  /** The device is a memif. */
  memif?: boolean;
  /** A monitor is told of every frame. */
  mirror?: boolean;
  /** Each app thread has a Redis client. */
  redis?: boolean;
  /** Everything runs in the calling thread. */
  inline?: boolean;
}

export interface Plan {
  items: PlanItem[];
  /** All that may be taken. */
  bytes: number;
  /** What is taken from the start on, whatever happens. */
  startBytes: number;
  arenaBytes: number;
  /** Of each stack, as all that follow. */
  slots: number;
  rxPackets: number;
  txPackets: number;
  busy: number;
  halfOpen: number;
  timeWait: number;
  sums: number;
}

/** AppRings: the app and the generation of each slot. */
const APP_OF_SLOT = 5;
/** Record of stack/connection-table.ts. */
const CONNECTION_COLUMNS = 32;
/** With order `level`: a list for each level. */
const LEVEL_LIST = 4;
/** native/redis/client.hh: places for commands and for replies, and the rings between. */
const REDIS_CLIENT = 2 * (4 * 4 * 1024 * 1024) + 5 * 1024 * 1024;
/** Element of DPDK's pool: object header 64, rte_mbuf 128, Packet 64, headroom 128, room 1,664, padding 64. */
export const DPDK_STRIDE = 2112;
/** With af_xdp the kernel keeps 256 bytes for XDP programs before each frame. */
export const AF_XDP_STRIDE = DPDK_STRIDE + 256;
const EMPTY_RECORDS = 4096;
const WAY_FRAMES = 4096;
/** Five messages of 200 B for each RX packet: what a dead Redis makes wait for a second or so. */
const SLAB_BYTES_PER_PACKET = 1_024;
/** Slabs: links of the 256 slabs of a chunk, and what is known of it. */
const SLAB_LINKS = 256 * 4 + 20;
/** Record and link of PendingLists. */
const WAITING = EVENT_RECORD_BYTES + 4;
/** As native/tcp/config.hh. */
const SUMS_MAX = 1_024;
const PAGE = 4096;

/** Enough for a burst of a fifth of the connections, within what caches and the 4 GiB arena bear. */
export function packetsFor(connections: number): number {
  return Math.min(65_536, Math.max(8_192, powerOfTwo(connections / 5)));
}

/**
 * One stack's part of `n` connections, or of anything that goes by the connection: the flow hash shares out well, not evenly. Four
 * standard deviations more than the mean, and some for small numbers.
 */
export function perStack(n: number, stacks: number): number {
  if (stacks === 1 || n === 0) return n;
  return Math.min(n, Math.ceil(n / stacks + 4 * Math.sqrt(n / stacks)) + 16);
}

/** Frames on one way between stack threads (native/steer/stack_ports.hh): all ways have half of the first stack's packets at most. */
export function wayFrames(packets: number, stacks: number): number {
  const share = packets / 2 / (stacks - 1);
  return Math.min(WAY_FRAMES, 2 ** Math.floor(Math.log2(share)));
}

/** Memory for bytes that handlers keep while they wait. */
export function slabBytes(rxPackets: number): number {
  return rxPackets * SLAB_BYTES_PER_PACKET;
}

/** The arena's size as native/stack/arena.cc lays it out. Packets are those of each stack. */
export function arenaBytes(input: {
  stacks?: number;
  levels: number;
  apps: number;
  rxPackets: number;
  txPackets: number;
  stride: number;
  slabBytes: number;
  emptyRecords?: number;
  /** Slots of all stacks that have a place for IPv6 addresses. */
  ipv6Slots?: number;
}): number {
  const { stacks = 1, levels, apps, rxPackets, txPackets, stride, slabBytes } = input;
  const events = powerOfTwo(rxPackets);
  const sends = powerOfTwo(txPackets);
  const empties = Math.min(powerOfTwo(input.emptyRecords ?? EMPTY_RECORDS), sends);
  let at = HEADER_BYTES;
  const ring = (capacity: number, recordBytes: number) => {
    at = alignUp(alignUp(at, 64) + RING_HEADER_BYTES, 64) + capacity * recordBytes;
  };
  for (let set = 0; set < stacks * apps; set++) {
    for (let level = 0; level < levels; level++) {
      ring(events, EVENT_RECORD_BYTES);
      ring(sends, SEND_RECORD_BYTES);
    }
    ring(events, RELEASE_RECORD_BYTES);
    ring(empties, EMPTY_RECORD_BYTES);
  }
  at = alignUp(at, 64) + apps * INFOS_PER_APP * INFO_BYTES;
  at = alignUp(at, PAGE) + stacks * (rxPackets + txPackets) * stride;
  at = alignUp(alignUp(at, 64) + slabBytes, 64);
  return alignUp(at + (input.ipv6Slots ?? 0) * ADDRESS_ENTRY_BYTES, PAGE);
}

/** Of each stack. */
function pools(input: PlanInput, stacks: number) {
  const { connections } = input;
  const packets = Math.ceil((input.packets || packetsFor(connections)) / stacks);
  const slots = perStack(connections, stacks);
  const halfOpen = input.halfOpen ?? Math.min(65_536, Math.max(4_096, powerOfTwo(connections / 16)));
  return {
    slots,
    rxPackets: packets,
    txPackets: packets,
    busy: input.busy === undefined ? Math.min(slots, packets * 2) : perStack(input.busy, stacks),
    halfOpen: perStack(halfOpen, stacks),
    timeWait: perStack(input.timeWait ?? 16_384, stacks),
    sums: perStack(input.sums ?? SUMS_MAX, stacks),
  };
}

interface Sizes {
  stacks: number;
  slots: number;
  rxPackets: number;
  txPackets: number;
  slabs: number;
  stride: number;
}

function addArena(items: PlanItems, input: PlanInput, sized: Sizes): number {
  const { stacks, rxPackets, txPackets, slabs, stride } = sized;
  const sizes = { stacks, levels: input.levels, apps: input.apps, rxPackets, txPackets, stride };
  const packets = stacks * (rxPackets + txPackets);
  const slots = stacks * sized.slots;
  const rings = arenaBytes({ ...sizes, slabBytes: 0 }) - packets * stride;
  items.addPackets(packets, stride);
  items.add('rings', 1, rings, 'what stack and app threads tell each other');
  items.addLater(
    'slabs',
    Math.ceil(slabs / SLAB_CHUNK),
    SLAB_CHUNK + SLAB_LINKS,
    'bytes of messages whose handlers wait',
  );
  items.addLater('waiting records', stacks * rxPackets, WAITING, 'messages behind others of their connection');
  if (input.ipv6) items.addLater('IPv6 columns', slots, ADDRESS_ENTRY_BYTES, 'the same for JavaScript');
  return arenaBytes({ ...sizes, slabBytes: slabs, ipv6Slots: input.ipv6 ? slots : 0 });
}

function addColumns(items: PlanItems, slots: number, input: PlanInput): void {
  const { apps, levels, ordersByLevel, userColumnBytes = 0 } = input;
  const byLevel = ordersByLevel ? levels * LEVEL_LIST : 0;
  items.add('slot bookkeeping', slots, APP_OF_SLOT, 'which app has a connection');
  items.add('app columns', slots * apps, CONNECTION_COLUMNS + byLevel, 'what JavaScript keeps per connection');
  items.add('user columns', slots * apps, userColumnBytes, 'app.column()');
}

export function plan(input: PlanInput): Plan {
  const { apps, stacks = 1 } = input;
  const sizes = pools(input, stacks);
  const slabs = input.slabBytes ?? slabBytes(stacks * sizes.rxPackets);
  const list = new PlanItems();
  list.addProgram(input.inline ? 0 : apps);
  list.addTcp({ ...input, ...sizes, connections: sizes.slots }, stacks);
  addColumns(list, stacks * sizes.slots, input);
  const arena = addArena(list, input, { ...sizes, stacks, slabs, stride: input.stride ?? DPDK_STRIDE });
  if (stacks > 1) {
    list.addSteering(stacks - 1, wayFrames(sizes.rxPackets, stacks), wayFrames(sizes.txPackets, stacks));
  }
  if (input.memif) list.addMemif();
  if (input.mirror) list.addMirror(DPDK_STRIDE);
  if (input.redis) list.addLater('Redis clients', apps, REDIS_CLIENT, 'commands and replies that are under way');
  return { items: list.items, bytes: list.sum(false), startBytes: list.sum(true), arenaBytes: arena, ...sizes };
}

/** The plan as lines for a person. */
export function formatPlan({ items, bytes, startBytes }: Plan): string {
  return formatItems(items, bytes, startBytes);
}
