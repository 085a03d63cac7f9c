// ConnectionTable: what an app thread knows about each connection, by slot.
// In: opened and closed events. Out: whether a handle lives, addresses, counts. Invariant: no object per connection, but one
// record of 32 bytes: with ten million of them none is in a cache, and a message meets one cache line here, not one for each
// field. A user's column has an array of its own; its elements belong to the connection whose generation stands in the slot,
// and are zero when it opens.
import { type Prepare, touched } from '../mempool/touch.js';
import { QstackError } from './errors.js';
import type { ListTails } from './pending.js';

export const OPEN = 1;
/** The peer sent FIN. */
export const ENDED = 2;
/** We sent close or abort: nothing is sent or delivered any more. */
export const CLOSING = 4;
/** We sent FIN, and still receive. */
export const SHUT = 8;
/** The sender keeps bytes of this connection back. */
export const QUEUED = 16;
/** Messages go to a reader, not to a handler. */
export const READ = 32;
/** We opened it. */
export const ACTIVE = 64;
/** No message boundaries: its bytes leave at one level, in order. */
export const STREAM = 128;

const COLUMNS = {
  u8: Uint8Array,
  i8: Int8Array,
  u16: Uint16Array,
  i16: Int16Array,
  u32: Uint32Array,
  i32: Int32Array,
  f32: Float32Array,
  f64: Float64Array,
} as const;

export type ColumnType = keyof typeof COLUMNS;
export type ColumnArray = InstanceType<(typeof COLUMNS)[ColumnType]>;

/** A connection by number: slot and generation, exact in a double. Keep it wherever a number fits. */
export type ConnectionId = number & { readonly connectionId: unique symbol };

/** What names a connection: its id, or a message, or a Connection. */
export type ConnectionRef = ConnectionId | { readonly slot: number; readonly generation: number };

const GENERATION_MASK = 0x1fffff;
const ID_SHIFT = 2 ** 32;

export function connectionId(slot: number, generation: number): ConnectionId {
  return ((generation & GENERATION_MASK) * ID_SHIFT + slot) as ConnectionId;
}

/** A record, in units of each view. It begins with the generation. */
const RECORD_SHIFT = 5;
const WORD_SHIFT = RECORD_SHIFT - 2;
const HALF_SHIFT = RECORD_SHIFT - 1;
/** Flags, send level, busy levels, waiting levels. */
const LEVELS_U32 = 1;
const FLAGS_U8 = 4;
const SEND_LEVEL_U8 = 5;
const BUSY_LEVELS_U8 = 6;
const WAITING_LEVELS_U8 = 7;
/** In flight, listener. */
const HANDLERS_U32 = 2;
const IN_FLIGHT_U16 = 4;
const LISTENER_U16 = 5;
const TAIL_U32 = 3;
const UNCONFIRMED_U32 = 4;
const REMOTE_ADDRESS_U32 = 5;
const LOCAL_ADDRESS_U32 = 6;
/** Remote in the lower half, local. */
const PORTS_U32 = 7;

export class ConnectionTable {
  readonly size: number;
  /** The last message that waits, of each connection: for PendingLists. */
  readonly tails: ListTails;
  /** Of all memory that grows with the connections. */
  readonly prepare: Prepare | undefined;
  openCount = 0;
  private readonly u8: Uint8Array;
  private readonly u16: Uint16Array;
  private readonly u32: Uint32Array;
  private readonly columns = new Map<string, { type: ColumnType; array: ColumnArray }>();
  private readonly userArrays: ColumnArray[] = [];

  constructor(size: number, prepare?: Prepare) {
    this.size = size;
    this.prepare = prepare;
    const { buffer } = touched(new Uint8Array(size << RECORD_SHIFT), prepare);
    this.u8 = new Uint8Array(buffer);
    this.u16 = new Uint16Array(buffer);
    this.u32 = new Uint32Array(buffer);
    this.tails = { array: new Int32Array(buffer), shift: WORD_SHIFT, at: TAIL_U32 };
    // The first generation of a slot is 0, and has to be newer than what stands here.
    for (let slot = 0; slot < size; slot++) this.u32[slot << WORD_SHIFT] = 0xffffffff;
  }

  generation(slot: number): number {
    return this.u32[slot << WORD_SHIFT] as number;
  }

  /** Reads what there is of a connection, whatever stands there: those who follow find it in the cache. */
  foresee(slot: number): number {
    if (slot >= this.size) return 0;
    let read = this.u32[slot << WORD_SHIFT] as number;
    for (const array of this.userArrays) read += array[slot] as number;
    return read;
  }

  flags(slot: number): number {
    return this.u8[(slot << RECORD_SHIFT) + FLAGS_U8] as number;
  }

  isOpen(slot: number, generation: number): boolean {
    return this.generation(slot) === generation && (this.flags(slot) & OPEN) !== 0;
  }

  has(slot: number, flag: number): boolean {
    return (this.flags(slot) & flag) !== 0;
  }

  set(slot: number, flag: number): void {
    this.u8[(slot << RECORD_SHIFT) + FLAGS_U8] = this.flags(slot) | flag;
  }

  clear(slot: number, flag: number): void {
    this.u8[(slot << RECORD_SHIFT) + FLAGS_U8] = this.flags(slot) & ~flag;
  }

  /** Open, and neither closed nor shut down by us. */
  canSend(slot: number, generation: number): boolean {
    return this.generation(slot) === generation && (this.flags(slot) & (OPEN | CLOSING | SHUT)) === OPEN;
  }

  /** Number of its listener. */
  listener(slot: number): number {
    return this.u16[(slot << HALF_SHIFT) + LISTENER_U16] as number;
  }

  /** Messages whose handlers run or wait in a run queue. */
  inFlight(slot: number): number {
    return this.u16[(slot << HALF_SHIFT) + IN_FLIGHT_U16] as number;
  }

  addInFlight(slot: number, more: number): void {
    this.u16[(slot << HALF_SHIFT) + IN_FLIGHT_U16] = this.inFlight(slot) + more;
  }

  /** One more than the level that a stream's bytes are sent at; 0: not chosen yet. Of a closed slot: its CloseCode. */
  sendLevel(slot: number): number {
    return this.u8[(slot << RECORD_SHIFT) + SEND_LEVEL_U8] as number;
  }

  setSendLevel(slot: number, value: number): void {
    this.u8[(slot << RECORD_SHIFT) + SEND_LEVEL_U8] = value;
  }

  /** Bit L: a handler of level L runs (order `level` only). */
  busyLevels(slot: number): number {
    return this.u8[(slot << RECORD_SHIFT) + BUSY_LEVELS_U8] as number;
  }

  setBusyLevels(slot: number, bits: number): void {
    this.u8[(slot << RECORD_SHIFT) + BUSY_LEVELS_U8] = bits;
  }

  /** Bit L: messages of level L wait for their handler (order `level` only). */
  waitingLevels(slot: number): number {
    return this.u8[(slot << RECORD_SHIFT) + WAITING_LEVELS_U8] as number;
  }

  setWaitingLevels(slot: number, bits: number): void {
    this.u8[(slot << RECORD_SHIFT) + WAITING_LEVELS_U8] = bits;
  }

  /** Bytes sent since the stack last said that they are acknowledged. */
  unconfirmed(slot: number): number {
    return this.u32[(slot << WORD_SHIFT) + UNCONFIRMED_U32] as number;
  }

  setUnconfirmed(slot: number, bytes: number): void {
    this.u32[(slot << WORD_SHIFT) + UNCONFIRMED_U32] = bytes;
  }

  /** IPv4, or the low word of IPv6. */
  remoteAddress(slot: number): number {
    return this.u32[(slot << WORD_SHIFT) + REMOTE_ADDRESS_U32] as number;
  }

  localAddress(slot: number): number {
    return this.u32[(slot << WORD_SHIFT) + LOCAL_ADDRESS_U32] as number;
  }

  remotePort(slot: number): number {
    return (this.u32[(slot << WORD_SHIFT) + PORTS_U32] as number) & 0xffff;
  }

  localPort(slot: number): number {
    return (this.u32[(slot << WORD_SHIFT) + PORTS_U32] as number) >>> 16;
  }

  open(slot: number, generation: number, flags: number, listener: number): void {
    const at = slot << WORD_SHIFT;
    this.u32[at] = generation;
    this.u32[at + LEVELS_U32] = OPEN | flags;
    this.u32[at + HANDLERS_U32] = listener << 16;
    this.u32[at + UNCONFIRMED_U32] = 0;
    this.openCount++;
    for (const array of this.userArrays) array[slot] = 0;
  }

  /** `ports`: the remote one in the lower half. */
  setEnds(slot: number, remoteAddress: number, localAddress: number, ports: number): void {
    const at = slot << WORD_SHIFT;
    this.u32[at + REMOTE_ADDRESS_U32] = remoteAddress;
    this.u32[at + LOCAL_ADDRESS_U32] = localAddress;
    this.u32[at + PORTS_U32] = ports;
  }

  close(slot: number, reason: number): void {
    this.u8[(slot << RECORD_SHIFT) + FLAGS_U8] = 0;
    this.setSendLevel(slot, reason);
    this.openCount--;
  }

  /** CloseCode of a connection that is gone; undefined where another one has had its slot since. */
  closeCode(slot: number, generation: number): number | undefined {
    return this.generation(slot) === generation && !this.has(slot, OPEN) ? this.sendLevel(slot) : undefined;
  }

  /** The slot that `ref` names, or -1 when its connection is gone. */
  slotOf(ref: ConnectionRef): number {
    if (typeof ref !== 'number') return this.isOpen(ref.slot, ref.generation) ? ref.slot : -1;
    const slot = ref >>> 0;
    if (slot >= this.size || !this.has(slot, OPEN)) return -1;
    const generation = this.generation(slot) & GENERATION_MASK;
    return generation * ID_SHIFT + slot === ref ? slot : -1;
  }

  /** The array of a user's column, made on first use. */
  column(name: string, type: ColumnType): ColumnArray {
    const known = this.columns.get(name);
    if (known?.type === type) return known.array;
    if (known !== undefined || !(type in COLUMNS)) {
      const why = known === undefined ? `types are ${Object.keys(COLUMNS).join(', ')}` : `it exists as ${known.type}`;
      throw new QstackError('QST_ERR_INVALID_ARGUMENT', `column "${name}" of type ${type}: ${why}`);
    }
    const array = touched(new COLUMNS[type](this.size), this.prepare);
    this.columns.set(name, { type, array });
    this.userArrays.push(array);
    return array;
  }
}
