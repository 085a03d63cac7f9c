// One data connection of a test: bytes as fast as the peer takes them, or as it sends them.
// In: a Connection, and whether we send. Out: a count. Invariant: `bytes` stands still once stop() was called; what arrives
// later is read and not counted, so that the peer is never left with a closed window.
import type { Connection } from '../../stack/connection.js';

/** Unacknowledged bytes beside the block that is being sent: as much as the stack sends for one connection by itself. */
const LOW_WATER = 256 * 1024;

/** What all senders of a test share: -n counts over all of them. */
export interface Budget {
  /** Infinity: the time decides. */
  bytesLeft: number;
  /** Told by receivers. */
  onSpent(): void;
}

export class DataStream {
  readonly id: number;
  readonly connection: Connection;
  bytes = 0;
  /** Of the last report. */
  bytesBefore = 0;
  readonly remote: { address: string; port: number };
  readonly local: { address: string; port: number };
  private stopped = false;

  constructor(id: number, connection: Connection) {
    this.id = id;
    this.connection = connection;
    this.remote = connection.remote;
    this.local = connection.local;
  }

  stop(): void {
    this.stopped = true;
  }

  /** Sends until it is stopped, or the budget is spent and all of it acknowledged; rejects when the connection breaks before. */
  async send(block: Uint8Array, budget: Budget): Promise<void> {
    while (!this.stopped && budget.bytesLeft > 0) {
      const piece = budget.bytesLeft < block.length ? block.subarray(0, budget.bytesLeft) : block;
      if (!this.connection.send(piece)) return this.broken();
      this.bytes += piece.length;
      budget.bytesLeft -= piece.length;
      await this.room(LOW_WATER);
    }
    if (!this.stopped) await this.room(0);
  }

  private async room(lowWater: number): Promise<void> {
    try {
      await this.connection.drain({ lowWater });
    } catch {
      this.broken();
    }
  }

  /** Whoever has been stopped does not mind. */
  private broken(): void {
    if (!this.stopped)
      throw new Error(`data connection ${this.id} to ${this.remote.address} broke after ${this.bytes} bytes`);
  }

  /** Counts until the peer ends. `first`: bytes that were read along with the cookie. */
  async receive(first: number, budget: Budget): Promise<void> {
    this.count(first, budget);
    try {
      for (let message = await this.connection.receive(); message !== null; message = await this.connection.receive()) {
        this.count(message.length, budget);
      }
    } catch {
      this.broken();
    }
  }

  private count(length: number, budget: Budget): void {
    if (this.stopped) return;
    this.bytes += length;
    budget.bytesLeft -= length;
    if (budget.bytesLeft <= 0) budget.onSpent();
  }
}
