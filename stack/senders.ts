// Senders: what an app thread sends, a Sender for each stack.
// In: a slot. Out: the Sender of its stack; for all of them: turns, policy, counts. Invariant: a TX packet goes back to the stack
// whose pool it is from, so packets, rings, queues and stalls of a stack are one Sender's alone.
import type { PolicyOptions } from '../coroutine/policy.js';
import type { Arena } from '../mempool/arena.js';
import type { ConnectionTable } from './connection-table.js';
import { Sender, type SenderOptions } from './sender.js';

export class Senders {
  /** By stack. */
  readonly all: readonly Sender[];
  private readonly first: Sender;
  private readonly arena: Arena;
  /** Slots of the first stack: those below are its own. */
  private readonly firstSlots: number;

  constructor(arena: Arena, app: number, table: ConnectionTable, options: SenderOptions) {
    this.arena = arena;
    this.firstSlots = arena.slotsPerStack;
    this.all = Array.from({ length: arena.stacks }, (_, stack) => new Sender(arena, stack, app, table, options));
    this.first = this.all[0] as Sender;
  }

  of(slot: number): Sender {
    return slot < this.firstSlots ? this.first : (this.all[this.arena.stackOf(slot)] as Sender);
  }

  /** Told when the queue of a connection overflows. */
  set onOverflow(told: (slot: number, generation: number) => void) {
    for (const sender of this.all) sender.onOverflow = told;
  }

  schedule(policy: PolicyOptions): void {
    for (const sender of this.all) sender.schedule(policy);
  }

  begin(): void {
    for (const sender of this.all) sender.begin();
  }

  flush(): void {
    for (const sender of this.all) sender.flush();
  }

  publish(): void {
    for (const sender of this.all) sender.publish();
  }

  /** Stacks for which bytes wait for TX packets. */
  get stalled(): number {
    let stalled = 0;
    for (const sender of this.all) if (sender.isStalled) stalled++;
    return stalled;
  }

  get messages(): number {
    return this.all.reduce((sum, sender) => sum + sender.messages, 0);
  }

  get refused(): number {
    return this.all.reduce((sum, sender) => sum + sender.refused, 0);
  }

  get overflowed(): number {
    return this.all.reduce((sum, sender) => sum + sender.overflowed, 0);
  }
}
