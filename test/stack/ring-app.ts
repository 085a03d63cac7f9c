// The app's end of its rings with one stack in its barest form, for tests of the binding: no scheduler, no messages, just records.
import {
  APP_LINE_BYTES,
  APP_LINES_AT,
  ARENA_HEADER_APPS_U32,
  ARENA_HEADER_LEVELS_U32,
  ARENA_HEADER_PAYLOAD_AT_U32,
  ARENA_HEADER_REGION_AT_U32,
  ARENA_HEADER_STRIDE_U32,
  EVENT_RECORD_BYTES,
  EVENT_RECORD_COOKIE_U32,
  EVENT_RECORD_GENERATION_U32,
  EVENT_RECORD_LENGTH_U32,
  EVENT_RECORD_LEVEL_U8,
  EVENT_RECORD_LISTENER_U16,
  EVENT_RECORD_LOCAL_PORT_U16,
  EVENT_RECORD_OFFSET_U32,
  EVENT_RECORD_PACKET_U32,
  EVENT_RECORD_REASON_U32,
  EVENT_RECORD_REMOTE_ADDRESS_U32,
  EVENT_RECORD_REMOTE_PORT_U16,
  EVENT_RECORD_SLOT_U32,
  EVENT_RECORD_TOKEN_LOW_U32,
  EVENT_RECORD_TYPE_U8,
  EVENT_TYPE_MESSAGE,
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
  SEND_TYPE_CONNECT,
  SEND_TYPE_SEND,
} from '../../stack/abi.js';
import type { NativeAddon, StackId } from '../../stack/native.js';

export interface Handle {
  readonly slot: number;
  readonly generation: number;
}

export interface TestEvent extends Handle {
  readonly type: number;
  readonly level: number;
  readonly listener: number;
  readonly localPort: number;
  readonly remoteAddress: number;
  readonly remotePort: number;
  readonly token: number;
  readonly cookie: number;
  readonly reason: number;
  readonly packet: number;
  /** A copy of the message's bytes; empty in other events. */
  readonly bytes: Uint8Array;
}

export class RingApp {
  readonly u8: Uint8Array;
  readonly u16: Uint16Array;
  readonly u32: Uint32Array;
  readonly #app: number;
  readonly #of: number;

  /** `of`: which of the instance's stacks. */
  constructor(native: NativeAddon, stack: StackId, app = 0, of = 0) {
    const arena = native.attachArena(stack);
    this.u8 = new Uint8Array(arena);
    this.u16 = new Uint16Array(arena);
    this.u32 = new Uint32Array(arena);
    this.#app = app;
    this.#of = of;
  }

  get levels(): number {
    return this.u32[ARENA_HEADER_LEVELS_U32]!;
  }

  /** Index of a word in this app's line. */
  lineWord(field: number): number {
    return (APP_LINES_AT + this.#app * APP_LINE_BYTES) / 4 + field;
  }

  #ring(index: number): { header: number; records: number; capacity: number } {
    const set = this.#of * this.u32[ARENA_HEADER_APPS_U32]! + this.#app;
    const entry = (RING_DIRECTORY_AT + (set * RINGS_PER_APP + index) * RING_ENTRY_BYTES) / 4;
    return { header: this.u32[entry]! / 4, records: this.u32[entry + 1]!, capacity: this.u32[entry + 2]! };
  }

  /** Byte offset of the next record, or -1. */
  #take(index: number, recordBytes: number): number {
    const { header, records, capacity } = this.#ring(index);
    const head = this.u32[header + RING_HEADER_HEAD_U32]!;
    if (Atomics.load(this.u32, header + RING_HEADER_TAIL_U32) === head) return -1;
    return records + (head & (capacity - 1)) * recordBytes;
  }

  #taken(index: number): void {
    const head = this.#ring(index).header + RING_HEADER_HEAD_U32;
    Atomics.store(this.u32, head, (this.u32[head]! + 1) >>> 0);
  }

  #put(index: number, recordBytes: number, fill: (word: number, byte: number) => void): void {
    const { header, records, capacity } = this.#ring(index);
    const tail = this.u32[header + RING_HEADER_TAIL_U32]!;
    const at = records + (tail & (capacity - 1)) * recordBytes;
    this.u8.fill(0, at, at + recordBytes);
    fill(at / 4, at);
    Atomics.store(this.u32, header + RING_HEADER_TAIL_U32, (tail + 1) >>> 0);
  }

  /** Next event of one level; its packet is given back at once unless `keep`. */
  next(level: number, keep = false): TestEvent | undefined {
    const at = this.#take(RING_EVENT + level, EVENT_RECORD_BYTES);
    if (at < 0) return undefined;
    const word = at / 4;
    const offset = this.u32[word + EVENT_RECORD_OFFSET_U32]!;
    const length = this.u32[word + EVENT_RECORD_LENGTH_U32]!;
    const event: TestEvent = {
      type: this.u8[at + EVENT_RECORD_TYPE_U8]!,
      level: this.u8[at + EVENT_RECORD_LEVEL_U8]!,
      listener: this.u16[at / 2 + EVENT_RECORD_LISTENER_U16]!,
      localPort: this.u16[at / 2 + EVENT_RECORD_LOCAL_PORT_U16]!,
      slot: this.u32[word + EVENT_RECORD_SLOT_U32]!,
      generation: this.u32[word + EVENT_RECORD_GENERATION_U32]!,
      remoteAddress: this.u32[word + EVENT_RECORD_REMOTE_ADDRESS_U32]!,
      remotePort: this.u16[at / 2 + EVENT_RECORD_REMOTE_PORT_U16]!,
      token: this.u32[word + EVENT_RECORD_TOKEN_LOW_U32]!,
      cookie: this.u32[word + EVENT_RECORD_COOKIE_U32]!,
      reason: this.u32[word + EVENT_RECORD_REASON_U32]!,
      packet: this.u32[word + EVENT_RECORD_PACKET_U32]!,
      bytes: this.u8.slice(offset, offset + length),
    };
    this.#taken(RING_EVENT + level);
    if (event.type === EVENT_TYPE_MESSAGE && !keep) this.release(event, event.packet, length);
    return event;
  }

  /** All events, highest level first. */
  drain(): TestEvent[] {
    const events: TestEvent[] = [];
    for (let level = 0; level < this.levels; level++) {
      for (let event = this.next(level); event; event = this.next(level)) events.push(event);
    }
    return events;
  }

  release(handle: Handle, packet: number, length: number): void {
    this.#put(RING_RELEASE, RELEASE_RECORD_BYTES, (word) => {
      this.u32.set([packet, handle.slot, handle.generation, length], word);
    });
  }

  /** Index of an empty TX packet, or -1. */
  takeEmpty(): number {
    const at = this.#take(RING_EMPTY, 4);
    if (at < 0) return -1;
    const index = this.u32[at / 4]!;
    this.#taken(RING_EMPTY);
    return index;
  }

  send(handle: Handle, bytes: Uint8Array, level = 0): boolean {
    const packet = this.takeEmpty();
    if (packet < 0) return false;
    const element = this.u32[ARENA_HEADER_REGION_AT_U32]! + packet * this.u32[ARENA_HEADER_STRIDE_U32]!;
    this.u8.set(bytes, element + this.u32[ARENA_HEADER_PAYLOAD_AT_U32]!);
    this.record(level, SEND_TYPE_SEND, handle, packet, bytes.length);
    return true;
  }

  record(level: number, type: number, handle: Handle, packet = 0, length = 0, cookie = 0): void {
    this.#put(RING_SEND + level, SEND_RECORD_BYTES, (word, byte) => {
      this.u8[byte] = type;
      this.u8[byte + 1] = level;
      this.u32.set([handle.slot, handle.generation, packet, length << 16, 0, 0, cookie], word + 1);
    });
  }

  connect(address: number, port: number, framing: number, cookie: number): void {
    this.record(0, SEND_TYPE_CONNECT, { slot: address, generation: port }, framing, 0, cookie);
  }
}
