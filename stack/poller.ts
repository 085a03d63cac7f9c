// Poller: the event framework of an app thread: one turn takes events, level by level as the policy says, and runs what they
// make ready.
// In: the event rings of each stack (event-rings.ts). Out: calls on an EventSink and on the scheduler, in groups.
// Invariant: a level is that of all stacks together; within it the stack goes next whose oldest event has waited longest
// (stamps of all stacks are of one clock), so no stack waits for another.
// Read docs/ARCHITECTURE.md 4 first.
import { makePolicy } from '../coroutine/make-policy.js';
import type { Heads, PolicyOptions, SchedulingPolicy } from '../coroutine/policy.js';
import { RUN_QUANTUM_US, type Scheduler } from '../coroutine/scheduler.js';
import type { Arena } from '../mempool/arena.js';
import { EventRings, type EventSink } from './event-rings.js';

/**
 * Events that JavaScript takes per turn. Between two turns Redis' replies are read and, where this thread drives the stack, frames:
 * what is urgent waits for a turn three times on its way. So only events of the highest level make a turn long.
 */
const EVENTS_PER_TURN = 256;
const LOWER_EVENTS_PER_TURN = 32;
/** Coroutines resumed between two looks at the rings. */
const RESUMES_PER_GROUP = 32;
/** What taking an event costs, for policies that measure work. */
const EVENT_US = 0.2;

export class Poller implements Heads {
  /** By stack. */
  readonly rings: readonly EventRings[];
  events = 0;
  private readonly first: EventRings;
  private readonly lowest: number;
  private readonly arena: Arena;
  private policy: SchedulingPolicy;
  /** The scheduler's measure of work that the policy has been told of. */
  private readonly chargedUs: Float64Array;
  private readonly scheduler: Scheduler;

  constructor(arena: Arena, app: number, scheduler: Scheduler, sink: EventSink, policy: PolicyOptions) {
    this.arena = arena;
    this.scheduler = scheduler;
    this.lowest = arena.levels - 1;
    this.policy = makePolicy(policy, this, RUN_QUANTUM_US);
    this.chargedUs = new Float64Array(arena.levels);
    this.rings = Array.from({ length: arena.stacks }, (_, stack) => new EventRings(arena, stack, app, sink));
    this.first = this.rings[0] as EventRings;
  }

  /** By another policy from the next turn on; events stay where they are. */
  schedule(policy: PolicyOptions): void {
    this.policy = makePolicy(policy, this, RUN_QUANTUM_US);
    this.chargedUs.set(this.scheduler.workUs);
  }

  /** One turn at the scheduler's present stamp. Returns whether something is left to do. */
  turn(): boolean {
    const { rings } = this;
    for (const ofStack of rings) ofStack.refresh();
    const mask = this.readyMask();
    if ((mask & (mask - 1)) !== 0) this.policy.begin(mask, this.scheduler.stamp);
    let taken = 0;
    this.scheduler.runTurn(RESUMES_PER_GROUP);
    while (taken < EVENTS_PER_TURN && !this.scheduler.isPaused) {
      const ready = this.readyMask();
      if (ready === 0) break;
      const level = this.policy.next(ready);
      if (taken >= LOWER_EVENTS_PER_TURN && (level > 0 || this.lowest === 0)) break;
      const count = this.oldest(level).takeGroup(level);
      taken += count;
      this.scheduler.runTurn(RESUMES_PER_GROUP);
      if (this.policy.measures) this.charge(level, count);
      for (const ofStack of rings) ofStack.refreshAbove(level);
    }
    this.scheduler.runTurn(LOWER_EVENTS_PER_TURN);
    for (const ofStack of rings) ofStack.publish();
    this.events += taken;
    return this.readyMask() !== 0 || this.scheduler.hasReady;
  }

  /** Bit L: level L has events that may be taken. */
  private readyMask(): number {
    let mask = 0;
    for (const ofStack of this.rings) mask |= ofStack.readyMask();
    return mask;
  }

  since(level: number): number {
    return this.oldest(level).since(level);
  }

  /** The rings of the stack whose next event of this level has waited longest; one of them has an event that may be taken. */
  private oldest(level: number): EventRings {
    const { rings } = this;
    let found = this.first;
    for (let stack = 1; stack < rings.length; stack++) {
      const other = rings[stack] as EventRings;
      if (!other.isReady(level)) continue;
      if (!found.isReady(level) || ((other.since(level) - found.since(level)) | 0) < 0) found = other;
    }
    return found;
  }

  /** The work of a level is what its handlers did, now and later. */
  private charge(taken: number, count: number): void {
    const { workUs } = this.scheduler;
    this.policy.charge(taken, count * EVENT_US);
    for (let level = 0; level < workUs.length; level++) {
      const work = (workUs[level] as number) - (this.chargedUs[level] as number);
      if (work > 0) this.policy.charge(level, work);
      this.chargedUs[level] = workUs[level] as number;
    }
  }

  /** The end of a connection whose slot another one has by now: it is taken before its turn. */
  takeClosed(slot: number, generation: number): void {
    (this.rings[this.arena.stackOf(slot)] as EventRings).takeClosed(slot, generation);
  }
}
