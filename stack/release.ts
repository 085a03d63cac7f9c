// Releaser: received messages of one stack that this app thread holds, and the way their bytes go back.
//
//   event ring ──take()──▶ held: in its packet, or above the watermark of its level in a slab ──release()──▶ release ring
//
// In: records as they leave their ring; release() when a message ends. Out: release records, published once per turn.
// Invariant: every message of an event ring is released exactly once; a slab is used again only after the turn in which its
// message ended, since what was written in that turn may name its bytes; when the ring is full the records wait here.
// A packet goes back to the stack that it came from; slabs are the app thread's own, for messages of all stacks.
import type { Arena } from '../mempool/arena.js';
import type { RingProducer } from '../mempool/ring.js';
import type { Slabs } from '../mempool/slabs.js';
import {
  EVENT_RECORD_GENERATION_U32,
  EVENT_RECORD_LENGTH_U32,
  EVENT_RECORD_OFFSET_U32,
  EVENT_RECORD_PACKET_U32,
  EVENT_RECORD_SLOT_U32,
  RELEASE_RECORD_GENERATION_U32,
  RELEASE_RECORD_LENGTH_U32,
  RELEASE_RECORD_PACKET_U32,
  RELEASE_RECORD_SLOT_U32,
  RING_RELEASE,
} from './abi.js';

export class Releaser {
  private readonly arena: Arena;
  private readonly words: Uint32Array;
  private readonly ring: RingProducer;
  private readonly slabs: Slabs;
  /** Messages of a level that may hold their packets. */
  private readonly watermarks: readonly number[];
  private readonly held: Int32Array;
  private readonly late: number[] = [];
  /** Slabs whose messages have ended in this turn. */
  private readonly ending: number[] = [];
  /** Messages released so far. */
  released = 0;
  /** Messages by level whose bytes have moved to a slab. */
  readonly movedByLevel: number[];

  constructor(arena: Arena, stack: number, app: number, slabs: Slabs, watermarks: readonly number[]) {
    this.arena = arena;
    this.words = arena.u32;
    this.ring = arena.producer(stack, app, RING_RELEASE);
    this.slabs = slabs;
    this.watermarks = watermarks;
    this.held = new Int32Array(arena.levels);
    this.movedByLevel = new Array<number>(arena.levels).fill(0);
  }

  /** The record leaves its ring. Bytes of a stream stay where they are: its window waits for them. */
  take(words: Uint32Array, at: number, isStream: boolean): void {
    const level = levelAt(words, at);
    const held = this.held[level] as number;
    const full = held >= (this.watermarks[level] as number);
    if (!full || isStream || !this.move(words, at, level)) this.held[level] = held + 1;
  }

  private move(words: Uint32Array, at: number, level: number): boolean {
    const { arena, slabs } = this;
    const length = words[at + EVENT_RECORD_LENGTH_U32] as number;
    const slab = slabs.allocate(length);
    if (slab < 0) return false;
    const from = words[at + EVENT_RECORD_OFFSET_U32] as number;
    const to = slabs.offsetOf(slab);
    arena.u8.copyWithin(to, from, from + length);
    this.giveBack(
      words[at + EVENT_RECORD_PACKET_U32] as number,
      words[at + EVENT_RECORD_SLOT_U32] as number,
      words[at + EVENT_RECORD_GENERATION_U32] as number,
      length,
    );
    words[at + EVENT_RECORD_PACKET_U32] = arena.packets + slab;
    words[at + EVENT_RECORD_OFFSET_U32] = to;
    this.movedByLevel[level] = (this.movedByLevel[level] as number) + 1;
    return true;
  }

  /** `packet`: what the record of the message says by now. */
  release(packet: number, slot: number, generation: number, length: number, level: number): void {
    this.released++;
    if (packet >= this.arena.packets) {
      this.ending.push(packet - this.arena.packets);
      return;
    }
    this.held[level] = (this.held[level] as number) - 1;
    this.giveBack(packet, slot, generation, length);
  }

  private giveBack(packet: number, slot: number, generation: number, length: number): void {
    if (this.late.length > 0 || !this.ring.hasRoom(1)) this.late.push(packet, slot, generation, length);
    else this.write(packet, slot, generation, length);
  }

  private write(packet: number, slot: number, generation: number, length: number): void {
    const { words } = this;
    const at = this.ring.push();
    words[at + RELEASE_RECORD_PACKET_U32] = packet;
    words[at + RELEASE_RECORD_SLOT_U32] = slot;
    words[at + RELEASE_RECORD_GENERATION_U32] = generation;
    words[at + RELEASE_RECORD_LENGTH_U32] = length;
  }

  /** Records wait for room: the poller is to come back. */
  get isLate(): boolean {
    return this.late.length > 0;
  }

  /** Messages that hold a packet. */
  get inPackets(): number {
    return this.held.reduce((sum, count) => sum + count, 0);
  }

  publish(): void {
    const { late, ending } = this;
    let done = 0;
    for (; done < late.length && this.ring.hasRoom(1); done += 4) {
      this.write(late[done] as number, late[done + 1] as number, late[done + 2] as number, late[done + 3] as number);
    }
    if (done > 0) late.splice(0, done);
    for (const slab of ending) this.slabs.free(slab);
    ending.length = 0;
    this.ring.publish();
  }
}

export function levelAt(words: Uint32Array, at: number): number {
  return ((words[at] as number) >>> 8) & 0xff;
}
