// Overload: how much received memory messages of each level may take, so that lower levels leave room for higher ones.
// In: names of the levels, shares in percent (`buffer_share`), packets. Out: packets by level that may be with apps, and how
// many of them an app thread lets handlers keep before it moves their bytes to slabs. All faults are told at the start.
import { QstackError } from './errors.js';

/** What too much work has led to since the start. */
export interface LevelOverload {
  readonly level: string;
  /** Segments that were dropped before TCP accepted them, because messages of the level held all that they may. */
  readonly deferred: number;
  /** Messages whose bytes moved to slabs, because too many waited. */
  readonly moved: number;
  /** Messages that were older than `max_age` before a handler saw them. */
  readonly shed: number;
}

/** Adds up the app threads. */
export function overloadOf(
  levels: readonly string[],
  deferredByLevel: readonly number[],
  apps: readonly { readonly moved: readonly number[]; readonly shed: readonly number[] }[],
): LevelOverload[] {
  const sum = (counts: readonly (number | undefined)[]) => counts.reduce<number>((all, one) => all + (one ?? 0), 0);
  return levels.map((level, index) => ({
    level,
    deferred: deferredByLevel[index] ?? 0,
    moved: sum(apps.map(({ moved }) => moved[index])),
    shed: sum(apps.map(({ shed }) => shed[index])),
  }));
}

/** Of what is not reserved for level 0 and for control. */
const LOWER_PERCENT = 75;

/** Level 0 may take all; the others three quarters, less the lower they are: the lowest is the first that is deferred. */
function defaultShare(level: number, levels: number): number {
  return level === 0 ? 100 : (LOWER_PERCENT * (levels - level)) / (levels - 1);
}

/** RX packets that messages of each level may hold. */
export function rxBudgets(
  levels: readonly string[],
  rxPackets: number,
  sharesPercent: Readonly<Record<string, number>> = {},
): number[] {
  for (const name of Object.keys(sharesPercent)) {
    if (levels.includes(name)) continue;
    const sentence = `buffer_share names "${name}", which is none of ${levels.join(', ')}`;
    throw new QstackError('QST_ERR_CONFIG_INVALID', sentence);
  }
  return levels.map((name, level) => {
    const percent = sharesPercent[name] ?? defaultShare(level, levels.length);
    return Math.max(1, Math.floor((rxPackets * percent) / 100));
  });
}

/** Messages by level that one of `apps` threads lets stay in their packets. */
export function watermarks(budgets: readonly number[], apps: number): number[] {
  return budgets.map((packets) => Math.max(1, Math.floor(packets / 2 / apps)));
}
