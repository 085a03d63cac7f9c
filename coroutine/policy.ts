// SchedulingPolicy: which level goes next, wherever levels wait for one thing: event rings, run queues, lines for packets,
// commands for Redis. In: which levels have work, since when, and what was done for each. Out: a level, and how much of it
// may go before the question is put again. Invariant: a place that waits owns its policy object; they share nothing.
// Read next: strict-policy.ts (the default), weighted-policy.ts, deadline-policy.ts.
import { STAMP_SHIFT } from '../stack/abi.js';

export type PolicyKind = 'strict' | 'weighted' | 'deadline';

/** A policy by level numbers, 0 the highest; the same for every place, which makes its own object from it. */
export interface PolicyOptions {
  readonly kind: PolicyKind;
  readonly levels: number;
  /** `strict`: the oldest waiting lower level gets a quantum at least every so many milliseconds; 0: it may wait for ever. */
  readonly starvationBoundMs: number;
  /** `weighted`: shares of the work. */
  readonly weights: readonly number[];
  /** `deadline`: how long after its arrival a message of each level is to be served. */
  readonly budgetsMs: readonly number[];
}

/** What waits, as the place knows it. */
export interface Heads {
  /** Stamp since which the oldest of `level` waits; asked only of levels that have work. */
  since(level: number): number;
}

/** Entries of one level that may go before the others are looked at again. */
export const QUANTUM = 16;

export function stampsOfMs(ms: number): number {
  return Math.round((ms * 1e6) / 2 ** STAMP_SHIFT);
}

/** The highest level of a mask that is not 0. */
export function highestOf(mask: number): number {
  return 31 - Math.clz32(mask & -mask);
}

export abstract class SchedulingPolicy {
  /** Entries of the level that next() has named which may go before it is asked again. */
  burst = QUANTUM;
  /** Levels that end the burst as soon as they have work. */
  yieldsTo = 0;
  /** Only what charge() is told decides: the place has to measure its work. */
  readonly measures: boolean = false;

  /** A round of next() begins at stamp `now`; bit L of `mask`: level L has work. */
  begin(_mask: number, _now: number): void {}

  /** The level that goes next; `mask` is not 0. */
  abstract next(mask: number): number;

  /** `work` was done for `level`: microseconds, bytes or commands, always the same in one place. */
  charge(_level: number, _work: number): void {}
}
