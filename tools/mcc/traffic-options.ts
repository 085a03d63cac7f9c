// What is sent and how it is answered: message, levels, replies, think time. In: flags. Out: the part of MccOptions.
import { parseShare } from '../../stack/config/units.js';
import type { FlagReader } from './flag-reader.js';

/** One segment without options other than timestamps at an MTU of 1500. */
const MESSAGE_MAX = 1_448;
const MESSAGE_MIN = 10;

export interface TrafficOptions {
  messageLength: number;
  requestRatio: number;
  levelPerMessage: boolean;
  thinkNs: number;
  answeredAll: boolean;
  echo: boolean;
}

export function readTraffic(reader: FlagReader): TrafficOptions {
  const answeredAll = reader.choice('answer', '--answer', ['requests', 'all']) === 'all';
  return {
    messageLength: reader.count('length', '-l', MESSAGE_MIN, MESSAGE_MAX, 16),
    requestRatio: reader.number('requestRatio', '-r', parseShare, 'a share from 0 to 1, or a percentage'),
    levelPerMessage: reader.count('priorityLevel', '-p', 1, 2, 1) === 2,
    thinkNs: reader.count('thinkTime', '-t', 0, 1e9),
    answeredAll,
    echo: reader.choice('reply', '--reply', ['auto', 'echo']) === 'echo',
  };
}
