// What the parts of the page have in common. In: the id of a panel, a snapshot. Out: its elements, colours and texts.
import type { Snapshot } from '../snapshot.js';
import { formatCount } from './format.js';
import { color } from './theme.js';

export const part = (id: string, inside: string) => document.querySelector(`#${id} ${inside}`) as HTMLElement;

/** A panel whose figures the program does not have stays hidden. */
export function show(id: string, isThere: boolean): boolean {
  (document.getElementById(id) as HTMLElement).hidden = !isThere;
  return isThere;
}

export const levelColor = ({ levels }: Pick<Snapshot, 'levels'>, level: string) =>
  color(`level-${Math.max(0, levels.indexOf(level)) % 8}`);

export const perSecond = (value: number) => `${formatCount(value)}/s`;
