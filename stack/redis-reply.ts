// RedisReply: what Redis answered, read where the client put it; a string is made only when asked for.
// In: a completion record. Out: text, numbers, bytes, items. Invariant: valid until the handler ends; any later use throws
// QST_ERR_REPLY_RELEASED, whoever has the place by then. `copy()` keeps the bytes.
import type { TaskResource } from '../coroutine/task.js';
import type { ByteSource } from '../mempool/view.js';
import { NO_INDEX, REDIS_TYPE_ARRAY, REDIS_TYPE_INTEGER, REDIS_TYPE_NIL, REDIS_TYPE_STATUS } from './abi.js';
import { QstackError } from './errors.js';
import type { RedisBlock } from './redis-block.js';

export type RedisReplyType = 'string' | 'status' | 'integer' | 'array';

/** An item of an array reply. */
export type RedisItem = string | number | null | RedisItem[];

const TWO_32 = 2 ** 32;

function released(): QstackError {
  return new QstackError(
    'QST_ERR_REPLY_RELEASED',
    'the reply was released: it is valid until the handler ends; copy() or toString() keep it for later',
  );
}

export class RedisReply implements ByteSource, TaskResource {
  nextResource: TaskResource | null = null;
  private readonly block: RedisBlock;
  private readonly kind: number;
  private readonly at: number;
  private readonly size: number;
  private readonly low: number;
  private readonly high: number;
  private place: number;
  private isReleased = false;
  /** The bytes, where they had to outlive their place. */
  private kept: Buffer | null = null;

  constructor(block: RedisBlock, kind: number, at: number, size: number, place: number, low: number, high: number) {
    this.block = block;
    this.kind = kind;
    this.at = at;
    this.size = size;
    this.place = place;
    this.low = low;
    this.high = high;
  }

  releaseResource(): void {
    this.givePlaceBack();
    this.isReleased = true;
  }

  /** Keeps the bytes for code that belongs to no handler. */
  detach(): this {
    this.kept = Buffer.from(this.block.u8.slice(this.at, this.at + this.size));
    this.givePlaceBack();
    return this;
  }

  private givePlaceBack(): void {
    if (this.place === NO_INDEX) return;
    this.block.giveBack(this.place);
    this.place = NO_INDEX;
  }

  private check(): void {
    if (this.isReleased) throw released();
  }

  get type(): RedisReplyType {
    if (this.kind === REDIS_TYPE_INTEGER) return 'integer';
    if (this.kind === REDIS_TYPE_ARRAY) return 'array';
    return this.kind === REDIS_TYPE_STATUS ? 'status' : 'string';
  }

  /** Bytes of a string or status; 0 for the others. */
  get byteLength(): number {
    this.check();
    return this.kind === REDIS_TYPE_ARRAY ? 0 : this.size;
  }

  /** UTF-8. An integer in digits, an array as JSON. */
  toString(): string {
    this.check();
    if (this.kind === REDIS_TYPE_INTEGER) return String(this.bigint());
    if (this.kind === REDIS_TYPE_ARRAY) return JSON.stringify(this.items());
    return this.text(this.at, this.size);
  }

  private text(at: number, size: number): string {
    if (this.kept !== null) return this.kept.toString('utf8', at - this.at, at - this.at + size);
    return this.block.bytes.utf8Slice(at, at + size);
  }

  /** An integer, or the number that the text says; NaN when it says none. Exact up to 2^53. */
  number(): number {
    this.check();
    if (this.kind === REDIS_TYPE_INTEGER) return (this.high | 0) * TWO_32 + this.low;
    const text = this.text(this.at, this.size).trim();
    return text === '' ? Number.NaN : Number(text);
  }

  /** All 64 bits of an integer. */
  bigint(): bigint {
    this.check();
    if (this.kind === REDIS_TYPE_INTEGER) return BigInt.asIntN(64, (BigInt(this.high) << 32n) | BigInt(this.low));
    return BigInt(this.text(this.at, this.size));
  }

  /** The bytes, of the caller's own. */
  copy(): Uint8Array {
    this.check();
    const from = this.kept ?? this.block.u8.subarray(this.at, this.at + this.size);
    return Uint8Array.from(from);
  }

  copyInto(target: Uint8Array, at: number, from: number, length: number): void {
    this.check();
    if (from < 0 || from + length > this.byteLength) {
      throw new QstackError(
        'QST_ERR_OUT_OF_RANGE',
        `bytes ${from} to ${from + length} of a reply of ${this.size} bytes`,
      );
    }
    const start = this.at + from;
    if (this.kept !== null) target.set(this.kept.subarray(from, from + length), at);
    else if (target === this.block.u8) target.copyWithin(at, start, start + length);
    else target.set(this.block.u8.subarray(start, start + length), at);
  }

  equals(bytes: Uint8Array): boolean {
    this.check();
    if (bytes.length !== this.byteLength) return false;
    const [from, start] = this.kept === null ? [this.block.u8, this.at] : [this.kept, 0];
    for (let i = 0; i < bytes.length; i++) if (from[start + i] !== bytes[i]) return false;
    return true;
  }

  /** The items of an array reply; strings as UTF-8. An error within the array is its text. */
  items(): RedisItem[] {
    this.check();
    const bytes = this.kept ?? this.block.bytes.subarray(this.at, this.at + this.size);
    const cursor = { bytes, at: 0 };
    const items: RedisItem[] = [];
    while (this.kind === REDIS_TYPE_ARRAY && cursor.at < bytes.length) items.push(readItem(cursor));
    return items;
  }
}

interface Cursor {
  readonly bytes: Buffer;
  at: number;
}

function readItem(cursor: Cursor): RedisItem {
  const { bytes, at } = cursor;
  const type = bytes.readUInt32LE(at);
  const length = bytes.readUInt32LE(at + 4);
  cursor.at = at + 8;
  if (type === REDIS_TYPE_NIL) return null;
  if (type === REDIS_TYPE_ARRAY) return Array.from({ length }, () => readItem(cursor));
  cursor.at += (length + 3) & ~3;
  if (type === REDIS_TYPE_INTEGER) return Number(bytes.readBigInt64LE(at + 8));
  return bytes.toString('utf8', at + 8, at + 8 + length);
}

/** An error that Redis answered with. */
export function replyError(block: RedisBlock, at: number, size: number): QstackError {
  return new QstackError('QST_ERR_REDIS_REPLY', `Redis answered: ${block.bytes.utf8Slice(at, at + size)}`);
}
