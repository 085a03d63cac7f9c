// What happens to the server in a long run, and when: Redis servers that end and come back, rules that are read again, app
// threads that die. In: a seed and a length. Out: troubles in their order. Invariant: one seed is one plan; a minute never holds
// five deaths, with which the process would end.
import { seededRandom } from '../bench/priority/device-tally.js';

/** How a Redis server ends: in order, or at once. */
export const REDIS_ENDS = ['SIGTERM', 'SIGKILL'] as const;

/** How an app thread dies; the bytes that say so on the wire. */
export const DEATHS = ['throw', 'rejection', 'exit'] as const;
export type Death = (typeof DEATHS)[number];
/** Where the server listens for them. */
export const DEATH_PORT = 81;

export type Trouble = { readonly atMs: number } & (
  | { readonly kind: 'redis'; readonly server: number; readonly signal: NodeJS.Signals; readonly downMs: number }
  | { readonly kind: 'reload'; readonly variant: number }
  | { readonly kind: 'death'; readonly how: Death }
);

interface Kind {
  /** From one to the next, on average: in a long run, and at least in a short one. */
  readonly everyMs: number;
  readonly everyMsMin?: number;
  make(atMs: number, everyMs: number): Trouble;
}

const DOWN_MS_MAX = 3_000;
/** Two in a row are half of it apart at least: so many in a minute that it never ends the process. */
const DEATH_EVERY_MS = 40_000;
/** The log says the same at most once a second. */
const DEATH_EVERY_MS_MIN = 2_500;
const REDIS_EVERY_MS = 15_000;
const RELOAD_EVERY_MS = 5_000;
/** Of a short run each kind still has two places. */
const PLACES_MIN = 2;
/** The end of a run is calm: what went wrong has time to be seen. */
const CALM_SHARE = 0.1;

/** One in each period, somewhere in its middle half. */
function times(everyMs: number, endMs: number, random: () => number): number[] {
  const found: number[] = [];
  for (let period = 0; ; period++) {
    const atMs = Math.round(everyMs * (period + 0.25 + 0.5 * random()));
    if (atMs >= endMs) return found;
    found.push(atMs);
  }
}

export function planOf(seed: number, lengthMs: number, redisServers: number, variants: number): Trouble[] {
  const random = seededRandom(seed);
  const below = (n: number) => Math.floor(random() * n);
  const pick = <T>(list: readonly T[]) => list[below(list.length)] as T;
  const kinds: readonly Kind[] = [
    {
      everyMs: REDIS_EVERY_MS,
      make: (atMs, everyMs) => {
        const downMs = Math.round(random() * Math.min(DOWN_MS_MAX, everyMs / 3));
        return { kind: 'redis', atMs, server: below(redisServers), signal: pick(REDIS_ENDS), downMs };
      },
    },
    { everyMs: RELOAD_EVERY_MS, make: (atMs) => ({ kind: 'reload', atMs, variant: below(variants) }) },
    {
      everyMs: DEATH_EVERY_MS,
      everyMsMin: DEATH_EVERY_MS_MIN,
      make: (atMs) => ({ kind: 'death', atMs, how: pick(DEATHS) }),
    },
  ];
  const endMs = lengthMs * (1 - CALM_SHARE);
  return kinds
    .flatMap(({ everyMs, everyMsMin = 0, make }) => {
      const periodMs = Math.max(everyMsMin, Math.min(everyMs, endMs / PLACES_MIN));
      return times(periodMs, endMs, random).map((atMs) => make(atMs, periodMs));
    })
    .sort((a, b) => a.atMs - b.atMs);
}
