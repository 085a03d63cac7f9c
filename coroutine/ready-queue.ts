// ReadyQueue: what is ready at one level, oldest first, each with the stamp since which it waits.
// In: push. Out: shift. Invariant: a ring whose capacity is a power of two; it grows by doubling and never shrinks, so that
// a steady load allocates nothing.

/** What a ready queue holds: a task, or the rest of an async handler. */
export interface Runnable {
  readonly level: number;
  /** Stamp at which the message that it works on has arrived. */
  readonly arrival: number;
  /** Number of its handler, for who watches what runs; 0: none. */
  readonly label: number;
  /** True: what follows runs in microtasks. */
  resume(): boolean;
}

export class ReadyQueue {
  private entries: (Runnable | null)[];
  private stamps: Uint32Array;
  private head = 0;
  private count = 0;

  constructor(capacity = 64) {
    this.entries = new Array<Runnable | null>(capacity).fill(null);
    this.stamps = new Uint32Array(capacity);
  }

  get length(): number {
    return this.count;
  }

  /** Stamp of the oldest entry; meaningless while empty. */
  get oldest(): number {
    return this.stamps[this.head] as number;
  }

  push(entry: Runnable, stamp: number): void {
    if (this.count === this.entries.length) this.grow();
    const at = (this.head + this.count) & (this.entries.length - 1);
    this.entries[at] = entry;
    this.stamps[at] = stamp;
    this.count++;
  }

  shift(): Runnable {
    const { head } = this;
    const entry = this.entries[head] as Runnable;
    this.entries[head] = null;
    this.head = (head + 1) & (this.entries.length - 1);
    this.count--;
    return entry;
  }

  private grow(): void {
    const { entries, stamps, head } = this;
    const capacity = entries.length;
    this.entries = new Array<Runnable | null>(capacity * 2).fill(null);
    this.stamps = new Uint32Array(capacity * 2);
    for (let i = 0; i < capacity; i++) {
      this.entries[i] = entries[(head + i) & (capacity - 1)] as Runnable;
      this.stamps[i] = stamps[(head + i) & (capacity - 1)] as number;
    }
    this.head = 0;
  }
}
