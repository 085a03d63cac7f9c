// RedisBlock: the memory shared with the native Redis client, as typed arrays and ring ends.
// In: bytes for commands. Out: offsets in the scratch area; places given back. Invariant: what lies in the scratch area is
// needed until its command was taken, so the area is empty again whenever the command ring is.
import { RingConsumer, RingProducer } from '../mempool/ring.js';
import type { ByteSource } from '../mempool/view.js';
import type { NativeRedis } from './redis-native.js';

/** Node's string codecs; Buffer has them, its public types do not. */
interface StringCodecs {
  utf8Slice(start: number, end: number): string;
  latin1Slice(start: number, end: number): string;
  utf8Write(text: string, offset: number, length: number): number;
}

/** What a command takes as a key or value. Strings travel as UTF-8, bytes of a message without a copy. */
export type RedisBytes = string | Uint8Array | ByteSource;

export function byteLengthOf(value: RedisBytes): number {
  return typeof value === 'string' ? Buffer.byteLength(value) : value.byteLength;
}

export class RedisBlock {
  readonly u8: Uint8Array;
  readonly u16: Uint16Array;
  readonly u32: Uint32Array;
  readonly bytes: Buffer & StringCodecs;
  readonly commands: RingProducer;
  readonly completions: RingConsumer;
  private readonly releases: RingProducer;
  private readonly native: NativeRedis;
  private readonly scratchAt: number;
  readonly scratchBytes: number;
  private used = 0;

  constructor(native: NativeRedis) {
    const { block, layout } = native;
    const words = new Int32Array(block);
    this.native = native;
    this.u8 = new Uint8Array(block);
    this.u16 = new Uint16Array(block);
    this.u32 = new Uint32Array(block);
    this.bytes = Buffer.from(block) as Buffer & StringCodecs;
    this.commands = new RingProducer(words, layout.commands);
    this.completions = new RingConsumer(words, layout.completions);
    this.releases = new RingProducer(words, layout.releases);
    this.scratchAt = layout.scratchAt;
    this.scratchBytes = layout.scratchBytes;
  }

  /** All commands that were written have been taken. */
  private get isTaken(): boolean {
    return this.commands.hasRoom(this.commands.capacity);
  }

  /** Sees to it that whatever commands point to may be reused. */
  takeNow(): void {
    if (this.isTaken) return;
    this.publish();
    this.native.take();
  }

  /** Offset of `length` free bytes in the scratch area; -1: not before more commands are taken. */
  reserve(length: number): number {
    if (this.used > 0 && this.isTaken) this.used = 0;
    if (this.used + length > this.scratchBytes) {
      this.takeNow();
      if (!this.isTaken) return -1;
      this.used = 0;
    }
    const offset = this.used;
    this.used += length;
    return offset;
  }

  /** Writes into a reserved part. */
  put(value: RedisBytes, offset: number, length: number): void {
    const at = this.scratchAt + offset;
    if (typeof value === 'string') this.bytes.utf8Write(value, at, length);
    else if (value instanceof Uint8Array) this.u8.set(value, at);
    else value.copyInto(this.u8, at, 0, length);
  }

  /** The client may use this place again. There are as many records as places, so there is always room. */
  giveBack(place: number): void {
    this.releases.hasRoom(1);
    this.u32[this.releases.push()] = place;
  }

  publish(): void {
    this.commands.publish();
    this.releases.publish();
    this.native.published?.();
  }
}
