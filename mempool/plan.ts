// plan(): what a stack takes, before anything is allocated.
// In: numbers of connections, levels, app threads, packets. Out: pools and bytes, each with the reason; a table of it.
// Invariant: these are the formulas of the native pools (native/tcp/tcb.hh, native/flow/flow_table.cc, native/stack/arena.cc,
// native/port/dpdk_pool.hh); a test compares the arena with the one that native makes.
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
import { SLAB_CHUNK } from './slabs.js';

export interface PlanInput {
  connections: number;
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
}

export interface PlanItem {
  name: string;
  count: number;
  bytesEach: number;
  bytes: number;
  why: string;
}

export interface Plan {
  items: PlanItem[];
  bytes: number;
  arenaBytes: number;
  rxPackets: number;
  txPackets: number;
  busy: number;
  halfOpen: number;
  timeWait: number;
}

/** Tcb: two cache lines, all that an idle connection keeps natively. */
const CONTROL_BLOCK = 128;
/** Busy: RTT, congestion and reassembly state, while bytes are in flight. */
const BUSY_BLOCK = 256;
/** EarlyRanges: messages handed over behind a hole; for a quarter of the busy connections, 16 at least. */
const EARLY_RANGES = 72;
const HALF_OPEN_RECORD = 64;
const TIME_WAIT_RECORD = 64;
/** FlowKeys: the two addresses of an IPv6 connection. */
const ADDRESS_PAIR = 40;
/** SourceTable: an address and its two counts; 1.5 places for each connection that can be. */
const SOURCE = 24;
/** SideTable<Sums>: 88, its slot and link, and a bucket. */
const SUMS = 96 + 4;
/** Fragments: how many datagrams are put together at once, and what each may take: 8 KiB of payload, and 328 for its pieces. */
const DATAGRAMS = 64;
const DATAGRAM = 8_192 + 328;
/** A bucket of ten flows; 6.5 are in it on average, and one overflow bucket stands by for eight. */
const FLOW_BUCKET = 64;
/** AppRings: the app and the generation of each slot. */
const APP_OF_SLOT = 5;
/** Engine: the ring of slots that need attention. */
const ATTENTION = 4;
/** Columns of stack/connection-table.ts: 28, and two list ends of stack/pending.ts. */
const CONNECTION_COLUMNS = 28 + 8;
/** Element of DPDK's pool: object header 64, rte_mbuf 128, Packet 64, headroom 128, room 1,664, padding 64. */
export const DPDK_STRIDE = 2112;
/** With af_xdp the kernel keeps 256 bytes for XDP programs before each frame. */
export const AF_XDP_STRIDE = DPDK_STRIDE + 256;
const EMPTY_RECORDS = 4096;
/** Five messages of 200 B for each RX packet: what a dead Redis makes wait for a second or so. */
const SLAB_BYTES_PER_PACKET = 1_024;
/** As native/tcp/config.hh. */
const SUMS_MAX = 1_024;
const HUGE_PAGE = 2 * 1024 * 1024;
const PAGE = 4096;

function alignUp(value: number, to: number): number {
  return Math.ceil(value / to) * to;
}

function powerOfTwo(atLeast: number): number {
  return 2 ** Math.ceil(Math.log2(Math.max(1, atLeast)));
}

/** native/mempool/mapping.cc: pools from one huge page on are rounded up to huge pages. */
function mappingBytes(bytes: number): number {
  return alignUp(bytes, bytes < HUGE_PAGE ? PAGE : HUGE_PAGE);
}

/** Enough for a burst of a fifth of the connections, within what caches and the 4 GiB arena bear. */
export function packetsFor(connections: number): number {
  return Math.min(65_536, Math.max(8_192, powerOfTwo(connections / 5)));
}

export function flowTableBytes(flows: number): number {
  const homes = Math.max(16, Math.floor((flows * 2) / 13) + 1);
  return (homes + Math.floor(homes / 8) + 16) * FLOW_BUCKET;
}

/** Memory for bytes that handlers keep while they wait. */
export function slabBytes(rxPackets: number): number {
  return rxPackets * SLAB_BYTES_PER_PACKET;
}

/** The arena's size as native/stack/arena.cc lays it out. */
export function arenaBytes(input: {
  levels: number;
  apps: number;
  rxPackets: number;
  txPackets: number;
  stride: number;
  slabBytes: number;
  emptyRecords?: number;
  /** Slots that have a place for IPv6 addresses. */
  ipv6Slots?: number;
}): number {
  const { levels, apps, rxPackets, txPackets, stride, slabBytes } = input;
  const events = powerOfTwo(rxPackets);
  const sends = powerOfTwo(txPackets);
  const empties = Math.min(powerOfTwo(input.emptyRecords ?? EMPTY_RECORDS), sends);
  let at = HEADER_BYTES;
  const ring = (capacity: number, recordBytes: number) => {
    at = alignUp(alignUp(at, 64) + RING_HEADER_BYTES, 64) + capacity * recordBytes;
  };
  for (let app = 0; app < apps; app++) {
    for (let level = 0; level < levels; level++) {
      ring(events, EVENT_RECORD_BYTES);
      ring(sends, SEND_RECORD_BYTES);
    }
    ring(events, RELEASE_RECORD_BYTES);
    ring(empties, EMPTY_RECORD_BYTES);
  }
  at = alignUp(at, 64) + apps * INFOS_PER_APP * INFO_BYTES;
  at = alignUp(at, PAGE) + (rxPackets + txPackets) * stride;
  at = alignUp(alignUp(at, 64) + slabBytes, 64);
  return alignUp(at + (input.ipv6Slots ?? 0) * ADDRESS_ENTRY_BYTES, PAGE);
}

function pools(input: PlanInput) {
  const packets = input.packets || packetsFor(input.connections);
  return {
    rxPackets: packets,
    txPackets: packets,
    busy: input.busy ?? Math.min(input.connections, packets * 2),
    halfOpen: input.halfOpen ?? Math.min(65_536, Math.max(4_096, powerOfTwo(input.connections / 16))),
    timeWait: input.timeWait ?? 16_384,
  };
}

export function plan(input: PlanInput): Plan {
  const { connections, levels, apps } = input;
  const sizes = pools(input);
  const { rxPackets, txPackets, busy, halfOpen, timeWait } = sizes;
  const slabs = input.slabBytes ?? slabBytes(rxPackets);
  const arena = arenaBytes({
    levels,
    apps,
    rxPackets,
    txPackets,
    stride: input.stride ?? DPDK_STRIDE,
    slabBytes: slabs,
    ipv6Slots: input.ipv6 ? connections : 0,
  });
  const items: PlanItem[] = [];
  const add = (name: string, count: number, bytesEach: number, why: string, bytes = mappingBytes(count * bytesEach)) =>
    items.push({ name, count, bytesEach, bytes, why });
  const flows = connections + halfOpen + timeWait;
  const byLevel = input.ordersByLevel ? levels * 8 + 1 : 0;
  add('control blocks', connections, CONTROL_BLOCK, 'one per connection, two cache lines');
  add('flow table', flows, 12, 'address and ports to connection', mappingBytes(flowTableBytes(flows)));
  add('busy blocks', busy, BUSY_BLOCK, 'connections with bytes in flight, at most one per packet');
  add('early ranges', Math.max(busy >>> 2, 16), EARLY_RANGES, 'messages that were handed over before others');
  add('half-open records', halfOpen, HALF_OPEN_RECORD, 'handshakes under way');
  add('TIME-WAIT records', timeWait, TIME_WAIT_RECORD, 'closed connections that must not be mistaken for new ones');
  if (input.ipv6) add('IPv6 addresses', flows, ADDRESS_PAIR, 'taken by IPv6 connections alone');
  if (input.limitsSources) add('source table', connections + halfOpen, SOURCE, 'connections per remote address');
  add(
    'sums',
    Math.min(connections, input.sums ?? SUMS_MAX),
    SUMS,
    'bytes and segments of connections that ask for them',
  );
  add('fragments', DATAGRAMS, DATAGRAM, 'datagrams that are put together');
  add('slot bookkeeping', connections, APP_OF_SLOT + ATTENTION, 'which app has a connection, and which wants a turn');
  add('app columns', connections * apps, CONNECTION_COLUMNS + byLevel, 'what JavaScript keeps per connection');
  add('user columns', connections * apps, input.userColumnBytes ?? 0, 'app.column()');
  add('arena: slabs', slabs / SLAB_CHUNK, SLAB_CHUNK, 'bytes of messages whose handlers wait', 0);
  add('arena: packets', rxPackets + txPackets, input.stride ?? DPDK_STRIDE, 'bytes in flight', 0);
  add('arena', 1, arena, 'packets and rings, what JavaScript sees', mappingBytes(arena));
  const bytes = items.reduce((sum, item) => sum + item.bytes, 0);
  return { items: items.filter((item) => item.count * item.bytesEach > 0), bytes, arenaBytes: arena, ...sizes };
}

function humanBytes(bytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB'];
  let value = bytes;
  let unit = 0;
  for (; value >= 1024 && unit < units.length - 1; unit++) value /= 1024;
  return `${value >= 100 || unit === 0 ? Math.round(value) : value.toFixed(1)} ${units[unit]}`;
}

/** The plan as lines for a person. */
export function formatPlan({ items, bytes }: Plan): string {
  const rows = items.map((item) => [
    item.name,
    item.count.toLocaleString('en-US'),
    `${item.bytesEach.toLocaleString('en-US')} B`,
    item.bytes === 0 ? '(in the arena)' : humanBytes(item.bytes),
    item.why,
  ]);
  const table = [['what', 'count', 'each', 'memory', 'why'], ...rows];
  const widths = [0, 1, 2, 3].map((column) => Math.max(...table.map((row) => (row[column] as string).length)));
  const line = (row: string[]) =>
    row
      .map((cell, column) => pad(cell, widths[column] ?? 0, column > 0 && column < 4))
      .join('  ')
      .trimEnd();
  return [...table.map(line), `total ${humanBytes(bytes)}`].join('\n');
}

function pad(text: string, width: number, right: boolean): string {
  return right ? text.padStart(width) : text.padEnd(width);
}
