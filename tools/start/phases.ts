// What one run of `npm start` sends, as mcc's phases. The overload follows a measured capacity.
import type { StartOptions } from './options.js';

/** So many in flight keep every thread busy: fewer would measure round trips. */
const CAPACITY = 'capacity:16384/6s';
/** Redis is asked for its counters between two phases. */
const PAUSE = 'pause:1s';
const OVERLOAD_PERCENT = 150;
const OVERLOAD_S = 5;
/** Loads that differ by less are the same. */
const SAME_LOAD = 0.05;

export function mainPhases({ ratePerS, durationMs, burst }: StartOptions): string {
  if (ratePerS !== undefined) return `paced:${ratePerS}/${durationMs}ms,${PAUSE}`;
  return `wave:${burst}/1s/${durationMs}ms,${PAUSE},${CAPACITY},${PAUSE},paced:${OVERLOAD_PERCENT}%/${OVERLOAD_S}s`;
}

/** The overload alone, at a load that is given whatever capacity this run itself shows; warmed up by the same search. */
export function overloadPhases(capacityPerS: number): string {
  const ratePerS = Math.round((capacityPerS * OVERLOAD_PERCENT) / 100);
  return `${CAPACITY},${PAUSE},paced:${ratePerS}/${OVERLOAD_S}s`;
}

/** Is the overload at 150 % of `capacityPerS` another one than at 150 % of what was measured before? */
export function isHigherLoad(capacityPerS: number, beforePerS: number): boolean {
  return capacityPerS > beforePerS * (1 + SAME_LOAD);
}
