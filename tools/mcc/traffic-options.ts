// What is sent and how it is answered: message, levels, replies, think time. In: flags. Out: the part of MccOptions.
import { parseShare } from '../../stack/config/units.js';
import type { FlagReader } from './flag-reader.js';
import { LEVEL_SYNTAX, type Level, parseLevels, twoLevels } from './levels.js';

/** One segment without options other than timestamps at an MTU of 1500. */
const MESSAGE_MAX = 1_448;
const MESSAGE_MIN = 10;

export interface TrafficOptions {
  messageLength: number;
  /** Highest first, at least one. */
  levels: readonly Level[];
  levelPerMessage: boolean;
  thinkNs: number;
  answeredAll: boolean;
  echo: boolean;
}

function readLevels(reader: FlagReader): readonly Level[] {
  const text = reader.text('levels');
  const share = reader.number('requestRatio', '-r', parseShare, 'a share from 0 to 1, or a percentage', 1);
  if (text === undefined) return twoLevels(share);
  if (reader.text('requestRatio') !== undefined) reader.faults.push('-r: --levels has the share of each level already');
  const levels = parseLevels(text);
  if (typeof levels !== 'string') return levels;
  reader.faults.push(`--levels: ${levels}; ${LEVEL_SYNTAX}`);
  return twoLevels(share);
}

export function readTraffic(reader: FlagReader): TrafficOptions {
  const answeredAll = reader.choice('answer', '--answer', ['requests', 'all']) === 'all';
  return {
    messageLength: reader.count('length', '-l', MESSAGE_MIN, MESSAGE_MAX, 16),
    levels: readLevels(reader),
    levelPerMessage: reader.count('priorityLevel', '-p', 1, 2, 1) === 2,
    thinkNs: reader.count('thinkTime', '-t', 0, 1e9),
    answeredAll,
    echo: reader.choice('reply', '--reply', ['auto', 'echo']) === 'echo',
  };
}
