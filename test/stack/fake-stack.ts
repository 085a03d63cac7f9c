// FakeStack: the native side of the rings, played by a test over a plain ArrayBuffer that is laid out by stack/abi.ts.
// In: events to publish. Out: the records that the app has written. It checks who owns each packet, as the real one does.

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
  SEND_RECORD_BYTES,
} from '../../stack/abi.js';

export interface FakeOptions {
  levels?: number;
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
  readonly rxPackets: number;
  /** Events that a publish() of its ring will show. */
  private readonly u32: Uint32Array;
  private readonly rings = new Map<number, Ring>();
  private readonly freeRx: number[] = [];
  private readonly freeTx: number[] = [];
  /** TX packets that the app may use. */
  readonly txWithApp = new Set<number>();
  readonly rxWithApp = new Set<number>();
  stamp = 1;

  constructor(options: FakeOptions = {}) {
    const { levels = 2, connections = 16, rxPackets = 64, txPackets = 64, mss = 1448 } = options;
    this.levels = levels;
    this.rxPackets = rxPackets;
    let at = HEADER_BYTES;
    const place = (index: number, capacity: number, recordBytes: number) => {
      const ring = { headerAt: at, recordsAt: at + 128, capacity, words: recordBytes >>> 2, count: 0 };
      at = ring.recordsAt + Math.ceil((capacity * recordBytes) / 64) * 64;
      this.rings.set(index, ring);
    };
    for (let level = 0; level < levels; level++) {
      place(RING_EVENT + level, options.events ?? 64, EVENT_RECORD_BYTES);
      place(RING_SEND + level, options.sends ?? 64, SEND_RECORD_BYTES);
    }
    place(RING_RELEASE, options.releases ?? 64, RELEASE_RECORD_BYTES);
    place(RING_EMPTY, options.empties ?? 64, 4);
    const slabAt = at + (rxPackets + txPackets) * STRIDE;
    const { slabBytes = 0 } = options;
    this.buffer = new ArrayBuffer(slabAt + slabBytes);
    this.u32 = new Uint32Array(this.buffer);
    this.writeHeader({ levels, connections, rxPackets, txPackets, mss, regionAt: at, slabAt, slabBytes });
    this.arena = new Arena(this.buffer);
    for (let i = 0; i < rxPackets; i++) this.freeRx.push(i);
    for (let i = 0; i < txPackets; i++) this.freeTx.push(rxPackets + i);
  }

  private writeHeader(numbers: Record<string, number>): void {
    const { levels, connections, rxPackets, txPackets, mss, regionAt, slabAt, slabBytes } = numbers as Record<
      string,
      number
    > & {
      rxPackets: number;
      txPackets: number;
    };
    const header: [number, number | undefined][] = [
      [ARENA_HEADER_MAGIC_U32, ARENA_MAGIC],
      [ARENA_HEADER_ABI_VERSION_U32, ABI_VERSION],
      [ARENA_HEADER_LEVELS_U32, levels],
      [ARENA_HEADER_APPS_U32, 1],
      [ARENA_HEADER_SLAB_AT_U32, slabAt],
      [ARENA_HEADER_SLAB_BYTES_U32, slabBytes],
      [ARENA_HEADER_CONNECTIONS_U32, connections],
      [ARENA_HEADER_PACKETS_U32, rxPackets + txPackets],
      [ARENA_HEADER_RX_PACKETS_U32, rxPackets],
      [ARENA_HEADER_STACKS_U32, 1],
      [ARENA_HEADER_SLOTS_PER_STACK_U32, connections],
      [ARENA_HEADER_RX_PACKETS_PER_STACK_U32, rxPackets],
      [ARENA_HEADER_TX_PACKETS_PER_STACK_U32, txPackets],
      [ARENA_HEADER_REGION_AT_U32, regionAt],
      [ARENA_HEADER_STRIDE_U32, STRIDE],
      [ARENA_HEADER_PAYLOAD_AT_U32, PAYLOAD_AT],
      [ARENA_HEADER_ROOM_U32, STRIDE - PAYLOAD_AT],
      [ARENA_HEADER_MSS_U32, mss],
    ];
    for (const [index, value] of header) this.u32[index] = value ?? 0;
    for (const [index, ring] of this.rings) {
      const entry = (RING_DIRECTORY_AT + index * RING_ENTRY_BYTES) >>> 2;
      this.u32.set([ring.headerAt, ring.recordsAt, ring.capacity, ring.words * 4], entry);
    }
  }

  private ring(index: number): Ring {
    return this.rings.get(index) as Ring;
  }

  private record(ring: Ring, count: number): number {
    return (ring.recordsAt >>> 2) + (count & (ring.capacity - 1)) * ring.words;
  }

  /** Time moves on, and the poller writes the stamp. */
  tick(ms = 0): void {
    this.stamp = (this.stamp + ms * 15_625) >>> 0;
    this.u32[this.arena.appLine(0) + APP_LINE_STAMP_U32] = this.stamp;
  }

  private push(ringIndex: number, write: (at: number) => void): void {
    const ring = this.ring(ringIndex);
    const head = Atomics.load(this.u32, (ring.headerAt >>> 2) + RING_HEADER_HEAD_U32);
    if (((ring.count - head) | 0) >= ring.capacity) throw new Error('the ring is full: the test asks for too much');
    const at = this.record(ring, ring.count);
    this.u32.fill(0, at, at + ring.words);
    write(at);
    ring.count = (ring.count + 1) | 0;
    Atomics.store(this.u32, (ring.headerAt >>> 2) + RING_HEADER_TAIL_U32, ring.count);
  }

  private event(type: number, level: number, slot: number, generation: number, fields: Record<number, number>): void {
    this.push(RING_EVENT + level, (at) => {
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
    const packet = this.freeRx.shift();
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

  drained(slot: number, cookie: number, generation = 0): void {
    this.event(EVENT_TYPE_DRAINED, this.levels - 1, slot, generation, { [EVENT_RECORD_COOKIE_U32]: cookie });
  }

  urgent(slot: number, generation = 0): void {
    this.event(EVENT_TYPE_URGENT, this.levels - 1, slot, generation, {});
  }

  /** Gives `n` TX packets to the app. */
  giveTx(n: number): void {
    for (let i = 0; i < n; i++) {
      const packet = this.freeTx.shift();
      if (packet === undefined) throw new Error('no TX packet is free');
      this.txWithApp.add(packet);
      this.push(RING_EMPTY, (at) => {
        this.u32[at] = packet;
      });
    }
  }

  private take(ringIndex: number, read: (at: number) => void, max = Number.POSITIVE_INFINITY): void {
    const ring = this.ring(ringIndex);
    const tail = Atomics.load(this.u32, (ring.headerAt >>> 2) + RING_HEADER_TAIL_U32);
    for (let taken = 0; ((tail - ring.count) | 0) > 0 && taken < max; taken++) {
      read(this.record(ring, ring.count));
      ring.count = (ring.count + 1) | 0;
    }
    Atomics.store(this.u32, (ring.headerAt >>> 2) + RING_HEADER_HEAD_U32, ring.count);
  }

  /** Takes what the app has published, the highest level first. TX packets return to the pool. */
  sends(max?: number): Sent[] {
    const sends: Sent[] = [];
    for (let ring = 0; ring < this.levels; ring++)
      this.take(RING_SEND + ring, (at) => sends.push(this.sent(at, ring)), max);
    return sends;
  }

  private sent(at: number, ring: number): Sent {
    const [first = 0, slot = 0, generation = 0, packet = 0, place = 0, rxStamp = 0, , cookie = 0] = this.u32.subarray(
      at,
      at + 8,
    );
    const type = first & 0xff;
    let bytes = Buffer.alloc(0);
    if (type === 1) {
      if (!this.txWithApp.delete(packet)) throw new Error(`TX packet ${packet} is not the app's`);
      this.freeTx.push(packet);
      const from = this.arena.payloadOf(packet) + (place & 0xffff);
      bytes = Buffer.from(this.arena.u8.slice(from, from + (place >>> 16)));
    }
    const level = (first >>> 8) & 0xff;
    return { type, ring, level, more: first >>> 16 === 1, slot, generation, packet, cookie, rxStamp, bytes };
  }

  /** Takes release records; the packets are free again. */
  releases(): Released[] {
    const releases: Released[] = [];
    this.take(RING_RELEASE, (at) => {
      const [packet = 0, slot = 0, generation = 0, length = 0] = this.u32.subarray(at, at + 4);
      if (!this.rxWithApp.delete(packet)) throw new Error(`RX packet ${packet} is not the app's`);
      this.freeRx.push(packet);
      releases.push({ packet, slot, generation, length });
    });
    return releases;
  }

  /** A word of the app's line. */
  line(index: number): number {
    return this.u32[this.arena.appLine(0) + index] as number;
  }
}
