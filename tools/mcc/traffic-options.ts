// What is sent and how it is answered: message, levels, replies, think time. In: flags. Out: the part of MccOptions.
import { parseShare } from '../../stack/config/units.js';
import type { FlagReader } from './flag-reader.js';
import { LEVEL_SYNTAX, type Level, parseLevels, twoLevels } from './levels.js';
import {
  DEFAULT_REPLY,
  isInOrder,
  MESSAGE_MAX,
  type MessageTemplate,
  type ReplyForm,
  readMessages,
  readReply,
} from './message-options.js';

const MESSAGE_MIN = 10;

export interface TrafficOptions {
  /** Of MCC's messages. */
  messageLength: number;
  /** -l was given: a replay keeps to it. */
  lengthGiven: boolean;
  /** Others, one for each level. */
  messages: readonly MessageTemplate[] | undefined;
  reply: ReplyForm;
  reconnectAfter: number;
  /** Highest first, at least one. */
  levels: readonly Level[];
  levelPerMessage: boolean;
  thinkNs: number;
  answeredAll: boolean;
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

/** Messages and replies, with sentences where they do not go together. */
function readForms(reader: FlagReader, levels: readonly Level[], answeredAll: boolean) {
  const message = reader.text('message') ?? 'iot';
  const messages = readMessages(message, levels, reader.text('dest') ?? '');
  const reply = readReply(
    reader.text('reply') ?? (message === 'iot' ? 'auto' : message.startsWith('http') ? 'http' : 'echo'),
  );
  if (typeof messages === 'string') reader.faults.push(`--message: ${messages}`);
  if (typeof reply === 'string') reader.faults.push(`--reply: ${reply}`);
  if (message !== 'iot' && reader.text('length') !== undefined)
    reader.faults.push('-l: --message has a length of its own');
  if (typeof messages === 'string' || typeof reply === 'string') return { messages: undefined, reply: DEFAULT_REPLY };
  const some = levels.slice(1).some(({ share }) => share > 0);
  if (isInOrder(reply, messages) && some && !answeredAll) {
    reader.faults.push(
      '--reply: without a counter replies are told by their order, so all have to be answered: --answer all',
    );
  }
  return { messages, reply };
}

export function readTraffic(reader: FlagReader): TrafficOptions {
  const answeredAll = reader.choice('answer', '--answer', ['requests', 'all']) === 'all';
  const levels = readLevels(reader);
  return {
    messageLength: reader.count('length', '-l', MESSAGE_MIN, MESSAGE_MAX, 16),
    lengthGiven: reader.text('length') !== undefined,
    levels,
    ...readForms(reader, levels, answeredAll),
    levelPerMessage: reader.count('priorityLevel', '-p', 1, 2, 1) === 2,
    thinkNs: reader.count('thinkTime', '-t', 0, 1e9),
    reconnectAfter: reader.count('reconnectAfter', '--reconnect-after', 1, 1e9),
    answeredAll,
  };
}
