// TimerWheel: the timers of one app thread, in ticks of about a millisecond.
// In: add, remove, advance(stamp). Out: timer.fire(), never early, at most one tick late plus the poller's turn.
// Invariant: a timer is in at most one slot's list; the slot is its tick modulo the wheel, so a timer further away than one
// round stays in its list until its round comes. add and remove are O(1): most time-outs are cancelled, not fired.

/** 2^14 stamps of 64 ns: 1.05 ms. */
const TICK_SHIFT = 14;
const SLOTS = 4096;
const STAMPS_PER_MS = 1e6 / 64;
/** A deadline of the poller lies at most this many stamps ahead. */
const DEADLINE_MAX = 2 ** 31 - 1;

export abstract class Timer {
  next: Timer | null = null;
  previous: Timer | null = null;
  /** Slot in the wheel; -1: not armed. */
  slot = -1;
  tick = 0;

  abstract fire(): void;
}

export class TimerWheel {
  private readonly heads: (Timer | null)[] = new Array<Timer | null>(SLOTS).fill(null);
  private readonly used = new Int32Array(SLOTS / 32);
  private count = 0;
  private started = false;
  private stamp = 0;
  /** Stamps since the start, as a double: does not wrap. */
  private time = 0;
  private tick = 0;

  get size(): number {
    return this.count;
  }

  /** `late`: stamps that have passed since the last advance(). */
  add(timer: Timer, ms: number, late = 0): void {
    this.remove(timer);
    const due = this.time + late + Math.max(0, ms) * STAMPS_PER_MS;
    timer.tick = Math.max(this.tick + 1, Math.ceil(due / 2 ** TICK_SHIFT));
    const slot = timer.tick % SLOTS;
    timer.slot = slot;
    timer.previous = null;
    timer.next = this.heads[slot] as Timer | null;
    if (timer.next !== null) timer.next.previous = timer;
    this.heads[slot] = timer;
    this.used[slot >>> 5] = (this.used[slot >>> 5] as number) | (1 << (slot & 31));
    this.count++;
  }

  remove(timer: Timer): void {
    const { slot } = timer;
    if (slot < 0) return;
    if (timer.previous === null) this.heads[slot] = timer.next;
    else timer.previous.next = timer.next;
    if (timer.next !== null) timer.next.previous = timer.previous;
    if (this.heads[slot] === null) this.used[slot >>> 5] = (this.used[slot >>> 5] as number) & ~(1 << (slot & 31));
    timer.slot = -1;
    timer.next = null;
    timer.previous = null;
    this.count--;
  }

  advance(stamp: number): void {
    if (this.started) this.time += (stamp - this.stamp) >>> 0;
    this.started = true;
    this.stamp = stamp;
    const target = Math.floor(this.time / 2 ** TICK_SHIFT);
    if (this.count === 0) {
      this.tick = target;
      return;
    }
    // After a gap of more than one round each slot is looked at once; only timers that are due fire.
    const from = Math.max(this.tick + 1, target - SLOTS + 1);
    for (let tick = from; tick <= target; tick++) this.fireSlot(tick % SLOTS, target);
    this.tick = target;
  }

  /** Starts at the head again after each timer that fired: it may have removed others. */
  private fireSlot(slot: number, target: number): void {
    let timer = this.heads[slot] as Timer | null;
    while (timer !== null) {
      if (timer.tick > target) {
        timer = timer.next;
        continue;
      }
      this.remove(timer);
      timer.fire();
      timer = this.heads[slot] as Timer | null;
    }
  }

  /** The stamp at which advance() has something to fire, at most 137 s ahead; -1 while no timer is armed. */
  nextDeadline(): number {
    if (this.count === 0) return -1;
    const ahead = this.nextUsedTick() * 2 ** TICK_SHIFT - this.time;
    return (this.stamp + Math.min(DEADLINE_MAX, Math.max(0, Math.ceil(ahead)))) >>> 0;
  }

  /** The next tick whose slot is not empty: a timer of a later round costs one idle wake-up per round. */
  private nextUsedTick(): number {
    for (let tick = this.tick + 1; tick <= this.tick + SLOTS; ) {
      const slot = tick % SLOTS;
      const word = (this.used[slot >>> 5] as number) >>> (slot & 31);
      if (word !== 0) return tick + (31 - Math.clz32(word & -word));
      tick += 32 - (slot & 31);
    }
    return this.tick + SLOTS;
  }
}
