// SendQueue: what one connection has yet to send, while packets are short or its peer is slow. In order; bounded by Sender.

export interface Entry {
  /** SEND_TYPE_… */
  type: number;
  level: number;
  /** Null in commands. */
  bytes: Uint8Array | null;
  /** Bytes of it that have left. */
  from: number;
  rxStamp: number;
  packet: number;
  cookie: number;
  /** Stamp at which it began to wait. */
  since: number;
}

export class SendQueue {
  readonly slot: number;
  readonly generation: number;
  /** Bytes that wait. */
  bytes = 0;
  /** It is in no line: the peer has to acknowledge first. */
  waitsForPeer = false;
  private entries: Entry[] = [];
  private head = 0;

  constructor(slot: number, generation: number) {
    this.slot = slot;
    this.generation = generation;
  }

  get first(): Entry | undefined {
    return this.entries[this.head];
  }

  /** Level of the line in which it waits. */
  get level(): number {
    return this.first?.level ?? 0;
  }

  push(entry: Entry): void {
    this.entries.push(entry);
    this.bytes += entry.bytes?.length ?? 0;
  }

  shift(): void {
    this.head++;
    if (this.head < 64) return;
    this.entries = this.entries.slice(this.head);
    this.head = 0;
  }

  clear(): void {
    this.entries = [];
    this.head = 0;
    this.bytes = 0;
  }
}
