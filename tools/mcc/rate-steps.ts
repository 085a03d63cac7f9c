// Steps of load: `--rate 10k..500k/30s` makes one run after the other, so that one command gives latency against load.
// In: two rates, the time of each step, how many. Out: the rates, evenly spaced, both ends among them.
import { parseDurationMs, parseRatePerS } from '../../stack/config/units.js';

export const STEPS_DEFAULT = 10;
export const STEPS_MAX = 1_000;
export const STEPS_SYNTAX = 'RATE..RATE/TIME, such as 10k..500k/30s, of which each step lasts TIME';

export interface RateRange {
  fromPerS: number;
  toPerS: number;
  /** Of each step; undefined: -d says it. */
  stepMs: number | undefined;
}

export const isRange = (text: string) => text.includes('..');

/** The last part behind a slash is a time when it begins with a digit: `500k/s/30s`, but `500k/s`. */
function splitTime(text: string): { rate: string; time: string | undefined } {
  const at = text.lastIndexOf('/');
  const time = text.slice(at + 1);
  return at >= 0 && /^\d/.test(time) ? { rate: text.slice(0, at), time } : { rate: text, time: undefined };
}

export function parseRange(text: string): RateRange | undefined {
  const [from = '', to = '', ...rest] = text.split('..');
  const { rate, time } = splitTime(to);
  const fromPerS = Math.round(parseRatePerS(from) ?? 0);
  const toPerS = Math.round(parseRatePerS(rate) ?? 0);
  const stepMs = time === undefined ? undefined : parseDurationMs(time, 1_000);
  if (rest.length > 0 || fromPerS < 1 || toPerS < 1 || (time !== undefined && !stepMs)) return undefined;
  return { fromPerS, toPerS, stepMs };
}

export function ratesOf({ fromPerS, toPerS }: RateRange, steps: number): number[] {
  const width = (toPerS - fromPerS) / (steps - 1);
  return Array.from({ length: steps }, (_, step) => Math.round(fromPerS + width * step));
}
