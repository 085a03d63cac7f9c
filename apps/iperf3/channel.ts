// A control connection: bytes, states and JSON in order.
// In: a Connection without a handler. Out: take(), state() and json(), which wait for what the peer says, and reject when it has
// ended before. Invariant: one of them waits at a time.
import type { Connection } from '../../stack/connection.js';
import { COOKIE_BYTES, JSON_MAX } from './protocol.js';

export class Channel {
  readonly connection: Connection;
  private waiting: Buffer = Buffer.alloc(0);

  constructor(connection: Connection) {
    this.connection = connection;
  }

  /** Bytes that came behind what was taken. */
  get restBytes(): number {
    return this.waiting.length;
  }

  async take(length: number): Promise<Buffer> {
    while (this.waiting.length < length) {
      const message = await this.connection.receive();
      if (message === null) throw new Error('the peer has closed the control connection');
      this.waiting = Buffer.concat([this.waiting, message.copy()]);
    }
    const taken = this.waiting.subarray(0, length);
    this.waiting = this.waiting.subarray(length);
    return taken;
  }

  async cookie(): Promise<string> {
    return (await this.take(COOKIE_BYTES)).toString('latin1', 0, COOKIE_BYTES - 1);
  }

  async state(): Promise<number> {
    return (await this.take(1))[0] as number;
  }

  async json(): Promise<unknown> {
    const length = (await this.take(4)).readUInt32BE();
    if (length > JSON_MAX) throw new Error(`the peer announces ${length} bytes of JSON; at most ${JSON_MAX} are read`);
    return JSON.parse((await this.take(length)).toString('utf8'));
  }

  sendCookie(cookie: string): void {
    this.connection.send(`${cookie}\0`);
  }

  sendState(state: number): void {
    this.connection.send(Uint8Array.of(state));
  }

  /** Why the server does not go on: iperf3's number of the fault, and no errno. */
  sendFault(state: number, fault: number): void {
    const bytes = Buffer.alloc(9);
    bytes[0] = state;
    bytes.writeInt32BE(fault, 1);
    this.connection.send(bytes);
  }

  sendJson(value: object): void {
    const text = Buffer.from(JSON.stringify(value), 'utf8');
    const length = Buffer.alloc(4);
    length.writeUInt32BE(text.length);
    this.connection.send(Buffer.concat([length, text]));
  }
}
