// StrictPolicy: the highest level goes first; a lower one that has waited for the starvation bound gets a quantum.
// In: which levels have work, and since when. Out: the level that goes next. Invariant: a lower level with work older than
// the bound gets a quantum at least once per bound, the oldest first; all else is strictly by level.
import { type Heads, highestOf, QUANTUM, SchedulingPolicy, stampsOfMs } from './policy.js';

export class StrictPolicy extends SchedulingPolicy {
  /** In stamps; with 0 ms lower levels may wait for ever. */
  private readonly bound: number;
  private readonly heads: Heads;
  /** Stamp of each level's last quantum; 0 stands for never. */
  private readonly served: Uint32Array;
  /** The level whose quantum comes next, or -1. */
  private starved = -1;

  constructor(heads: Heads, levels: number, boundMs: number) {
    super();
    this.heads = heads;
    this.bound = boundMs > 0 ? stampsOfMs(boundMs) : Number.POSITIVE_INFINITY;
    this.served = new Uint32Array(levels);
  }

  override begin(mask: number, now: number): void {
    this.starved = -1;
    let longest = this.bound;
    for (let rest = mask & (mask - 1); rest !== 0; rest &= rest - 1) {
      const level = highestOf(rest);
      const age = this.age(level, now);
      if (age < longest) continue;
      longest = age;
      this.starved = level;
    }
    if (this.starved >= 0) this.served[this.starved] = now;
  }

  override next(mask: number): number {
    const { starved } = this;
    this.burst = QUANTUM;
    if (starved >= 0) {
      this.starved = -1;
      this.yieldsTo = 0;
      if ((mask & (1 << starved)) !== 0) return starved;
    }
    this.yieldsTo = (mask & -mask) - 1;
    return highestOf(mask);
  }

  /** How long the head of `level` waits for a quantum: counted from its arrival or from the last quantum. */
  private age(level: number, now: number): number {
    const waiting = (now - this.heads.since(level)) >>> 0;
    const served = this.served[level] as number;
    const since = (now - served) >>> 0;
    return served === 0 || since > waiting ? waiting & 0x7fffffff : since;
  }
}
