// Prepared commands: `prepare('SET', ['s:{', redis.peer, '}'], redis.bytes, 'GET')`.
// In: arguments made of literals and holes. Out: what the native client stores, and which value fills which hole, in order.
// The types of the values follow from the holes. At most four bytes holes, one peer and one number.
import { REDIS_ARGUMENTS_MAX } from './abi.js';
import { QstackError } from './errors.js';
import type { RedisBytes } from './redis-block.js';
import type { NativePart } from './redis-native.js';

export type HoleKind = 'peer' | 'bytes' | 'number';

export interface Hole<K extends HoleKind = HoleKind> {
  readonly hole: K;
}

/** "ip:port" or "[ip]:port" of a message's sender. */
export const peer: Hole<'peer'> = Object.freeze({ hole: 'peer' });
/** A key or value, or a part of one. */
export const bytes: Hole<'bytes'> = Object.freeze({ hole: 'bytes' });
/** A whole number from 0 to 4294967295, in digits. */
export const number: Hole<'number'> = Object.freeze({ hole: 'number' });

export type TemplatePart = string | Hole;
/** One argument of the command: a part, or several joined. */
export type TemplateArgument = TemplatePart | readonly TemplatePart[];

/** A message, or anything else that has an address. */
export interface RedisPeer {
  /** IPv4, host order; 0: `remote` says it. */
  readonly remoteAddress: number;
  readonly remotePort: number;
  readonly remote?: { readonly address: string };
}

interface HoleValues {
  peer: RedisPeer;
  bytes: RedisBytes;
  number: number;
}

/** Values that fill the holes of these arguments, in their order. */
export type ValuesOf<A extends readonly unknown[]> = A extends readonly [infer First, ...infer Rest]
  ? [...ValueOf<First>, ...ValuesOf<Rest>]
  : [];
type ValueOf<A> = A extends Hole<infer K> ? [HoleValues[K]] : A extends readonly unknown[] ? ValuesOf<A> : [];

export interface CompiledTemplate {
  readonly args: readonly (readonly NativePart[])[];
  readonly holes: readonly HoleKind[];
  /** How many of the holes are bytes. */
  readonly byteHoles: number;
}

const PEER_PART = -1;
const NUMBER_PART = -2;

function refuse(sentence: string): QstackError {
  return new QstackError('QST_ERR_INVALID_ARGUMENT', `prepare(): ${sentence}`);
}

function checkHoles(holes: readonly HoleKind[]): void {
  const count = (kind: HoleKind) => holes.filter((hole) => hole === kind).length;
  if (count('bytes') > REDIS_ARGUMENTS_MAX) throw refuse(`at most ${REDIS_ARGUMENTS_MAX} bytes holes are possible`);
  if (count('peer') > 1) throw refuse('one peer hole is possible');
  if (count('number') > 1) throw refuse('one number hole is possible');
}

export function compileTemplate(args: readonly TemplateArgument[]): CompiledTemplate {
  if (args.length === 0 || typeof args[0] !== 'string') throw refuse("the first argument is the command's name");
  const holes: HoleKind[] = [];
  let byteHoles = 0;
  const part = (from: TemplatePart): NativePart => {
    if (typeof from === 'string') return from;
    holes.push(from.hole);
    if (from.hole === 'bytes') return byteHoles++;
    return from.hole === 'peer' ? PEER_PART : NUMBER_PART;
  };
  const compiled = args.map((argument) =>
    (Array.isArray(argument) ? (argument as readonly TemplatePart[]) : [argument as TemplatePart]).map(part),
  );
  checkHoles(holes);
  return { args: compiled, holes, byteHoles };
}
