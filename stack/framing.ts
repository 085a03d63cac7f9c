// Framing: what a message is on a listener. In: the helpers below. Out: plain options for the native listener.
import { QstackError } from './errors.js';

export type Framing =
  | { readonly kind: 'stream' }
  | { readonly kind: 'segment' }
  | { readonly kind: 'fixed'; readonly length: number }
  | LengthPrefix;

/** Payload of one packet: a message has to fit. */
export const MESSAGE_MAX = 1664;
const OFFSET_MAX = 255;
const ADJUST_MAX = 2 ** 31 - 1;

/** Plain TCP: chunks of bytes in order, with no meaning in where one ends. */
export const stream: Framing = { kind: 'stream' };

/** A TCP segment is a message; between peers that coalesce it promises nothing. */
export const segment: Framing = { kind: 'segment' };

function refuse(text: string): never {
  throw new QstackError('QST_ERR_INVALID_ARGUMENT', text);
}

function within(value: number, min: number, max: number): boolean {
  return Number.isInteger(value) && value >= min && value <= max;
}

/** Every `length` bytes are a message, 1 to 1664. */
export function fixed(length: number): Framing {
  if (!within(length, 1, MESSAGE_MAX)) refuse(`fixed(${length}): a message has 1 to ${MESSAGE_MAX} bytes`);
  return { kind: 'fixed', length };
}

export interface LengthPrefixOptions {
  /** Where the length stands, from the message's first byte: 0 to 255. */
  offset: number;
  width: 1 | 2 | 4;
  /** Default `be`. */
  order?: 'be' | 'le';
  /** Added to the number that stands there to get the length of the whole message; default 0. */
  adjust?: number;
  /** Bytes of the longest message; default and most: 1664. */
  maximum?: number;
}

export interface LengthPrefix extends Readonly<Required<LengthPrefixOptions>> {
  readonly kind: 'lengthPrefix';
}

/**
 * Each message says how long it is. A length above `maximum`, or too small for a message to hold it, ends the connection
 * with the reason `bad-message`, is counted in `messages_malformed`, and concerns no other connection.
 */
export function lengthPrefix(options: LengthPrefixOptions): Framing {
  const { offset, width, order = 'be', adjust = 0, maximum = MESSAGE_MAX } = options;
  if (!within(offset, 0, OFFSET_MAX)) refuse(`lengthPrefix: the offset is ${offset}; 0 to ${OFFSET_MAX} is possible`);
  if (![1, 2, 4].includes(width)) refuse(`lengthPrefix: the width is ${width}; 1, 2 or 4 bytes are possible`);
  if (order !== 'be' && order !== 'le') refuse(`lengthPrefix: the order is "${order}"; be or le is possible`);
  if (!within(adjust, -ADJUST_MAX, ADJUST_MAX)) refuse(`lengthPrefix: adjust is ${adjust}; a whole number is wanted`);
  if (!within(maximum, offset + width, MESSAGE_MAX))
    refuse(`lengthPrefix: the maximum is ${maximum}; ${offset + width} to ${MESSAGE_MAX} is possible`);
  return { kind: 'lengthPrefix', offset, width, order, adjust, maximum };
}

const WORDS: Readonly<Record<string, (text: string) => number | string>> = {
  offset: Number,
  width: Number,
  order: String,
  adjust: Number,
  maximum: Number,
};

function parseLengthPrefix(parts: readonly string[]): Framing | string {
  const options: Record<string, number | string> = { offset: 0, width: 2 };
  for (const part of parts) {
    const [name = '', value = ''] = part.split('=');
    const read = Object.hasOwn(WORDS, name) ? WORDS[name] : undefined;
    if (read === undefined || value === '') return `"${part}" says nothing about a length prefix`;
    options[name] = read(value);
  }
  try {
    return lengthPrefix(options as unknown as LengthPrefixOptions);
  } catch (error) {
    return (error as Error).message;
  }
}

/** As in a configuration: `segment`, `fixed 64`, `lengthPrefix offset=0 width=2`. Undefined: no framing; text: what is wrong. */
export function parseFraming(text: string): Framing | string | undefined {
  const [kind = '', ...parts] = text.trim().split(/\s+/);
  if (kind === 'stream' && parts.length === 0) return stream;
  if (kind === 'segment' && parts.length === 0) return segment;
  if (kind === 'fixed' && parts.length === 1) {
    const length = Number(parts[0]);
    return within(length, 1, MESSAGE_MAX)
      ? fixed(length)
      : `a message has 1 to ${MESSAGE_MAX} bytes, not "${parts[0]}"`;
  }
  return kind === 'lengthPrefix' ? parseLengthPrefix(parts) : undefined;
}
