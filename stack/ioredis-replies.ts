// Replies of ioredis → types and bytes as the native client has them (native/redis/reply_reader.hh). In: Buffers, strings that are
// integers (`stringNumbers`), arrays, null. Out: a type, a number or bytes. A simple string cannot be told from a bulk string here,
// so a status is what a command is known to answer with a status.
import {
  REDIS_TYPE_ARRAY,
  REDIS_TYPE_ERROR,
  REDIS_TYPE_INTEGER,
  REDIS_TYPE_NIL,
  REDIS_TYPE_STATUS,
  REDIS_TYPE_STRING,
} from './abi.js';

export interface RawReply {
  readonly type: number;
  readonly integer: bigint;
  readonly bytes: Buffer;
}

const NO_BYTES = Buffer.alloc(0);
/** Bulk strings of these do not exist, but for SET … GET. */
const STATUSES = new Set(
  'FLUSHALL FLUSHDB HMSET LSET LTRIM MIGRATE MSET PING PSETEX RENAME RESTORE SET SETEX SWAPDB TYPE'.split(' '),
);

export function answersStatus(name: string, args: readonly Buffer[]): boolean {
  if (name === 'PING') return args.length === 0;
  return STATUSES.has(name) && !(name === 'SET' && args.slice(2).some((one) => /^get$/i.test(one.toString('latin1'))));
}

function word(value: number): Buffer {
  const bytes = Buffer.allocUnsafe(4);
  bytes.writeUInt32LE(value);
  return bytes;
}

/** An item within an array: type, length, bytes padded to four. */
function item(value: unknown): Buffer[] {
  if (value === null) return [word(REDIS_TYPE_NIL), word(0)];
  if (Array.isArray(value)) return [word(REDIS_TYPE_ARRAY), word(value.length), ...value.flatMap(item)];
  if (typeof value === 'string') {
    const integer = Buffer.allocUnsafe(8);
    integer.writeBigInt64LE(BigInt(value));
    return [word(REDIS_TYPE_INTEGER), word(8), integer];
  }
  const isError = value instanceof Error;
  const bytes = isError ? Buffer.from(value.message) : (value as Buffer);
  const padding = Buffer.alloc(-bytes.length & 3);
  return [word(isError ? REDIS_TYPE_ERROR : REDIS_TYPE_STRING), word(bytes.length), bytes, padding];
}

export function rawReply(value: unknown, isStatus: boolean): RawReply {
  if (value === null || value === undefined) return { type: REDIS_TYPE_NIL, integer: 0n, bytes: NO_BYTES };
  if (typeof value === 'string') return { type: REDIS_TYPE_INTEGER, integer: BigInt(value), bytes: NO_BYTES };
  if (Array.isArray(value)) {
    return { type: REDIS_TYPE_ARRAY, integer: 0n, bytes: Buffer.concat(value.flatMap(item)) };
  }
  return { type: isStatus ? REDIS_TYPE_STATUS : REDIS_TYPE_STRING, integer: 0n, bytes: value as Buffer };
}
