// SendQueue: what one connection has yet to send, while packets are short or its peer is slow. In order; bounded by Sender.
// In: entries with the bytes of theirs. Out: the first one. Invariant: bytes and what is said of them lie in a few chunks of memory,
// not in an object each: a peer that does not read leaves tens of thousands of entries, and the garbage collector would move them.
import { type ByteSource, isByteSource } from '../mempool/view.js';

export interface Command {
  /** SEND_TYPE_… */
  readonly type: number;
  readonly level: number;
  readonly rxStamp: number;
  readonly packet: number;
  readonly cookie: number;
  /** Stamp of the arrival of the message that it answers, else of its own. */
  readonly since: number;
}

export interface Entry extends Command {
  /** Null in commands. */
  readonly bytes: Uint8Array | null;
  /** Bytes of it that have left. */
  from: number;
}

/** Type, level and whether it has bytes; their number; stamps and the like; then the bytes. */
const HEADER_BYTES = 24;
const HAS_BYTES = 1 << 16;
/** One that holds a single reply is no larger than that, those behind it take many. */
const CHUNK_BYTES_MAX = 64 * 1024;

/** 16 MiB. */
const FREE_CHUNKS_MAX = 256;

const recordBytes = (length: number) => HEADER_BYTES + ((length + 3) & ~3);

class Chunk {
  readonly u8: Uint8Array;
  readonly u32: Uint32Array;
  /** Where the first record begins, and where the next one will. */
  from = 0;
  to = 0;

  constructor(bytes: number) {
    this.u8 = new Uint8Array(bytes);
    this.u32 = new Uint32Array(this.u8.buffer);
  }

  hasRoom(bytes: number): boolean {
    return this.to + bytes <= this.u8.length;
  }
}

/** Chunks of full size that no queue has: new ones would be memory that only a whole collection gives back. */
export class ChunkPool {
  private readonly free: Chunk[] = [];

  take(bytes: number): Chunk {
    return (bytes === CHUNK_BYTES_MAX ? this.free.pop() : undefined) ?? new Chunk(bytes);
  }

  give(chunk: Chunk): void {
    if (chunk.u8.length !== CHUNK_BYTES_MAX || this.free.length === FREE_CHUNKS_MAX) return;
    chunk.from = 0;
    chunk.to = 0;
    this.free.push(chunk);
  }
}

export class SendQueue {
  readonly slot: number;
  readonly generation: number;
  /** Bytes that wait. */
  bytes = 0;
  /** It is in no line: the peer has to acknowledge first. */
  waitsForPeer = false;
  private readonly pool: ChunkPool;
  private chunks: Chunk[] = [];
  /** The first entry, once somebody has asked for it. */
  private head: Entry | undefined;

  constructor(slot: number, generation: number, pool: ChunkPool) {
    this.pool = pool;
    this.slot = slot;
    this.generation = generation;
  }

  get first(): Entry | undefined {
    this.head ??= this.decode();
    return this.head;
  }

  /** Level of the line in which it waits. */
  get level(): number {
    return this.first?.level ?? 0;
  }

  private decode(): Entry | undefined {
    const chunk = this.chunks[0];
    if (chunk === undefined) return undefined;
    const { from, u8, u32 } = chunk;
    const word = (index: number) => u32[(from >>> 2) + index] as number;
    const at = from + HEADER_BYTES;
    return {
      type: word(0) & 0xff,
      level: (word(0) >>> 8) & 0xff,
      bytes: (word(0) & HAS_BYTES) === 0 ? null : u8.subarray(at, at + word(1)),
      from: 0,
      rxStamp: word(2),
      packet: word(3),
      cookie: word(4),
      since: word(5),
    };
  }

  /** The bytes are copied; null: a command. */
  push(command: Command, bytes: Uint8Array | ByteSource | null): void {
    const length = bytes === null ? 0 : byteLength(bytes);
    const chunk = this.chunkFor(recordBytes(length));
    const at = chunk.to >>> 2;
    chunk.u32[at] = command.type | (command.level << 8) | (bytes === null ? 0 : HAS_BYTES);
    chunk.u32[at + 1] = length;
    chunk.u32[at + 2] = command.rxStamp;
    chunk.u32[at + 3] = command.packet;
    chunk.u32[at + 4] = command.cookie;
    chunk.u32[at + 5] = command.since;
    if (bytes !== null) copy(bytes, chunk.u8, chunk.to + HEADER_BYTES, length);
    chunk.to += recordBytes(length);
    this.bytes += length;
  }

  private chunkFor(bytes: number): Chunk {
    const last = this.chunks.at(-1);
    if (last?.hasRoom(bytes)) return last;
    const more = last === undefined ? 0 : Math.min(2 * last.u8.length, CHUNK_BYTES_MAX);
    const chunk = this.pool.take(Math.max(bytes, more));
    this.chunks.push(chunk);
    return chunk;
  }

  /** There is a first one. */
  shift(): void {
    const chunk = this.chunks[0] as Chunk;
    this.head = undefined;
    chunk.from += recordBytes(chunk.u32[(chunk.from >>> 2) + 1] as number);
    if (chunk.from < chunk.to) return;
    this.chunks.shift();
    this.pool.give(chunk);
  }

  clear(): void {
    for (const chunk of this.chunks) this.pool.give(chunk);
    this.chunks = [];
    this.head = undefined;
    this.bytes = 0;
  }
}

export function byteLength(bytes: Uint8Array | ByteSource): number {
  return isByteSource(bytes) ? bytes.byteLength : bytes.length;
}

function copy(bytes: Uint8Array | ByteSource, to: Uint8Array, at: number, length: number): void {
  if (isByteSource(bytes)) bytes.copyInto(to, at, 0, length);
  else to.set(bytes, at);
}
