// Framing: what a message is on a listener. In: the helpers below. Out: plain options for the native listener.
import { QstackError } from './errors.js';

export type Framing =
  | { readonly kind: 'stream' }
  | { readonly kind: 'segment' }
  | { readonly kind: 'fixed'; readonly length: number };

/** Payload of one packet: a fixed message has to fit. */
const FIXED_MAX = 1664;

/** Plain TCP: chunks of bytes in order, with no meaning in where one ends. */
export const stream: Framing = { kind: 'stream' };

/** A TCP segment is a message; between peers that coalesce it promises nothing. */
export const segment: Framing = { kind: 'segment' };

/** Every `length` bytes are a message, 1 to 1664. */
export function fixed(length: number): Framing {
  if (!Number.isInteger(length) || length < 1 || length > FIXED_MAX) {
    throw new QstackError('QST_ERR_INVALID_ARGUMENT', `fixed(${length}): a message has 1 to ${FIXED_MAX} bytes`);
  }
  return { kind: 'fixed', length };
}

export interface LengthPrefixOptions {
  /** Where the length stands, from the message's first byte. */
  offset: number;
  width: 1 | 2 | 4;
  order?: 'be' | 'le';
  /** Added to the number that stands there to get the length of the whole message. */
  adjust?: number;
}

export function lengthPrefix(_options: LengthPrefixOptions): Framing {
  throw new QstackError(
    'QST_ERR_FRAMING_UNAVAILABLE',
    'lengthPrefix is not available yet; use fixed(n), or stream and cut the messages in the handler',
  );
}
