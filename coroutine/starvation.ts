// StarvationBound: when a lower level goes first under the strict policy.
// In: which levels have work, and since when. Out: the level that gets a quantum, or -1. Invariant: a lower level with work
// older than the bound gets a quantum at least once per bound, the oldest first; all else is strictly by level.
import { STAMP_SHIFT } from '../stack/abi.js';

/** Entries that a starved level may run before the higher ones are looked at again. */
export const QUANTUM = 16;

export function stampsOfMs(ms: number): number {
  return Math.round((ms * 1e6) / 2 ** STAMP_SHIFT);
}

export class StarvationBound {
  /** In stamps; with 0 ms lower levels may wait for ever. */
  private readonly bound: number;
  private readonly oldest: Uint32Array;
  /** Stamp of each level's last quantum; 0 stands for never. */
  private readonly served: Uint32Array;

  constructor(levels: number, boundMs: number) {
    this.bound = boundMs > 0 ? stampsOfMs(boundMs) : Number.POSITIVE_INFINITY;
    this.oldest = new Uint32Array(levels);
    this.served = new Uint32Array(levels);
  }

  /** The head of `level` waits since `stamp`. */
  note(level: number, stamp: number): void {
    this.oldest[level] = stamp;
  }

  /** `mask` has a bit for each level whose head was noted just now. */
  choose(mask: number, now: number): number {
    const highest = mask & -mask;
    let starved = -1;
    let longest = this.bound;
    for (let rest = mask & ~highest; rest !== 0; rest &= rest - 1) {
      const level = 31 - Math.clz32(rest & -rest);
      const age = this.age(level, now);
      if (age < longest) continue;
      longest = age;
      starved = level;
    }
    if (starved >= 0) this.served[starved] = now;
    return starved;
  }

  /** How long the head of `level` waits for a quantum: counted from its arrival or from the last quantum. */
  private age(level: number, now: number): number {
    const waiting = (now - (this.oldest[level] as number)) >>> 0;
    const served = this.served[level] as number;
    const since = (now - served) >>> 0;
    return served === 0 || since > waiting ? waiting & 0x7fffffff : since;
  }
}
