// Commands written out in full, for RedisClient.command(). In: a name and arguments. Out: RESP bytes, and the key by which the
// server is chosen. Commands that change what the shared connection means, or that block it, are refused.
import { QstackError } from './errors.js';
import { byteLengthOf, type RedisBytes } from './redis-block.js';

export type CommandArgument = RedisBytes | number;

const SHARED_CONNECTION = new Set(
  'AUTH BLMOVE BLMPOP BLPOP BRPOP BRPOPLPUSH BZMPOP BZPOPMAX BZPOPMIN CLIENT DISCARD EXEC HELLO MONITOR MULTI PSUBSCRIBE PSYNC PUNSUBSCRIBE QUIT RESET SELECT SSUBSCRIBE SUBSCRIBE SUNSUBSCRIBE SYNC UNSUBSCRIBE UNWATCH WAIT WAITAOF WATCH'.split(
    ' ',
  ),
);

/** Index of the key among the arguments behind the name, where it is not 0. */
const KEY_AT: Readonly<Record<string, number>> = {
  BITOP: 1,
  EVAL: 2,
  EVALSHA: 2,
  FCALL: 2,
  MEMORY: 1,
  OBJECT: 1,
  XGROUP: 1,
  XINFO: 1,
};

function lengthOf(value: CommandArgument): number {
  return byteLengthOf(typeof value === 'number' ? String(value) : value);
}

function write(target: Buffer, at: number, value: CommandArgument): number {
  if (typeof value === 'number') return target.write(String(value), at, 'latin1');
  if (typeof value === 'string') return target.write(value, at);
  if (value instanceof Uint8Array) target.set(value, at);
  else value.copyInto(target, at, 0, value.byteLength);
  return value.byteLength;
}

export function encodeCommand(name: string, args: readonly CommandArgument[]): Uint8Array {
  if (SHARED_CONNECTION.has(name.toUpperCase())) {
    throw new QstackError('QST_ERR_INVALID_ARGUMENT', `${name} is not for a connection that all handlers share`);
  }
  const all = [name, ...args];
  const heads = all.map((value) => `$${lengthOf(value)}\r\n`);
  const first = `*${all.length}\r\n`;
  const total = all.reduce<number>((sum, value, i) => sum + (heads[i] as string).length + lengthOf(value) + 2, 0);
  const out = Buffer.allocUnsafe(first.length + total);
  let at = out.write(first, 0, 'latin1');
  all.forEach((value, i) => {
    at += out.write(heads[i] as string, at, 'latin1');
    at += write(out, at, value);
    at += out.write('\r\n', at, 'latin1');
  });
  return out;
}

/** Empty: the command has none, and goes to the first server. */
export function keyOf(name: string, args: readonly CommandArgument[]): RedisBytes {
  const upper = name.toUpperCase();
  const key = args[Object.hasOwn(KEY_AT, upper) ? (KEY_AT[upper] as number) : 0];
  return key === undefined ? '' : typeof key === 'number' ? String(key) : key;
}
