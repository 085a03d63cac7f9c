// What a message and its reply look like: `--message iot|http|hex:…|file:…`, `--reply auto|http|echo|fixed:N|lengthPrefix:…`.
// In: flags and levels. Out: bytes of a message of each level with the place of its counter, and how replies are told apart.
import { readFileSync } from 'node:fs';
import { parseFraming } from '../../stack/framing.js';
import type { Level } from './levels.js';

export type CounterForm = 'le' | 'be' | 'hex';

export interface MessageTemplate {
  readonly bytes: Uint8Array;
  /** Where the number of the message on its connection is written: 4 bytes, or 8 digits. */
  readonly counterAt?: number;
  readonly counterForm?: CounterForm;
}

export interface ReplyForm {
  readonly kind: 'auto' | 'http' | 'echo' | 'fixed' | 'lengthPrefix';
  /** fixed: bytes; lengthPrefix: the most bytes. */
  readonly length: number;
  readonly offset: number;
  readonly width: number;
  readonly littleEndian: boolean;
  readonly adjust: number;
}

/** One segment without options other than timestamps at an MTU of 1500. */
export const MESSAGE_MAX = 1_448;
export const MESSAGE_SYNTAX =
  'iot, http[:PATH], hex:BYTES or file:PATH, of which the bytes may hold {counter}, {counter:be}, {counter:hex} and {level}';
export const REPLY_SYNTAX =
  'auto, http, echo, fixed:BYTES or lengthPrefix:offset=0,width=2[,order=le][,adjust=N][,maximum=N]';
const COUNTER_BYTES: Record<CounterForm, number> = { le: 4, be: 4, hex: 8 };
const PLACE = /\{(counter(?::(?:be|hex))?|level)\}/;

type Part = Uint8Array | CounterForm;

function join(parts: readonly Part[]): MessageTemplate | string {
  const sizes = parts.map((part) => (typeof part === 'string' ? COUNTER_BYTES[part] : part.length));
  const length = sizes.reduce((sum, size) => sum + size, 0);
  if (length < 1 || length > MESSAGE_MAX) return `a message has 1 to ${MESSAGE_MAX} bytes, not ${length}`;
  if (parts.filter((part) => typeof part === 'string').length > 1) return 'a message has one counter at most';
  const bytes = new Uint8Array(length);
  let at = 0;
  let counter: { counterAt: number; counterForm: CounterForm } | undefined;
  for (const part of parts) {
    if (typeof part === 'string') counter = { counterAt: at, counterForm: part };
    else bytes.set(part, at);
    at += typeof part === 'string' ? COUNTER_BYTES[part] : part.length;
  }
  return { bytes, ...counter };
}

/** Text between places, read by `bytes`; the level's own bytes; the counter. */
function template(text: string, level: Uint8Array, bytes: (text: string) => Uint8Array): MessageTemplate | string {
  const parts = text.split(new RegExp(PLACE, 'g')).map((part, index): Part => {
    if (index % 2 === 0) return bytes(part);
    if (part === 'level') return level;
    return part === 'counter' ? 'le' : (part.slice('counter:'.length) as CounterForm);
  });
  return join(parts);
}

const latin = (text: string) => Uint8Array.from(Buffer.from(text, 'latin1'));
const fromHex = (text: string) => Uint8Array.from(Buffer.from(text, 'hex'));

function hexTemplate(text: string, index: number): MessageTemplate | string {
  const digits = text.replace(/[\s_]/g, '');
  const rest = digits.split(new RegExp(PLACE.source.replace('(counter', '(?:counter'), 'g'));
  const wrong = rest.find((part) => !/^(?:[\da-f]{2})*$/i.test(part));
  return wrong === undefined
    ? template(digits, Uint8Array.of(index), fromHex)
    : `"${wrong}" is no whole number of bytes`;
}

function builder(text: string, host: string): ((level: Level, index: number) => MessageTemplate | string) | undefined {
  const at = text.indexOf(':');
  const [kind, rest] = at < 0 ? [text, ''] : [text.slice(0, at), text.slice(at + 1)];
  if (kind === 'http' && (at < 0 || rest.startsWith('/'))) {
    const head = `GET ${rest || '/'} HTTP/1.1\r\nHost: ${host}\r\nX-Counter: {counter:hex}\r\nX-Level: {level}\r\n\r\n`;
    return ({ name }) => template(head, latin(name), latin);
  }
  if (kind === 'hex' && rest !== '') return (_, index) => hexTemplate(rest, index);
  if (kind === 'file' && rest !== '') {
    const content = readFileSync(rest).toString('latin1');
    return ({ name }) => template(content, latin(name), latin);
  }
  return undefined;
}

/** Templates by level; undefined: MCC's messages, which native/mcc/message.hh makes; or what is wrong. */
export function readMessages(
  text: string,
  levels: readonly Level[],
  host: string,
): MessageTemplate[] | undefined | string {
  if (text === 'iot') return undefined;
  try {
    const build = builder(text, host);
    if (build === undefined) return `"${text}" is no message; ${MESSAGE_SYNTAX}`;
    const made = levels.map(build);
    return made.find((template) => typeof template === 'string') ?? (made as MessageTemplate[]);
  } catch (error) {
    return (error as Error).message;
  }
}

export const DEFAULT_REPLY: ReplyForm = {
  kind: 'auto',
  length: 1,
  offset: 0,
  width: 2,
  littleEndian: false,
  adjust: 0,
};

export function readReply(text: string): ReplyForm | string {
  if (text === 'auto' || text === 'http' || text === 'echo') return { ...DEFAULT_REPLY, kind: text };
  const framing = parseFraming(text.replace(/[:,]/g, ' '));
  if (typeof framing === 'string') return `${framing}; ${REPLY_SYNTAX}`;
  if (framing?.kind === 'fixed') return { ...DEFAULT_REPLY, kind: 'fixed', length: framing.length };
  if (framing?.kind === 'lengthPrefix') {
    const { kind, offset, width, order, adjust, maximum } = framing;
    return { kind, offset, width, adjust, length: maximum, littleEndian: order === 'le' };
  }
  return `"${text}" is no reply; ${REPLY_SYNTAX}`;
}

/** Replies that say nothing of their request answer the requests of a connection in order. */
export function isInOrder(reply: ReplyForm, messages: readonly MessageTemplate[] | undefined): boolean {
  if (reply.kind === 'fixed' || reply.kind === 'lengthPrefix' || reply.kind === 'http') return true;
  if (reply.kind === 'auto' || messages === undefined) return false;
  const [first] = messages;
  const same = ({ counterAt, counterForm }: MessageTemplate) =>
    counterAt === first?.counterAt && counterForm === first?.counterForm;
  return first?.counterAt === undefined || !messages.every(same);
}
