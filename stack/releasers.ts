// Releasers: received messages that this app thread holds, a Releaser for each stack.
// In: a slot. Out: the Releaser of its stack; for all of them: the end of a turn, counts. Invariant: each counts what is held of
// its own stack's pool against that pool's watermarks; the slabs, which no stack takes back, are shared.
import type { Arena } from '../mempool/arena.js';
import type { Slabs } from '../mempool/slabs.js';
import { Releaser } from './release.js';

export class Releasers {
  /** By stack. */
  private readonly all: readonly Releaser[];
  private readonly first: Releaser;
  private readonly arena: Arena;
  private readonly firstSlots: number;
  private readonly slabs: Slabs;

  /** `watermarks`: messages by level that may hold packets of one stack. */
  constructor(arena: Arena, app: number, watermarks: readonly number[]) {
    const slabs = arena.slabs(app);
    this.arena = arena;
    this.firstSlots = arena.slotsPerStack;
    this.slabs = slabs;
    this.all = Array.from({ length: arena.stacks }, (_, stack) => new Releaser(arena, stack, app, slabs, watermarks));
    this.first = this.all[0] as Releaser;
  }

  of(slot: number): Releaser {
    return slot < this.firstSlots ? this.first : (this.all[this.arena.stackOf(slot)] as Releaser);
  }

  publish(): void {
    for (const releaser of this.all) releaser.publish();
  }

  /** Records wait for room: the poller is to come back. */
  get isLate(): boolean {
    for (const releaser of this.all) if (releaser.isLate) return true;
    return false;
  }

  /** Messages by level whose bytes have moved to a slab. */
  get movedByLevel(): number[] {
    const { movedByLevel } = this.first;
    return movedByLevel.map((_, level) => this.all.reduce((sum, one) => sum + (one.movedByLevel[level] as number), 0));
  }

  /** Messages that hold a packet. */
  get inPackets(): number {
    return this.all.reduce((sum, releaser) => sum + releaser.inPackets, 0);
  }

  get inSlabs(): number {
    return this.slabs.used;
  }
}
