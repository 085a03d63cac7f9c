// The IoT wire format: where things stand in a message, and the bytes of a reply.
// In: a message of MCC (byte 5: 1 request, 0 heartbeat; bytes 0..3: a counter, u32 little endian). Out: a reply that carries
// that counter. Replies are templates in which eight digits change: nothing is allocated per message.
//   iot   146 bytes as QStack sends them: a status line and headers with byte 6 = 0x03 (so it is not HTTP), then 20 bytes, of
//         which the first eight are the counter in hexadecimal
//   http  valid HTTP/1.1 with the counter in X-Counter
import type { RedisPeer } from '../../stack/redis-template.js';

export const CLASS_AT = 5;
/** Shorter ones hold no class and no counter: they are no messages. */
export const MESSAGE_MIN = 6;
/** Bytes of a message that are stored in Redis. */
export const STORED_BYTES = 10;
export const IOT_REPLY_BYTES = 146;
const IOT_COUNTER_AT = 126;
const LABEL_AT = 6;
const LABEL_REPLY = 3;
const DIGITS = 8;

export type ReplyForm = 'iot' | 'http';

export class ReplyTemplate {
  readonly bytes: Uint8Array;
  private readonly counterAt: number;

  constructor(bytes: Uint8Array, counterAt: number) {
    this.bytes = bytes;
    this.counterAt = counterAt;
  }

  /** The template's bytes with this counter; valid until the next call. */
  with(counter: number): Uint8Array {
    const { bytes, counterAt } = this;
    for (let i = 0; i < DIGITS; i++) {
      const digit = (counter >>> (28 - 4 * i)) & 15;
      bytes[counterAt + i] = digit < 10 ? 48 + digit : 87 + digit;
    }
    return bytes;
  }
}

/** Both status texts have the length of QStack's, so that every reply has its 146 bytes. */
function iotReply(status: '200 OK' | '503 NO'): ReplyTemplate {
  const head =
    `HTTP/1.1 ${status}\r\nDate: 25.11.1985\r\nServer: Webserver on Middlebox TCP (Ubuntu)\r\n` +
    'Content-Length: 100\r\nConnection: keepalive\r\n\r\n';
  const bytes = new Uint8Array(IOT_REPLY_BYTES);
  bytes.set(Buffer.from(head, 'latin1'));
  bytes[LABEL_AT] = LABEL_REPLY;
  return new ReplyTemplate(bytes, IOT_COUNTER_AT);
}

function httpReply(status: string): ReplyTemplate {
  const digits = '0'.repeat(DIGITS);
  const head = `HTTP/1.1 ${status}\r\nContent-Length: 0\r\nX-Counter: ${digits}\r\n\r\n`;
  return new ReplyTemplate(new Uint8Array(Buffer.from(head, 'latin1')), head.indexOf(digits));
}

export interface Replies {
  done: ReplyTemplate;
  /** Redis did not answer in time, or with an error. */
  unavailable: ReplyTemplate;
}

export function makeReplies(form: ReplyForm): Replies {
  return form === 'http'
    ? { done: httpReply('200 OK'), unavailable: httpReply('503 Service Unavailable') }
    : { done: iotReply('200 OK'), unavailable: iotReply('503 NO') };
}

/** Key of a class: the last byte of the client's address. */
export function classKey(peer: RedisPeer): number {
  const { remoteAddress } = peer;
  if (remoteAddress !== 0) return remoteAddress & 0xff;
  const address = peer.remote?.address ?? '';
  return Number.parseInt(address.slice(address.lastIndexOf(':') + 1) || '0', 16) & 0xff;
}
