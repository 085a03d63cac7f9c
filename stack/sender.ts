// Sender: what the app sends to connections of one stack, as records and TX packets.
// In: send(), command(), drained(). Out: send records per level, published once per turn, the highest level first.
// What waits for packets goes as the policy says.
// Invariant: the bytes of one connection leave in the order in which they were sent here. While no TX packet is there, and
// while the peer has not acknowledged a window of bytes (`sndbuf`), they wait in queues of bounded size (send-queue.ts); the packets that
// one slow reader can keep from all others are bounded that way.
import { makePolicy } from '../coroutine/make-policy.js';
import { type Heads, highestOf, type PolicyOptions, type SchedulingPolicy } from '../coroutine/policy.js';
import type { Arena } from '../mempool/arena.js';
import type { RingConsumer, RingProducer } from '../mempool/ring.js';
import { type ByteSource, isByteSource, type Payload } from '../mempool/view.js';
import {
  APP_LINE_STAMP_U32,
  RING_EMPTY,
  RING_SEND,
  SEND_FLAG_MORE,
  SEND_RECORD_COOKIE_U32,
  SEND_RECORD_GENERATION_U32,
  SEND_RECORD_OFFSET_U16,
  SEND_RECORD_PACKET_U32,
  SEND_RECORD_RX_STAMP_U32,
  SEND_RECORD_SEND_STAMP_U32,
  SEND_RECORD_SLOT_U32,
  SEND_TYPE_CONNECT,
  SEND_TYPE_CONNECT_IPV6,
  SEND_TYPE_DRAIN,
  SEND_TYPE_SEND,
} from './abi.js';
import type { IpAddress } from './config/address.js';
import { ipv6Bytes } from './config/ipv6.js';
import { type ConnectionTable, QUEUED } from './connection-table.js';
import { byteLength, ChunkPool, type Command, type Entry, SendQueue } from './send-queue.js';

/** Bytes of one connection that may be on their way before the stack is asked whether they were acknowledged. */
export const WINDOW = 256 * 1024;
/**
 * Bytes that may wait for one connection, or twice its send buffer where that is more: a peer for which more waits does not read. A few
 * such peers must find room in the chunks that the pool keeps: new memory is cleared by the system, and freed by a whole collection.
 */
const WAITING_MAX = 1024 * 1024;
/** `offset` (0: the payload starts where payloadOf says) and `length` share a word. */
const OFFSET_AND_LENGTH = SEND_RECORD_OFFSET_U16 >>> 1;
/** Cookie of the sender's own drain requests. */
const WINDOW_COOKIE = 0xffffffff;
/** UTF-16 units to UTF-8 bytes, at most. */
const UTF8_MAX = 3;
const NOT_STALLED = 255;
/** A quarter of the stamps' circle: earlier than anything that waits. */
const LONG_AGO = 2 ** 30;

export interface SenderOptions {
  policy: PolicyOptions;
  /** Bytes that may be on their way before the stack is asked whether they were acknowledged; default WINDOW. */
  windowBytes?: number;
}

export class Sender implements Heads {
  /** Sends to connections that were gone. */
  refused = 0;
  /** Connections whose peers did not read. */
  overflowed = 0;
  messages = 0;
  private readonly arena: Arena;
  private readonly words: Uint32Array;
  private readonly table: ConnectionTable;
  private readonly rings: RingProducer[] = [];
  private readonly empty: RingConsumer;
  private readonly stampAt: number;
  private readonly queues = new Map<number, SendQueue>();
  private readonly chunks = new ChunkPool();
  /** Queues that wait for packets, by level, the oldest first. */
  private readonly lines: SendQueue[][] = [];
  private policy: SchedulingPolicy;
  /** A level may pass by lower ones that wait for packets. */
  private passesBy: boolean;
  /** Entries that may leave before the policy is asked again. */
  private burstLeft = 0;
  /** The highest level whose line is not empty: what is sent there or below takes its place behind. */
  private stalledLevel = NOT_STALLED;
  private readonly windowBytes: number;
  /** Of connections that have a send buffer of their own. */
  private readonly windows = new Map<number, number>();
  /** Told when the queue of a connection overflows. */
  onOverflow: (slot: number, generation: number) => void = () => {};

  constructor(arena: Arena, stack: number, app: number, table: ConnectionTable, options: SenderOptions) {
    this.arena = arena;
    this.words = arena.u32;
    this.table = table;
    this.empty = arena.consumer(stack, app, RING_EMPTY);
    this.stampAt = arena.appLine(app) + APP_LINE_STAMP_U32;
    this.policy = makePolicy(options.policy, this, arena.mss, 1);
    this.passesBy = options.policy.kind === 'strict';
    this.windowBytes = options.windowBytes ?? WINDOW;
    for (let level = 0; level < arena.levels; level++) {
      this.rings.push(arena.producer(stack, app, RING_SEND + level));
      this.lines.push([]);
    }
  }

  /** By another policy from the next flush on; what waits keeps its place. */
  schedule(policy: PolicyOptions): void {
    this.policy = makePolicy(policy, this, this.arena.mss, 1);
    this.passesBy = policy.kind === 'strict';
    this.noteStalled();
  }

  private window(slot: number): number {
    return this.windows.size === 0 ? this.windowBytes : (this.windows.get(slot) ?? this.windowBytes);
  }

  /** The connection's own send buffer; it is forgotten when the slot is closed. */
  setWindow(slot: number, generation: number, bytes: number): void {
    const sent = this.table.unconfirmed(slot);
    const asked = sent >= this.window(slot);
    this.windows.set(slot, bytes);
    if (!asked && sent >= bytes) this.askWhenDrained(slot, generation);
    const queue = this.queues.get(slot);
    if (queue?.waitsForPeer) this.arrange(queue);
  }

  /** The slot has no connection any more. */
  close(slot: number): void {
    this.drop(slot);
    this.windows.delete(slot);
  }

  private get stamp(): number {
    return this.words[this.stampAt] as number;
  }

  private get lowest(): number {
    return this.rings.length - 1;
  }

  /** Bytes wait for TX packets: the app is not to take on more work of lower levels. */
  get isStalled(): boolean {
    return this.stalledLevel < NOT_STALLED;
  }

  /** False when the connection is gone or closing. The bytes are taken at once, here or in a queue. */
  send(slot: number, generation: number, level: number, payload: Payload, rxStamp: number): boolean {
    const { table } = this;
    if (!table.canSend(slot, generation)) {
      this.refused++;
      return false;
    }
    this.messages++;
    if (!table.has(slot, QUEUED) && level < this.stalledLevel && table.unconfirmed(slot) < this.window(slot)) {
      if (this.sendNow(slot, generation, level, payload, rxStamp)) return true;
    }
    return this.enqueue(slot, generation, level, payload, rxStamp);
  }

  /** True when the whole message is in packets now. */
  private sendNow(slot: number, generation: number, level: number, payload: Payload, rxStamp: number): boolean {
    if (typeof payload === 'string') {
      if (payload.length * UTF8_MAX > this.arena.mss) return false;
      return this.sendText(slot, generation, level, payload, rxStamp);
    }
    const length = byteLength(payload);
    const count = Math.ceil(length / this.arena.mss);
    if (length > this.window(slot) || !this.hasPackets(level, count)) return false;
    for (let from = 0; from < length; from += this.arena.mss) {
      this.sendPart(slot, generation, level, payload, from, length, rxStamp);
    }
    this.confirmLater(slot, generation, length);
    return true;
  }

  private sendText(slot: number, generation: number, level: number, text: string, rxStamp: number): boolean {
    if (text.length === 0) return true;
    if (!this.hasPackets(level, 1)) return false;
    const packet = this.takePacket();
    const length = this.arena.bytes.utf8Write(text, this.arena.payloadOf(packet), this.arena.mss);
    this.writeSend(slot, generation, level, packet, length, 0, rxStamp);
    this.confirmLater(slot, generation, length);
    return true;
  }

  private hasPackets(level: number, count: number): boolean {
    return this.empty.available >= count && (this.rings[level] as RingProducer).hasRoom(count);
  }

  private takePacket(): number {
    const packet = this.words[this.empty.peek()] as number;
    this.empty.advance();
    return packet;
  }

  /** One packet's worth of `payload` from byte `from` on. Returns the bytes sent. */
  private sendPart(
    slot: number,
    generation: number,
    level: number,
    payload: Uint8Array | ByteSource,
    from: number,
    total: number,
    rxStamp: number,
  ): number {
    const { u8, mss } = this.arena;
    const length = Math.min(mss, total - from);
    const packet = this.takePacket();
    const at = this.arena.payloadOf(packet);
    if (isByteSource(payload)) payload.copyInto(u8, at, from, length);
    else u8.set(length === payload.length ? payload : payload.subarray(from, from + length), at);
    const flags = from + length < total ? SEND_FLAG_MORE : 0;
    this.writeSend(slot, generation, level, packet, length, flags, rxStamp);
    return length;
  }

  private writeSend(
    slot: number,
    generation: number,
    level: number,
    packet: number,
    length: number,
    flags: number,
    rxStamp: number,
  ): void {
    const at = this.writeRecord(SEND_TYPE_SEND, level, level, flags, slot, generation, packet, 0);
    this.words[at + OFFSET_AND_LENGTH] = length << 16;
    this.words[at + SEND_RECORD_RX_STAMP_U32] = rxStamp;
  }

  /** The caller has checked that the ring has room. Returns the record's word index. */
  private writeRecord(
    type: number,
    ring: number,
    level: number,
    flags: number,
    slot: number,
    generation: number,
    packet: number,
    cookie: number,
  ): number {
    const { words } = this;
    const at = (this.rings[ring] as RingProducer).push();
    words[at] = type | (level << 8) | (flags << 16);
    words[at + SEND_RECORD_SLOT_U32] = slot;
    words[at + SEND_RECORD_GENERATION_U32] = generation;
    words[at + SEND_RECORD_PACKET_U32] = packet;
    words[at + OFFSET_AND_LENGTH] = 0;
    words[at + SEND_RECORD_RX_STAMP_U32] = 0;
    words[at + SEND_RECORD_SEND_STAMP_U32] = this.stamp;
    words[at + SEND_RECORD_COOKIE_U32] = cookie;
    return at;
  }

  /** Behind every window of a connection the stack is asked to say when half of them are acknowledged. */
  private confirmLater(slot: number, generation: number, bytes: number): void {
    const before = this.table.unconfirmed(slot);
    const window = this.window(slot);
    this.table.setUnconfirmed(slot, before + bytes);
    if (before < window && before + bytes >= window) this.askWhenDrained(slot, generation);
  }

  private askWhenDrained(slot: number, generation: number): void {
    const window = this.window(slot);
    if ((this.rings[this.lowest] as RingProducer).hasRoom(1)) {
      this.writeRecord(SEND_TYPE_DRAIN, this.lowest, this.lowest, 0, slot, generation, window >>> 1, WINDOW_COOKIE);
    } else this.table.setUnconfirmed(slot, window - 1);
  }

  /** shutdown, close, abort, drain and connect: in order behind what waits for the same connection. */
  command(type: number, slot: number, generation: number, packet = 0, cookie = 0): void {
    const entry: Command = { type, level: this.lowest, rxStamp: 0, packet, cookie, since: this.stamp };
    if (this.table.has(slot, QUEUED) || !this.writeCommand(slot, generation, entry)) {
      this.append(slot, generation, entry, null);
    }
  }

  /** option and info: at once, past what waits for the connection, unless the ring is full. */
  tell(type: number, slot: number, generation: number, packet: number, cookie: number): void {
    if (!(this.rings[this.lowest] as RingProducer).hasRoom(1)) this.command(type, slot, generation, packet, cookie);
    else this.writeRecord(type, this.lowest, this.lowest, 0, slot, generation, packet, cookie);
  }

  private writeCommand(slot: number, generation: number, entry: Command): boolean {
    if (!(this.rings[this.lowest] as RingProducer).hasRoom(1)) return false;
    this.writeRecord(entry.type, this.lowest, this.lowest, 0, slot, generation, entry.packet, entry.cookie);
    return true;
  }

  /** An active open; it belongs to no slot yet. False: the ring is full. */
  connect(address: IpAddress, ports: number, listener: number, cookie: number): boolean {
    if (!(this.rings[0] as RingProducer).hasRoom(1)) return false;
    if (typeof address === 'number') this.writeRecord(SEND_TYPE_CONNECT, 0, 0, 0, address, ports, listener, cookie);
    else this.connectIpv6(ipv6Bytes(address), ports, listener, cookie);
    return true;
  }

  /** The address lies where other records have slot, offset and length, and the stamps. */
  private connectIpv6(address: Uint8Array, ports: number, listener: number, cookie: number): void {
    const words = new DataView(address.buffer);
    const word = (k: number) => words.getUint32(4 * k, true);
    const at = this.writeRecord(SEND_TYPE_CONNECT_IPV6, 0, 0, 0, word(0), ports, listener, cookie);
    this.words[at + OFFSET_AND_LENGTH] = word(1);
    this.words[at + SEND_RECORD_RX_STAMP_U32] = word(2);
    this.words[at + SEND_RECORD_SEND_STAMP_U32] = word(3);
  }

  private enqueue(slot: number, generation: number, level: number, payload: Payload, rxStamp: number): boolean {
    const bytes = typeof payload === 'string' ? Buffer.from(payload, 'utf8') : payload;
    const length = byteLength(bytes);
    if (length === 0) return true;
    const waiting = this.waiting(slot);
    if (waiting > 0 && waiting + length > Math.max(WAITING_MAX, 2 * this.window(slot))) {
      this.overflowed++;
      this.drop(slot);
      this.onOverflow(slot, generation);
      return false;
    }
    const entry = {
      type: SEND_TYPE_SEND,
      level,
      rxStamp,
      packet: 0,
      cookie: 0,
      since: rxStamp === 0 ? this.stamp : rxStamp,
    };
    this.append(slot, generation, entry, bytes);
    return true;
  }

  /** Behind what waits for this connection already. */
  private append(slot: number, generation: number, entry: Command, bytes: Uint8Array | ByteSource | null): void {
    const known = this.queues.get(slot);
    if (known !== undefined && this.table.has(slot, QUEUED)) {
      known.push(entry, bytes);
      return;
    }
    const queue = new SendQueue(slot, generation, this.chunks);
    this.queues.set(slot, queue);
    this.table.set(slot, QUEUED);
    queue.push(entry, bytes);
    this.arrange(queue);
  }

  /** Into the line of its level, unless the peer has to acknowledge first. */
  private arrange(queue: SendQueue): void {
    queue.waitsForPeer = this.table.unconfirmed(queue.slot) >= this.window(queue.slot);
    if (queue.waitsForPeer) return;
    (this.lines[queue.level] as SendQueue[]).push(queue);
    this.stalledLevel = this.passesBy ? Math.min(this.stalledLevel, queue.level) : 0;
  }

  /** A drained event. True when it answers the sender itself. */
  drained(slot: number, cookie: number): boolean {
    if (cookie !== WINDOW_COOKIE) return false;
    this.table.setUnconfirmed(slot, this.window(slot) >>> 1);
    const queue = this.queues.get(slot);
    if (queue?.waitsForPeer) this.arrange(queue);
    return true;
  }

  /** The connection is gone: what waits for it is dropped. */
  drop(slot: number): void {
    const queue = this.queues.get(slot);
    if (queue === undefined) return;
    queue.clear();
    this.queues.delete(slot);
    this.table.clear(slot, QUEUED);
  }

  /** Bytes that wait here for a connection. */
  waiting(slot: number): number {
    return this.queues.get(slot)?.bytes ?? 0;
  }

  /** At the start of a turn: sees new TX packets and sends what waits for them. */
  begin(): void {
    this.empty.refresh();
    this.flush();
  }

  /** Bit L: something of level L waits for packets. */
  private get waitingMask(): number {
    let mask = 0;
    for (let level = 0; level < this.lines.length; level++) {
      if ((this.lines[level] as SendQueue[]).length > 0) mask |= 1 << level;
    }
    return mask;
  }

  since(level: number): number {
    return this.lines[level]?.[0]?.first?.since ?? this.stamp - LONG_AGO;
  }

  /** Sends what waits, as far as packets go. */
  flush(): void {
    if (!this.isStalled) return;
    let mask = this.waitingMask;
    if (mask !== 0) this.policy.begin(mask, this.stamp);
    while (mask !== 0) {
      const level = this.policy.next(mask);
      if (!this.flushLine(level)) mask &= ~(1 << level);
    }
    this.noteStalled();
  }

  private noteStalled(): void {
    const left = this.waitingMask;
    this.stalledLevel = left === 0 ? NOT_STALLED : this.passesBy ? highestOf(left) : 0;
  }

  /** One burst of a level. False: nothing waits any more, or what it needs is not there. */
  private flushLine(level: number): boolean {
    const line = this.lines[level] as SendQueue[];
    this.burstLeft = this.policy.burst;
    let done = 0;
    for (; done < line.length; done++) {
      if (!this.flushQueue(line[done] as SendQueue, level)) break;
    }
    line.splice(0, done);
    return this.burstLeft === 0 && line.length > 0;
  }

  /** False: the burst is over, or it needs packets that are not there. */
  private flushQueue(queue: SendQueue, level: number): boolean {
    for (let entry = queue.first; entry !== undefined; entry = queue.first) {
      if (entry.bytes !== null && this.table.unconfirmed(queue.slot) >= this.window(queue.slot)) {
        this.arrange(queue);
        return true;
      }
      if (this.burstLeft === 0) return false;
      if (entry.bytes === null) {
        if (!this.writeCommand(queue.slot, queue.generation, entry)) return false;
      } else if (!this.flushPart(queue, entry, entry.bytes, level)) return false;
      this.burstLeft--;
      if (entry.bytes === null || entry.from >= entry.bytes.length) queue.shift();
    }
    if (this.queues.get(queue.slot) === queue) this.drop(queue.slot);
    return true;
  }

  private flushPart(queue: SendQueue, entry: Entry, bytes: Uint8Array, level: number): boolean {
    if (!this.hasPackets(entry.level, 1)) return false;
    const { slot, generation } = queue;
    const sent = this.sendPart(slot, generation, entry.level, bytes, entry.from, bytes.length, entry.rxStamp);
    entry.from += sent;
    queue.bytes -= sent;
    this.confirmLater(slot, generation, sent);
    this.policy.charge(level, sent);
    return true;
  }

  /** At the end of a turn. The highest level first: what is published before a close is seen before it. */
  publish(): void {
    for (const ring of this.rings) ring.publish();
    this.empty.publish();
  }
}
