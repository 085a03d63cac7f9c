// FakeStack: the native side of the rings, played by a test over a plain ArrayBuffer that is laid out by stack/abi.ts: one stack, or
// several that share an arena.
// In: events to publish, each by the stack of its slot. Out: the records that the app has written. It checks who owns each packet,
// as the real one does.

import { Arena } from '../../mempool/arena.js';
import {
  ABI_VERSION,
  APP_LINE_STAMP_U32,
  ARENA_HEADER_ABI_VERSION_U32,
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
  ARENA_HEADER_TX_PACKETS_PER_STACK_U32,
  ARENA_MAGIC,
  EVENT_RECORD_BYTES,
  EVENT_RECORD_COOKIE_U32,
  EVENT_RECORD_GENERATION_U32,
  EVENT_RECORD_LENGTH_U32,
  EVENT_RECORD_OFFSET_U32,
  EVENT_RECORD_PACKET_U32,
  EVENT_RECORD_REASON_U32,
  EVENT_RECORD_REMOTE_ADDRESS_U32,
  EVENT_RECORD_RING_STAMP_U32,
  EVENT_RECORD_RX_STAMP_U32,
  EVENT_RECORD_SLOT_U32,
  EVENT_RECORD_TOKEN_LOW_U32,
  EVENT_TYPE_CLOSED,
  EVENT_TYPE_DRAINED,
  EVENT_TYPE_ENDED,
  EVENT_TYPE_MESSAGE,
  EVENT_TYPE_OPENED,
  EVENT_TYPE_URGENT,
  HEADER_BYTES,
  NO_INDEX,
  RELEASE_RECORD_BYTES,
  RING_DIRECTORY_AT,
  RING_EMPTY,
  RING_ENTRY_BYTES,
  RING_EVENT,
  RING_HEADER_HEAD_U32,
  RING_HEADER_TAIL_U32,
  RING_RELEASE,
  RING_SEND,
  RINGS_PER_APP,
  SEND_RECORD_BYTES,
} from '../../stack/abi.js';

export interface FakeOptions {
  stacks?: number;
  levels?: number;
  /** Of each stack, as the packets and the records of the rings. */
  connections?: number;
  rxPackets?: number;
  txPackets?: number;
  /** Of the event rings. */
  events?: number;
  sends?: number;
  releases?: number;
  empties?: number;
  mss?: number;
  slabBytes?: number;
}

export interface Sent {
  stack: number;
  type: number;
  ring: number;
  level: number;
  more: boolean;
  slot: number;
  generation: number;
  packet: number;
  cookie: number;
  rxStamp: number;
  bytes: Buffer;
}

export interface Released {
  packet: number;
  slot: number;
  generation: number;
  length: number;
}

export const STRIDE = 2048;
const PAYLOAD_AT = 256;

interface Ring {
  headerAt: number;
  recordsAt: number;
  capacity: number;
  words: number;
  /** Our own end of it. */
  count: number;
}

export class FakeStack {
  readonly buffer: ArrayBuffer;
  readonly arena: Arena;
  readonly levels: number;
  readonly stacks: number;
  readonly rxPackets: number;
  readonly txPackets: number;
  /** Events that a publish() of its ring will show. */
  private readonly u32: Uint32Array;
  private readonly rings = new Map<number, Ring>();
  /** By stack. */
  private readonly freeRx: number[][] = [];
  private readonly freeTx: number[][] = [];
  /** TX packets that the app may use. */
  readonly txWithApp = new Set<number>();
  readonly rxWithApp = new Set<number>();
  stamp = 1;

  constructor(options: FakeOptions = {}) {
    const { stacks = 1, levels = 2, connections = 16, rxPackets = 64, txPackets = 64, mss = 1448 } = options;
    this.stacks = stacks;
    this.levels = levels;
    this.rxPackets = rxPackets;
    this.txPackets = txPackets;
    let at = HEADER_BYTES;
    for (let stack = 0; stack < stacks; stack++) at = this.placeRings(stack, at, options);
    const slabAt = at + stacks * (rxPackets + txPackets) * STRIDE;
    const { slabBytes = 0 } = options;
    this.buffer = new ArrayBuffer(slabAt + slabBytes);
    this.u32 = new Uint32Array(this.buffer);
    this.writeHeader({ connections, mss, regionAt: at, slabAt, slabBytes });
    this.arena = new Arena(this.buffer);
    const packets = (count: number, first: number) => Array.from({ length: count }, (_, i) => first + i);
    for (let stack = 0; stack < stacks; stack++) {
      this.freeRx.push(packets(rxPackets, stack * rxPackets));
      this.freeTx.push(packets(txPackets, stacks * rxPackets + stack * txPackets));
    }
  }

  /** Returns where they end. */
  private placeRings(stack: number, from: number, options: FakeOptions): number {
    let at = from;
    const place = (index: number, capacity: number, recordBytes: number) => {
      const ring = { headerAt: at, recordsAt: at + 128, capacity, words: recordBytes >>> 2, count: 0 };
      at = ring.recordsAt + Math.ceil((capacity * recordBytes) / 64) * 64;
      this.rings.set(stack * RINGS_PER_APP + index, ring);
    };
    for (let level = 0; level < this.levels; level++) {
      place(RING_EVENT + level, options.events ?? 64, EVENT_RECORD_BYTES);
      place(RING_SEND + level, options.sends ?? 64, SEND_RECORD_BYTES);
    }
    place(RING_RELEASE, options.releases ?? 64, RELEASE_RECORD_BYTES);
    place(RING_EMPTY, options.empties ?? 64, 4);
    return at;
  }

  private writeHeader(numbers: Record<'connections' | 'mss' | 'regionAt' | 'slabAt' | 'slabBytes', number>): void {
    const { connections, mss, regionAt, slabAt, slabBytes } = numbers;
    const { stacks, levels, rxPackets, txPackets } = this;
    const header: [number, number][] = [
      [ARENA_HEADER_MAGIC_U32, ARENA_MAGIC],
      [ARENA_HEADER_ABI_VERSION_U32, ABI_VERSION],
      [ARENA_HEADER_LEVELS_U32, levels],
      [ARENA_HEADER_APPS_U32, 1],
      [ARENA_HEADER_SLAB_AT_U32, slabAt],
      [ARENA_HEADER_SLAB_BYTES_U32, slabBytes],
      [ARENA_HEADER_CONNECTIONS_U32, stacks * connections],
      [ARENA_HEADER_PACKETS_U32, stacks * (rxPackets + txPackets)],
      [ARENA_HEADER_RX_PACKETS_U32, stacks * rxPackets],
      [ARENA_HEADER_STACKS_U32, stacks],
      [ARENA_HEADER_SLOTS_PER_STACK_U32, connections],
      [ARENA_HEADER_RX_PACKETS_PER_STACK_U32, rxPackets],
      [ARENA_HEADER_TX_PACKETS_PER_STACK_U32, txPackets],
      [ARENA_HEADER_REGION_AT_U32, regionAt],
      [ARENA_HEADER_STRIDE_U32, STRIDE],
      [ARENA_HEADER_PAYLOAD_AT_U32, PAYLOAD_AT],
      [ARENA_HEADER_ROOM_U32, STRIDE - PAYLOAD_AT],
      [ARENA_HEADER_MSS_U32, mss],
    ];
    for (const [index, value] of header) this.u32[index] = value;
    for (const [index, ring] of this.rings) {
      const entry = (RING_DIRECTORY_AT + index * RING_ENTRY_BYTES) >>> 2;
      this.u32.set([ring.headerAt, ring.recordsAt, ring.capacity, ring.words * 4], entry);
    }
  }

  private ring(stack: number, index: number): Ring {
    return this.rings.get(stack * RINGS_PER_APP + index) as Ring;
  }

  private record(ring: Ring, count: number): number {
    return (ring.recordsAt >>> 2) + (count & (ring.capacity - 1)) * ring.words;
  }

  /** Time moves on, and the poller writes the stamp. */
  tick(ms = 0): void {
    this.stamp = (this.stamp + ms * 15_625) >>> 0;
    this.u32[this.arena.appLine(0) + APP_LINE_STAMP_U32] = this.stamp;
  }

  private push(stack: number, ringIndex: number, write: (at: number) => void): void {
    const ring = this.ring(stack, ringIndex);
    const head = Atomics.load(this.u32, (ring.headerAt >>> 2) + RING_HEADER_HEAD_U32);
    if (((ring.count - head) | 0) >= ring.capacity) throw new Error('the ring is full: the test asks for too much');
    const at = this.record(ring, ring.count);
    this.u32.fill(0, at, at + ring.words);
    write(at);
    ring.count = (ring.count + 1) | 0;
    Atomics.store(this.u32, (ring.headerAt >>> 2) + RING_HEADER_TAIL_U32, ring.count);
  }

  private event(
    type: number,
    level: number,
    slot: number,
    generation: number,
    fields: Record<number, number>,
    stack = slot === NO_INDEX ? 0 : this.arena.stackOf(slot),
  ): void {
    this.push(stack, RING_EVENT + level, (at) => {
      const { listener = 0, ...words } = fields as Record<number | 'listener', number>;
      this.u32[at] = type | (level << 8) | (listener << 16);
      this.u32[at + EVENT_RECORD_SLOT_U32] = slot;
      this.u32[at + EVENT_RECORD_GENERATION_U32] = generation;
      this.u32[at + EVENT_RECORD_PACKET_U32] = NO_INDEX;
      this.u32[at + EVENT_RECORD_REMOTE_ADDRESS_U32] = 0x0a000000 + slot;
      this.u32[at + EVENT_RECORD_RING_STAMP_U32] = this.stamp;
      for (const [index, value] of Object.entries(words)) this.u32[at + Number(index)] = value;
    });
  }

  opened(slot: number, generation = 0, listener = 0, cookie = 0): void {
    this.event(EVENT_TYPE_OPENED, 0, slot, generation, { listener, [EVENT_RECORD_TOKEN_LOW_U32]: cookie } as never);
  }

  message(slot: number, text: string | Uint8Array, level = this.levels - 1, generation = 0, listener = 0): void {
    const bytes = Buffer.from(text as string);
    const packet = this.freeRx[this.arena.stackOf(slot)]?.shift();
    if (packet === undefined) throw new Error('no RX packet is free');
    this.rxWithApp.add(packet);
    const offset = this.arena.payloadOf(packet);
    this.arena.u8.set(bytes, offset);
    this.event(EVENT_TYPE_MESSAGE, level, slot, generation, {
      listener,
      [EVENT_RECORD_PACKET_U32]: packet,
      [EVENT_RECORD_OFFSET_U32]: offset,
      [EVENT_RECORD_LENGTH_U32]: bytes.length,
      [EVENT_RECORD_RX_STAMP_U32]: this.stamp,
    } as never);
  }

  ended(slot: number, generation = 0): void {
    this.event(EVENT_TYPE_ENDED, this.levels - 1, slot, generation, {});
  }

  closed(slot: number, generation = 0, reason = 0, cookie = 0): void {
    const fields = { [EVENT_RECORD_REASON_U32]: reason, [EVENT_RECORD_TOKEN_LOW_U32]: cookie };
    this.event(EVENT_TYPE_CLOSED, this.levels - 1, slot, generation, fields);
  }

  /** A connect record of this cookie has led to nothing. */
  refused(stack: number, cookie: number, reason: number, length = 0): void {
    const fields = {
      [EVENT_RECORD_REASON_U32]: reason,
      [EVENT_RECORD_TOKEN_LOW_U32]: cookie,
      [EVENT_RECORD_LENGTH_U32]: length,
    };
    this.event(EVENT_TYPE_CLOSED, this.levels - 1, NO_INDEX, 0, fields, stack);
  }

  drained(slot: number, cookie: number, generation = 0): void {
    this.event(EVENT_TYPE_DRAINED, this.levels - 1, slot, generation, { [EVENT_RECORD_COOKIE_U32]: cookie });
  }

  urgent(slot: number, generation = 0): void {
    this.event(EVENT_TYPE_URGENT, this.levels - 1, slot, generation, {});
  }

  /** Gives `n` TX packets of a stack to the app. */
  giveTx(n: number, stack = 0): void {
    for (let i = 0; i < n; i++) {
      const packet = this.freeTx[stack]?.shift();
      if (packet === undefined) throw new Error('no TX packet is free');
      this.txWithApp.add(packet);
      this.push(stack, RING_EMPTY, (at) => {
        this.u32[at] = packet;
      });
    }
  }

  private take(stack: number, ringIndex: number, read: (at: number) => void, max = Number.POSITIVE_INFINITY): void {
    const ring = this.ring(stack, ringIndex);
    const tail = Atomics.load(this.u32, (ring.headerAt >>> 2) + RING_HEADER_TAIL_U32);
    for (let taken = 0; ((tail - ring.count) | 0) > 0 && taken < max; taken++) {
      read(this.record(ring, ring.count));
      ring.count = (ring.count + 1) | 0;
    }
    Atomics.store(this.u32, (ring.headerAt >>> 2) + RING_HEADER_HEAD_U32, ring.count);
  }

  /** Takes what the app has published, stack by stack, the highest level first. TX packets return to their pools. */
  sends(max?: number): Sent[] {
    const sends: Sent[] = [];
    for (let stack = 0; stack < this.stacks; stack++) {
      for (let ring = 0; ring < this.levels; ring++)
        this.take(stack, RING_SEND + ring, (at) => sends.push(this.sent(at, stack, ring)), max);
    }
    return sends;
  }

  private sent(at: number, stack: number, ring: number): Sent {
    const [first = 0, slot = 0, generation = 0, packet = 0, place = 0, rxStamp = 0, , cookie = 0] = this.u32.subarray(
      at,
      at + 8,
    );
    const type = first & 0xff;
    let bytes = Buffer.alloc(0);
    if (type === 1) {
      if (!this.txWithApp.delete(packet)) throw new Error(`TX packet ${packet} is not the app's`);
      const owner = Math.floor((packet - this.stacks * this.rxPackets) / this.txPackets);
      if (owner !== stack) throw new Error(`TX packet ${packet} is of stack ${owner}, and was sent to stack ${stack}`);
      this.freeTx[stack]?.push(packet);
      const from = this.arena.payloadOf(packet) + (place & 0xffff);
      bytes = Buffer.from(this.arena.u8.slice(from, from + (place >>> 16)));
    }
    const level = (first >>> 8) & 0xff;
    return { stack, type, ring, level, more: first >>> 16 === 1, slot, generation, packet, cookie, rxStamp, bytes };
  }

  /** Takes release records; the packets are free again. */
  releases(): Released[] {
    const releases: Released[] = [];
    for (let stack = 0; stack < this.stacks; stack++) {
      this.take(stack, RING_RELEASE, (at) => releases.push(this.release(at, stack)));
    }
    return releases;
  }

  private release(at: number, stack: number): Released {
    const [packet = 0, slot = 0, generation = 0, length = 0] = this.u32.subarray(at, at + 4);
    if (!this.rxWithApp.delete(packet)) throw new Error(`RX packet ${packet} is not the app's`);
    const owner = Math.floor(packet / this.rxPackets);
    if (owner !== stack) throw new Error(`RX packet ${packet} is of stack ${owner}, and came to stack ${stack}`);
    this.freeRx[stack]?.push(packet);
    return { packet, slot, generation, length };
  }

  /** A word of the app's line. */
  line(index: number): number {
    return this.u32[this.arena.appLine(0) + index] as number;
  }
}
