// Aim: a ratio that was aimed at, and the sentence that says whether it was reached. No exit code follows from it.
import { rounded } from '../statistics.js';

export interface Aim {
  /** Plain key of the ratio in the report. */
  readonly key: string;
  /** What the ratio is of what. */
  readonly what: string;
  readonly ratio: number;
  readonly atMost?: number;
  readonly atLeast?: number;
}

export function isReached({
  ratio,
  atMost = Number.POSITIVE_INFINITY,
  atLeast = Number.NEGATIVE_INFINITY,
}: Aim): boolean {
  return ratio <= atMost && ratio >= atLeast;
}

export function aimText(aim: Aim): string {
  const { what, ratio, atMost, atLeast } = aim;
  const bound = atMost === undefined ? `at least ${atLeast}` : `at most ${atMost}`;
  return `${what}: ${rounded(ratio, 3)}, aimed at ${bound}: ${isReached(aim) ? 'reached' : 'not reached'}`;
}

export function aimValues(aims: readonly Aim[]): Record<string, number> {
  return Object.fromEntries(aims.map(({ key, ratio }) => [key, rounded(ratio)]));
}
