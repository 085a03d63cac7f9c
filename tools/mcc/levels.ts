// Levels: which part of the messages each priority level gets. In: `--levels alarm=1%,normal=20%,bulk`, the highest first, or
// `-r 0.05`. Out: names and shares that add up to one, or the sentence that says what is wrong.
import { parseShare } from '../../stack/config/units.js';

export interface Level {
  readonly name: string;
  /** Of all messages, or with -p 1 of all connections: 0 to 1. */
  readonly share: number;
}

/** As native/mcc/message.hh. */
const LEVELS_MAX = 8;
export const LEVEL_SYNTAX = `1 to ${LEVELS_MAX} NAME=SHARE, highest first, such as high=0.05,low=0.95; the last takes the rest without one`;
const SUM_TOLERANCE = 1e-6;

/** QStack's two: requests and heartbeats. */
export function twoLevels(requestShare: number): Level[] {
  return [
    { name: 'high', share: requestShare },
    { name: 'low', share: 1 - requestShare },
  ];
}

function parseLevel(text: string): { name: string; share: number | undefined } | string {
  const [name = '', share, ...rest] = text.split('=');
  if (!/^[A-Za-z][\w-]{0,31}$/.test(name)) return `"${name}" is no name of a level`;
  if (share === undefined) return { name, share };
  const value = rest.length === 0 ? parseShare(share) : undefined;
  return value === undefined ? `"${text}" has no share from 0 to 1, or percentage` : { name, share: value };
}

export function parseLevels(text: string): Level[] | string {
  const parts = text.split(',').map((part) => parseLevel(part.trim()));
  const levels: Level[] = [];
  let left = 1;
  for (const [index, part] of parts.entries()) {
    if (typeof part === 'string') return part;
    if (levels.some(({ name }) => name === part.name)) return `"${part.name}" is named twice`;
    if (part.share === undefined && index < parts.length - 1) return `"${part.name}" has no share, and is not the last`;
    const share = part.share ?? Math.max(0, left);
    left -= share;
    levels.push({ name: part.name, share });
  }
  if (levels.length > LEVELS_MAX) return `${levels.length} levels are too many`;
  return Math.abs(left) <= SUM_TOLERANCE ? levels : `the shares add up to ${Number((1 - left).toFixed(6))}, not to 1`;
}
