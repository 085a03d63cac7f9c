// Arena: the shared memory of a server's stacks as typed arrays.
// In: the ArrayBuffer that stack/native.ts attaches (or, in unit tests, one laid out by stack/abi.ts). Out: views by width,
// the header's numbers, ring ends. Invariant: nothing here keeps a view of a part; an offset is a u32 from the arena's start, a
// slot or a packet one of all stacks: it says itself whose it is (docs/several-stacks.md 6).
import {
  ABI_VERSION,
  ADDRESS_ENTRY_BYTES,
  ADDRESS_ENTRY_GENERATION_U32,
  ADDRESS_ENTRY_LOCAL_0_U32,
  ADDRESS_ENTRY_REMOTE_0_U32,
  APP_LINE_BYTES,
  APP_LINES_AT,
  ARENA_HEADER_ABI_VERSION_U32,
  ARENA_HEADER_ADDRESSES_AT_U32,
  ARENA_HEADER_APPS_U32,
  ARENA_HEADER_CONNECTIONS_U32,
  ARENA_HEADER_LEVELS_U32,
  ARENA_HEADER_MAGIC_U32,
  ARENA_HEADER_MSS_U32,
  ARENA_HEADER_PACKETS_U32,
  ARENA_HEADER_PAYLOAD_AT_U32,
  ARENA_HEADER_REGION_AT_U32,
  ARENA_HEADER_ROOM_U32,
  ARENA_HEADER_RX_PACKETS_PER_STACK_U32,
  ARENA_HEADER_RX_PACKETS_U32,
  ARENA_HEADER_SLAB_AT_U32,
  ARENA_HEADER_SLAB_BYTES_U32,
  ARENA_HEADER_SLOTS_PER_STACK_U32,
  ARENA_HEADER_STACKS_U32,
  ARENA_HEADER_STRIDE_U32,
  ARENA_MAGIC,
  RING_DIRECTORY_AT,
  RING_ENTRY_BYTES,
  RING_ENTRY_CAPACITY_U32,
  RING_ENTRY_HEADER_AT_U32,
  RING_ENTRY_RECORD_BYTES_U32,
  RING_ENTRY_RECORDS_AT_U32,
  RINGS_PER_APP,
  STACK_LINE_BYTES,
  STACK_LINES_AT,
} from '../stack/abi.js';
import { QstackError } from '../stack/errors.js';
import { RingConsumer, type RingPlace, RingProducer, RingWindow } from './ring.js';
import { Slabs } from './slabs.js';

/** Node's fast string codecs; Buffer has them, its public types do not. */
interface StringCodecs {
  latin1Slice(start: number, end: number): string;
  utf8Slice(start: number, end: number): string;
  /** Bytes written. */
  utf8Write(text: string, offset: number, length: number): number;
}

export class Arena {
  readonly u8: Uint8Array;
  readonly u16: Uint16Array;
  readonly u32: Uint32Array;
  readonly i32: Int32Array;
  /** The same bytes with Node's string codecs. */
  readonly bytes: Buffer & StringCodecs;
  readonly levels: number;
  readonly stacks: number;
  readonly apps: number;
  /** Slots of all stacks. */
  readonly connections: number;
  /** Slots of each stack. */
  readonly slotsPerStack: number;
  /** Packets of all stacks, RX and TX. */
  readonly packets: number;
  /** RX packets of all stacks. */
  readonly rxPackets: number;
  /** RX packets of each stack: what its budgets are parts of. */
  readonly rxPacketsPerStack: number;
  /** Offset of the payload of packet 0, with the full headroom before it. */
  readonly payloadAt: number;
  readonly stride: number;
  /** Payload bytes that fit into one packet. */
  readonly room: number;
  /** Payload bytes of one segment. */
  readonly mss: number;
  /** Offset of the IPv6 addresses of slot 0; 0: the stack speaks no IPv6. */
  private readonly addressesAt: number;

  constructor(buffer: ArrayBuffer) {
    this.u8 = new Uint8Array(buffer);
    this.u16 = new Uint16Array(buffer);
    this.u32 = new Uint32Array(buffer);
    this.i32 = new Int32Array(buffer);
    this.bytes = Buffer.from(buffer) as Buffer & StringCodecs;
    this.checkHeader();
    this.levels = this.header(ARENA_HEADER_LEVELS_U32);
    this.stacks = this.header(ARENA_HEADER_STACKS_U32);
    this.apps = this.header(ARENA_HEADER_APPS_U32);
    this.connections = this.header(ARENA_HEADER_CONNECTIONS_U32);
    this.slotsPerStack = this.header(ARENA_HEADER_SLOTS_PER_STACK_U32);
    this.packets = this.header(ARENA_HEADER_PACKETS_U32);
    this.rxPackets = this.header(ARENA_HEADER_RX_PACKETS_U32);
    this.rxPacketsPerStack = this.header(ARENA_HEADER_RX_PACKETS_PER_STACK_U32);
    this.payloadAt = this.header(ARENA_HEADER_REGION_AT_U32) + this.header(ARENA_HEADER_PAYLOAD_AT_U32);
    this.stride = this.header(ARENA_HEADER_STRIDE_U32);
    this.room = this.header(ARENA_HEADER_ROOM_U32);
    this.mss = this.header(ARENA_HEADER_MSS_U32);
    this.addressesAt = this.header(ARENA_HEADER_ADDRESSES_AT_U32);
  }

  private header(index: number): number {
    return this.u32[index] as number;
  }

  private checkHeader(): void {
    const version = this.header(ARENA_HEADER_ABI_VERSION_U32);
    if (this.header(ARENA_HEADER_MAGIC_U32) === ARENA_MAGIC && version === ABI_VERSION) return;
    throw new QstackError(
      'QST_ERR_ABI_MISMATCH',
      `the addon speaks version ${version} of the records and this package version ${ABI_VERSION}; run \`npm run build\``,
    );
  }

  /** Number of the stack that has the connection of this slot. */
  stackOf(slot: number): number {
    return this.stacks === 1 ? 0 : Math.floor(slot / this.slotsPerStack);
  }

  /** Index into u32 of the line of an app thread. */
  appLine(app: number): number {
    return (APP_LINES_AT + app * APP_LINE_BYTES) >>> 2;
  }

  /** Index into u32 of the line of a stack. */
  stackLine(stack: number): number {
    return (STACK_LINES_AT + stack * STACK_LINE_BYTES) >>> 2;
  }

  /** Offset of the payload of a packet. */
  payloadOf(packet: number): number {
    return this.payloadAt + packet * this.stride;
  }

  /**
   * A copy of the 16 bytes of an IPv6 connection's remote (or local) address; undefined when the slot is another connection's
   * by now, or the stack speaks no IPv6.
   */
  addressOf(slot: number, generation: number, remote: boolean): Uint8Array | undefined {
    if (this.addressesAt === 0) return undefined;
    const entry = this.addressesAt + slot * ADDRESS_ENTRY_BYTES;
    const at = entry + 4 * (remote ? ADDRESS_ENTRY_REMOTE_0_U32 : ADDRESS_ENTRY_LOCAL_0_U32);
    const bytes = this.u8.slice(at, at + 16);
    const owner = Atomics.load(this.i32, entry / 4 + ADDRESS_ENTRY_GENERATION_U32) >>> 0;
    return owner === generation ? bytes : undefined;
  }

  private place(stack: number, app: number, index: number): RingPlace {
    const set = stack * this.apps + app;
    const entry = (RING_DIRECTORY_AT + (set * RINGS_PER_APP + index) * RING_ENTRY_BYTES) >>> 2;
    return {
      headerAt: this.header(entry + RING_ENTRY_HEADER_AT_U32),
      recordsAt: this.header(entry + RING_ENTRY_RECORDS_AT_U32),
      capacity: this.header(entry + RING_ENTRY_CAPACITY_U32),
      recordBytes: this.header(entry + RING_ENTRY_RECORD_BYTES_U32),
    };
  }

  /** To look at a ring from any thread. */
  window(stack: number, app: number, ring: number): RingWindow {
    return new RingWindow(this.i32, this.place(stack, app, ring));
  }

  /** Room of an app thread for the bytes of messages whose handlers wait. */
  slabs(app: number): Slabs {
    const bytes = Math.floor(this.header(ARENA_HEADER_SLAB_BYTES_U32) / this.apps / 64) * 64;
    return new Slabs(this.header(ARENA_HEADER_SLAB_AT_U32) + app * bytes, bytes);
  }

  /** The app thread's end of a ring that `stack` fills. */
  consumer(stack: number, app: number, ring: number): RingConsumer {
    return new RingConsumer(this.i32, this.place(stack, app, ring));
  }

  /** The app thread's end of a ring that `stack` empties. */
  producer(stack: number, app: number, ring: number): RingProducer {
    return new RingProducer(this.i32, this.place(stack, app, ring));
  }
}
