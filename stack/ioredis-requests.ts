// Command records → commands that ioredis sends. In: templates once, then records of the command ring and the bytes that they point
// to. Out: a name and arguments, copied: the bytes belong to a message or to the scratch area, which go on.
// The twin of native/redis/command_template.cc and of Client::fill in native/redis/client.cc.
import {
  REDIS_COMMAND_ARGUMENTS_U8,
  REDIS_COMMAND_LENGTH_0_U32,
  REDIS_COMMAND_NUMBER_U32,
  REDIS_COMMAND_OFFSET_0_U32,
  REDIS_COMMAND_OP_U32,
  REDIS_COMMAND_PEER_ADDRESS_U32,
  REDIS_COMMAND_PEER_PORT_U16,
  REDIS_COMMAND_SCRATCH_U8,
  REDIS_COMMAND_SHAPE_U16,
  REDIS_COMMAND_STAMP_U32,
  REDIS_COMMAND_TIMEOUT_MS_U32,
  REDIS_PEER_TEXT,
  REDIS_RAW,
} from './abi.js';
import { formatEndpoint } from './config/address.js';
import type { NativePart } from './redis-native.js';

export interface RedisRequest {
  readonly op: number;
  readonly stamp: number;
  readonly timeoutMs: number;
  readonly name: string;
  readonly args: Buffer[];
}

type Template = readonly (readonly NativePart[])[];

const PEER = -1;

/** Arguments of a command in full: `*n`, then `$length` and bytes of each. */
export function argumentsIn(encoded: Buffer): Buffer[] {
  const args: Buffer[] = [];
  let at = encoded.indexOf('\n') + 1;
  while (at < encoded.length) {
    const begin = encoded.indexOf('\n', at) + 1;
    const length = Number(encoded.toString('latin1', at + 1, begin - 2));
    args.push(encoded.subarray(begin, begin + length));
    at = begin + length + 2;
  }
  return args;
}

export class RedisRequests {
  private readonly templates: Template[] = [];
  private readonly block: Buffer;
  private readonly words: Uint32Array;
  private readonly halves: Uint16Array;
  private readonly arena: Buffer;
  private readonly scratchAt: number;

  constructor(block: ArrayBuffer, scratchAt: number, arena: Uint8Array) {
    this.block = Buffer.from(block);
    this.words = new Uint32Array(block);
    this.halves = new Uint16Array(block);
    this.arena = Buffer.from(arena.buffer, arena.byteOffset, arena.byteLength);
    this.scratchAt = scratchAt;
  }

  add(template: Template): number {
    return this.templates.push(template);
  }

  /** `at`: word index of the record. */
  read(at: number): RedisRequest {
    const { words, halves } = this;
    const values = this.valuesOf(at);
    const shape = halves[at * 2 + REDIS_COMMAND_SHAPE_U16] as number;
    const args =
      shape === REDIS_RAW
        ? argumentsIn(values[0] as Buffer)
        : (this.templates[shape - 1] as Template).map((parts) => this.argument(parts, values, at));
    return {
      op: words[at + REDIS_COMMAND_OP_U32] as number,
      stamp: words[at + REDIS_COMMAND_STAMP_U32] as number,
      timeoutMs: words[at + REDIS_COMMAND_TIMEOUT_MS_U32] as number,
      // ioredis changes the replies of some commands by their lower-case names.
      name: String(args[0]).toUpperCase(),
      args: args.slice(1),
    };
  }

  private argument(parts: readonly NativePart[], values: readonly Buffer[], at: number): Buffer {
    const pieces = parts.map((part) => {
      if (typeof part === 'string') return Buffer.from(part);
      if (part >= 0) return values[part] as Buffer;
      return Buffer.from(part === PEER ? this.peer(at) : String(this.words[at + REDIS_COMMAND_NUMBER_U32]));
    });
    return Buffer.concat(pieces);
  }

  private peer(at: number): string {
    const address = this.words[at + REDIS_COMMAND_PEER_ADDRESS_U32] as number;
    const port = this.halves[at * 2 + REDIS_COMMAND_PEER_PORT_U16] as number;
    const isText = ((this.block[at * 4 + REDIS_COMMAND_SCRATCH_U8] as number) & REDIS_PEER_TEXT) !== 0;
    if (!isText) return formatEndpoint(address, port);
    return this.block.toString('latin1', this.scratchAt + address, this.scratchAt + address + port);
  }

  /** Copies, in one piece of memory each. */
  private valuesOf(at: number): Buffer[] {
    const count = this.block[at * 4 + REDIS_COMMAND_ARGUMENTS_U8] as number;
    const inScratch = this.block[at * 4 + REDIS_COMMAND_SCRATCH_U8] as number;
    return Array.from({ length: count }, (_, k) => {
      const offset = this.words[at + REDIS_COMMAND_OFFSET_0_U32 + 2 * k] as number;
      const length = this.words[at + REDIS_COMMAND_LENGTH_0_U32 + 2 * k] as number;
      const [from, base] = ((inScratch >> k) & 1) === 1 ? [this.block, this.scratchAt] : [this.arena, 0];
      return Buffer.from(from.subarray(base + offset, base + offset + length));
    });
  }
}
