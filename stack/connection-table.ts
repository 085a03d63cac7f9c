// ConnectionTable: what an app thread knows about each connection, in columns indexed by slot.
// In: opened and closed events. Out: whether a handle lives, addresses, counts. Invariant: about 35 bytes a connection and no
// object; a column's elements belong to the connection whose generation stands in the slot, and are zero when it opens.
import { touched } from '../mempool/touch.js';
import { QstackError } from './errors.js';

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

export class ConnectionTable {
  readonly size: number;
  readonly flags: Uint8Array;
  readonly generation: Uint32Array;
  readonly listener: Uint16Array;
  readonly remoteAddress: Uint32Array;
  readonly remotePort: Uint16Array;
  readonly localAddress: Uint32Array;
  readonly localPort: Uint16Array;
  /** Messages whose handlers run or wait in a run queue. */
  readonly inFlight: Uint16Array;
  /** One more than the level that a stream's bytes are sent at; 0: not chosen yet. Of a closed slot: its CloseCode. */
  readonly sendLevel: Uint8Array;
  /** Bytes sent since the stack last said that they are acknowledged. */
  readonly unconfirmed: Uint32Array;
  openCount = 0;
  private readonly columns = new Map<string, { type: ColumnType; array: ColumnArray }>();
  private readonly userArrays: ColumnArray[] = [];

  constructor(size: number) {
    this.size = size;
    this.flags = touched(new Uint8Array(size));
    // The first generation of a slot is 0, and has to be newer than what stands here.
    this.generation = new Uint32Array(size).fill(0xffffffff);
    this.listener = touched(new Uint16Array(size));
    this.remoteAddress = touched(new Uint32Array(size));
    this.remotePort = touched(new Uint16Array(size));
    this.localAddress = touched(new Uint32Array(size));
    this.localPort = touched(new Uint16Array(size));
    this.inFlight = touched(new Uint16Array(size));
    this.sendLevel = touched(new Uint8Array(size));
    this.unconfirmed = touched(new Uint32Array(size));
  }

  isOpen(slot: number, generation: number): boolean {
    return this.generation[slot] === generation && ((this.flags[slot] as number) & OPEN) !== 0;
  }

  has(slot: number, flag: number): boolean {
    return ((this.flags[slot] as number) & flag) !== 0;
  }

  set(slot: number, flag: number): void {
    this.flags[slot] = (this.flags[slot] as number) | flag;
  }

  clear(slot: number, flag: number): void {
    this.flags[slot] = (this.flags[slot] as number) & ~flag;
  }

  /** Open, and neither closed nor shut down by us. */
  canSend(slot: number, generation: number): boolean {
    return this.generation[slot] === generation && ((this.flags[slot] as number) & (OPEN | CLOSING | SHUT)) === OPEN;
  }

  open(slot: number, generation: number, flags: number): void {
    this.flags[slot] = OPEN | flags;
    this.generation[slot] = generation;
    this.inFlight[slot] = 0;
    this.sendLevel[slot] = 0;
    this.unconfirmed[slot] = 0;
    this.openCount++;
    for (const array of this.userArrays) array[slot] = 0;
  }

  close(slot: number, reason: number): void {
    this.flags[slot] = 0;
    this.sendLevel[slot] = reason;
    this.openCount--;
  }

  /** CloseCode of a connection that is gone; undefined where another one has had its slot since. */
  closeCode(slot: number, generation: number): number | undefined {
    return this.generation[slot] === generation && !this.has(slot, OPEN) ? this.sendLevel[slot] : undefined;
  }

  /** The slot that `ref` names, or -1 when its connection is gone. */
  slotOf(ref: ConnectionRef): number {
    if (typeof ref !== 'number') return this.isOpen(ref.slot, ref.generation) ? ref.slot : -1;
    const slot = ref >>> 0;
    if (slot >= this.size || ((this.flags[slot] as number) & OPEN) === 0) return -1;
    const generation = (this.generation[slot] as number) & GENERATION_MASK;
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
    const array = touched(new COLUMNS[type](this.size));
    this.columns.set(name, { type, array });
    this.userArrays.push(array);
    return array;
  }
}
