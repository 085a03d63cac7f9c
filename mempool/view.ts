// ArenaView and Slice: bytes that lie in the arena, read in place and without a string or a copy.
// In: offset and length. Out: numbers (network order unless the name says le), strings and copies on demand.
// Invariant: each access compares one number; after the message was released it throws QST_ERR_MESSAGE_RELEASED, whoever
// uses the bytes by then. Nothing public returns a view over the arena without `unsafe` in its name.
import { QstackError } from '../stack/errors.js';
import type { Arena } from './arena.js';

/** Bytes that can be sent from where they lie. */
export interface ByteSource {
  readonly byteLength: number;
  /** Copies bytes [from, from + length) to target[at …]. */
  copyInto(target: Uint8Array, at: number, from: number, length: number): void;
}

/** What send() and reply() take. Strings travel as UTF-8. */
export type Payload = string | Uint8Array | ByteSource;

export function isByteSource(value: unknown): value is ByteSource {
  return typeof (value as Partial<ByteSource> | null)?.copyInto === 'function';
}

function released(): QstackError {
  return new QstackError(
    'QST_ERR_MESSAGE_RELEASED',
    'the message was released: it is valid until its handler ends; copy() keeps bytes for later',
  );
}

function outOfRange(start: number, end: number, length: number): QstackError {
  return new QstackError('QST_ERR_OUT_OF_RANGE', `bytes ${start} to ${end} of a message of ${length} bytes`);
}

const DIGIT_0 = 0x30;

export abstract class ArenaView implements ByteSource {
  /** Counted up when the bytes are given back; a view is valid while its epoch equals its owner's lifetime. */
  protected lifetime = 0;
  protected epoch = 0;
  protected owner: ArenaView = this;
  protected readonly arena: Arena;
  protected at = 0;
  protected size = 0;

  constructor(arena: Arena) {
    this.arena = arena;
  }

  private check(start: number, end: number): number {
    if (this.owner.lifetime !== this.epoch) throw released();
    if (!(start >= 0 && start <= end && end <= this.size)) throw outOfRange(start, end, this.size);
    return this.at + start;
  }

  /** False once the message was released. */
  get isValid(): boolean {
    return this.owner.lifetime === this.epoch;
  }

  get length(): number {
    this.check(0, 0);
    return this.size;
  }

  get byteLength(): number {
    return this.length;
  }

  /** Offset of the first byte from the arena's start, for those who write it into a record. */
  get arenaOffset(): number {
    return this.check(0, 0);
  }

  u8(offset: number): number {
    return this.arena.u8[this.check(offset, offset + 1)] as number;
  }

  u16(offset: number): number {
    const at = this.check(offset, offset + 2);
    const { u8 } = this.arena;
    return ((u8[at] as number) << 8) | (u8[at + 1] as number);
  }

  u32(offset: number): number {
    const at = this.check(offset, offset + 4);
    const { u8 } = this.arena;
    const high = ((u8[at] as number) << 8) | (u8[at + 1] as number);
    return ((high << 16) | ((u8[at + 2] as number) << 8) | (u8[at + 3] as number)) >>> 0;
  }

  u16le(offset: number): number {
    const value = this.u16(offset);
    return ((value & 0xff) << 8) | (value >>> 8);
  }

  u32le(offset: number): number {
    return ((this.u16le(offset + 2) << 16) | this.u16le(offset)) >>> 0;
  }

  /** Decimal digits [start, end) as a number; NaN when there is anything else. */
  decimal(start = 0, end = this.size): number {
    const at = this.check(start, end);
    const { u8 } = this.arena;
    let value = end > start ? 0 : Number.NaN;
    for (let i = at; i < at + end - start; i++) {
      const digit = (u8[i] as number) - DIGIT_0;
      if (digit < 0 || digit > 9) return Number.NaN;
      value = value * 10 + digit;
    }
    return value;
  }

  latin1(start = 0, end = this.size): string {
    const at = this.check(start, end);
    return this.arena.bytes.latin1Slice(at, at + end - start);
  }

  utf8(start = 0, end = this.size): string {
    const at = this.check(start, end);
    return this.arena.bytes.utf8Slice(at, at + end - start);
  }

  toString(): string {
    return this.utf8();
  }

  equals(bytes: Uint8Array, offset = 0): boolean {
    const at = this.check(offset, offset);
    if (bytes.length !== this.size - offset) return false;
    for (let i = 0; i < bytes.length; i++) if (this.arena.u8[at + i] !== bytes[i]) return false;
    return true;
  }

  /** Bytes from `start` on equal these. */
  startsWith(bytes: Uint8Array, start = 0): boolean {
    const at = this.check(start, start);
    if (bytes.length > this.size - start) return false;
    for (let i = 0; i < bytes.length; i++) if (this.arena.u8[at + i] !== bytes[i]) return false;
    return true;
  }

  /** Position of the first `byte` from `start` on, or -1. */
  indexOf(byte: number, start = 0): number {
    const at = this.check(start, start);
    const { u8 } = this.arena;
    for (let i = start; i < this.size; i++) if (u8[at - start + i] === byte) return i;
    return -1;
  }

  /** Bytes [start, end) of the caller's own. */
  copy(start = 0, end = this.size): Uint8Array {
    const at = this.check(start, end);
    return this.arena.u8.slice(at, at + end - start);
  }

  /** The part [start, end), as offset and length: no bytes move. */
  slice(start = 0, end = this.size): Slice {
    return new Slice(this.arena, this.owner, this.epoch, this.check(start, end), end - start);
  }

  copyInto(target: Uint8Array, at: number, from: number, length: number): void {
    const start = this.check(from, from + length);
    if (target === this.arena.u8) target.copyWithin(at, start, start + length);
    else target.set(this.arena.u8.subarray(start, start + length), at);
  }

  /** A view over the arena: after the message is released it shows whatever lies there next. */
  unsafeView(start = 0, end = this.size): Uint8Array {
    const at = this.check(start, end);
    return this.arena.u8.subarray(at, at + end - start);
  }
}

export class Slice extends ArenaView {
  constructor(arena: Arena, owner: ArenaView, epoch: number, at: number, size: number) {
    super(arena);
    this.owner = owner;
    this.epoch = epoch;
    this.at = at;
    this.size = size;
  }
}
