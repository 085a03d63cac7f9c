// PlanItems: the lines of a memory plan, and the formulas that plans of a server and of mcc have in common.
// In: counts. Out: items, each with its memory, from when on it is taken, and why it is there. Invariant: these are the formulas
// of the native pools (native/mempool/mapping.cc, native/tcp/tcb.hh, native/flow/flow_table.cc); tests compare them.

export interface PlanItem {
  name: string;
  count: number;
  bytesEach: number;
  bytes: number;
  /** Taken from the start on; otherwise when it is needed. */
  atStart: boolean;
  why: string;
}

/** Tcb: two cache lines, all that an idle connection keeps natively. */
const CONTROL_BLOCK = 128;
/** Busy: RTT, congestion and reassembly state, while bytes are in flight; and two DrainRequests. */
const BUSY_BLOCK = 256 + 2 * 12;
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
/** Engine: the ring of slots that need attention. */
const ATTENTION = 4;
/** native/port/devices.hh: two rings of 2^11 descriptors of 16 B with a buffer of 1,664 B each, and a header of 128 B. */
const MEMIF_RINGS = 2 * (2_048 * (1_664 + 16) + 128);
/** A packet's place in the list of free ones. */
const FREE_PACKET = 8;
/** native/node/device.cc: packets of a mirror. */
const MIRROR_PACKETS = 1_024;
/** DPDK's own of a pool: what each of the 128 threads that there could be may have at hand. */
const POOL_CACHES = 128 * 8_256;
/**
 * The program itself, what it allocates before any connection: V8's heap of the control thread, Node's and DPDK's own; and what an
 * app thread adds, above all its V8 heap. Measured by `npm run bench -- idle` (`program_mib`: 23 of mcc, which has no app thread, 43
 * of iotepserver with one and 59 with two), within seconds of the start: later V8 gives up to 10 MiB back. Without the program's
 * text, some 65 MiB of the page cache that all Node processes of a machine share.
 */
const PROGRAM = 25 * 1024 * 1024;
const APP_THREAD = 17 * 1024 * 1024;
const PAGE = 4_096;

export function alignUp(value: number, to: number): number {
  return Math.ceil(value / to) * to;
}

export function powerOfTwo(atLeast: number): number {
  return 2 ** Math.ceil(Math.log2(Math.max(1, atLeast)));
}

export function flowTableBytes(flows: number): number {
  const homes = Math.max(16, Math.floor((flows * 2) / 13) + 1);
  return (homes + Math.floor(homes / 8) + 16) * FLOW_BUCKET;
}

/** FrameWay: a pointer in each of its two rings. */
const WAY_FRAME = 2 * 8;

/** Pools of one TcpEngine. */
export interface TcpPools {
  connections: number;
  busy: number;
  halfOpen: number;
  timeWait: number;
  sums: number;
  ipv6?: boolean;
  limitsSources?: boolean;
}

export class PlanItems {
  readonly items: PlanItem[] = [];

  /** `bytes`: where they are not the product. What takes nothing is left out. */
  add(name: string, count: number, bytesEach: number, why: string, bytes = alignUp(count * bytesEach, PAGE)): void {
    this.push({ name, count, bytesEach, bytes, why, atStart: true });
  }

  /** Memory that is set aside, and taken by those that use it. */
  addLater(name: string, count: number, bytesEach: number, why: string): void {
    this.push({ name, count, bytesEach, bytes: alignUp(count * bytesEach, PAGE), why, atStart: false });
  }

  private push(item: PlanItem): void {
    if (item.count * item.bytesEach > 0) this.items.push(item);
  }

  addProgram(appThreads: number): void {
    this.add('program', 1, PROGRAM, 'what Node, V8 and DPDK allocate, before any connection');
    this.add('app threads', appThreads, APP_THREAD, 'V8 of each, before any handler');
  }

  /** `engines`: how many there are, each with pools of these sizes. */
  addTcp({ connections, busy, halfOpen, timeWait, sums, ipv6, limitsSources }: TcpPools, engines = 1): void {
    const flows = connections + halfOpen + timeWait;
    const table = flowTableBytes(flows);
    const add = (name: string, count: number, bytesEach: number, why: string, bytes = count * bytesEach) =>
      this.add(name, engines * count, bytesEach, why, engines * alignUp(bytes, PAGE));
    add('control blocks', connections, CONTROL_BLOCK, 'one per connection, two cache lines');
    add('flow table', flows, Math.ceil(table / flows), 'address and ports to connection', table);
    add('busy blocks', busy, BUSY_BLOCK, 'connections with bytes in flight, at most one per packet');
    add('early ranges', Math.max(busy >>> 2, 16), EARLY_RANGES, 'messages that were handed over before others');
    add('half-open records', halfOpen, HALF_OPEN_RECORD, 'handshakes under way');
    add('TIME-WAIT records', timeWait, TIME_WAIT_RECORD, 'closed connections, not to be mistaken for new ones');
    add('attention', connections, ATTENTION, 'which connection wants a turn');
    if (ipv6) this.addLater('IPv6 addresses', engines * flows, ADDRESS_PAIR, 'taken by IPv6 connections alone');
    if (limitsSources) add('source table', connections + halfOpen, SOURCE, 'connections per remote address');
    add('sums', Math.min(connections, sums), SUMS, 'bytes and segments of connections that ask for them');
    add('fragments', DATAGRAMS, DATAGRAM, 'datagrams that are put together');
  }

  /** To and from each stack but the first. */
  addSteering(stacks: number, rxFrames: number, txFrames: number): void {
    this.add('steering', stacks * (rxFrames + txFrames), WAY_FRAME, 'frames on their way between stack threads');
  }

  addPackets(count: number, stride: number): void {
    this.add('packets', count, stride + FREE_PACKET, 'bytes in flight');
  }

  addMemif(): void {
    this.add('memif rings', 1, MEMIF_RINGS / 2, 'shared with the other end: half of them is ours');
  }

  /** A monitor brings its rings with it. */
  addMirror(stride: number): void {
    const bytes = MIRROR_PACKETS * (stride + FREE_PACKET) + POOL_CACHES;
    this.add(
      'mirror packets',
      MIRROR_PACKETS,
      stride + FREE_PACKET,
      'records of frames, and their pool',
      alignUp(bytes, PAGE),
    );
    this.addLater('mirror rings', 1, MEMIF_RINGS / 2, 'shared with a monitor while it reads: half of them is ours');
  }

  /** Of those from the start on, or of all. */
  sum(atStart: boolean): number {
    return this.items.reduce((sum, item) => sum + (item.atStart || !atStart ? item.bytes : 0), 0);
  }
}
