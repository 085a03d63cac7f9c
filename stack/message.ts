// Message: what a handler gets: bytes in the arena, where they came from, and the way back.
// In: an event record. Out: reads in place, reply(). Invariant: valid until its handler ends, or, in a pooled coroutine, until
// it asks for the next message; any later use throws QST_ERR_MESSAGE_RELEASED. The connection is an object only when asked for.
import type { Arena } from '../mempool/arena.js';
import { ArenaView, type Payload } from '../mempool/view.js';
import {
  EVENT_RECORD_GENERATION_U32,
  EVENT_RECORD_LENGTH_U32,
  EVENT_RECORD_OFFSET_U32,
  EVENT_RECORD_PACKET_U32,
  EVENT_RECORD_REMOTE_ADDRESS_U32,
  EVENT_RECORD_REMOTE_PORT_U16,
  EVENT_RECORD_RX_STAMP_U32,
  EVENT_RECORD_SLOT_U32,
} from './abi.js';
import type { Connection } from './connection.js';

export interface Address {
  address: string;
  port: number;
}

export interface SendOptions<L extends string = string> {
  /** Otherwise the level of the message, or of the connection. */
  level?: L;
}

/** What a message asks of the app that it belongs to. */
export interface MessageHost<L extends string> {
  readonly levelNames: readonly L[];
  levelOf(name: L): number;
  transmit(slot: number, generation: number, level: number, payload: Payload, rxStamp: number): boolean;
  connectionOf(slot: number, generation: number): Connection<L>;
  /** As text. `ipv4`: what the record says, 0 for IPv6. */
  addressText(slot: number, generation: number, remote: boolean, ipv4: number): string;
  signalOf(message: Message<L>): AbortSignal;
}

const PORTS_WORD = EVENT_RECORD_REMOTE_PORT_U16 >>> 1;

export class Message<L extends string = string> extends ArenaView {
  slot = 0;
  generation = 0;
  /** 0 is the highest. */
  levelIndex = 0;
  /** Number of its listener. */
  listener = 0;
  packet = 0;
  /** IPv4, host order; 0 when the peer speaks IPv6: `remote` has both as text. */
  remoteAddress = 0;
  remotePort = 0;
  localPort = 0;
  /** When the frame was polled: monotonic nanoseconds / 64, modulo 2^32. */
  rxStamp = 0;
  /** When it came to where it is: out of its ring, then into its handler. */
  stageStamp = 0;
  private readonly host: MessageHost<L>;
  private known: Connection<L> | null = null;

  constructor(arena: Arena, host: MessageHost<L>) {
    super(arena);
    this.host = host;
  }

  /** Shows the message of this event record from now on; `taken`: when the record was taken from its ring. */
  fill(words: Uint32Array, at: number, taken: number): void {
    const first = words[at] as number;
    const ports = words[at + PORTS_WORD] as number;
    this.levelIndex = (first >>> 8) & 0xff;
    this.listener = first >>> 16;
    this.slot = words[at + EVENT_RECORD_SLOT_U32] as number;
    this.generation = words[at + EVENT_RECORD_GENERATION_U32] as number;
    this.packet = words[at + EVENT_RECORD_PACKET_U32] as number;
    this.at = words[at + EVENT_RECORD_OFFSET_U32] as number;
    this.size = words[at + EVENT_RECORD_LENGTH_U32] as number;
    this.remoteAddress = words[at + EVENT_RECORD_REMOTE_ADDRESS_U32] as number;
    this.remotePort = ports & 0xffff;
    this.localPort = ports >>> 16;
    this.rxStamp = words[at + EVENT_RECORD_RX_STAMP_U32] as number;
    this.stageStamp = taken;
    this.epoch = this.lifetime;
  }

  /** The bytes are given back: every use from now on throws. */
  expire(): void {
    this.lifetime++;
    this.known = null;
  }

  /** Bytes of the message, readable even after expire(): for the release record alone. */
  get releaseLength(): number {
    return this.size;
  }

  get level(): L {
    return this.host.levelNames[this.levelIndex] as L;
  }

  get remote(): Address {
    const address = this.host.addressText(this.slot, this.generation, true, this.remoteAddress);
    return { address, port: this.remotePort };
  }

  get connection(): Connection<L> {
    this.known ??= this.host.connectionOf(this.slot, this.generation);
    return this.known;
  }

  /** False when the connection is gone. The bytes are taken at once. */
  reply(payload: Payload, options?: SendOptions<L>): boolean {
    const level = options?.level === undefined ? this.levelIndex : this.host.levelOf(options.level);
    return this.host.transmit(this.slot, this.generation, level, payload, this.rxStamp);
  }

  /** Aborted when the connection closes before the handler has ended. Made on demand. */
  get signal(): AbortSignal {
    return this.host.signalOf(this);
  }
}
