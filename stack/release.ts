// Releaser: gives received packets back to the stack.
// In: release() when a message ends. Out: release records, published once per turn. Invariant: every message of an event ring
// is released exactly once; when the ring is full the records wait here.
import type { Arena } from '../mempool/arena.js';
import type { RingProducer } from '../mempool/ring.js';
import {
  RELEASE_RECORD_GENERATION_U32,
  RELEASE_RECORD_LENGTH_U32,
  RELEASE_RECORD_PACKET_U32,
  RELEASE_RECORD_SLOT_U32,
  RING_RELEASE,
} from './abi.js';

export class Releaser {
  private readonly words: Uint32Array;
  private readonly ring: RingProducer;
  private readonly late: number[] = [];
  /** Messages released so far. */
  released = 0;

  constructor(arena: Arena, app: number) {
    this.words = arena.u32;
    this.ring = arena.producer(app, RING_RELEASE);
  }

  release(packet: number, slot: number, generation: number, length: number): void {
    this.released++;
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

  publish(): void {
    const { late } = this;
    let done = 0;
    for (; done < late.length && this.ring.hasRoom(1); done += 4) {
      this.write(late[done] as number, late[done + 1] as number, late[done + 2] as number, late[done + 3] as number);
    }
    if (done > 0) late.splice(0, done);
    this.ring.publish();
  }
}
