// Listener: what listen() gives back. In: a number once the stack has it. Out: close(), which refuses new connections and
// leaves the open ones alone.
import type { ListenOptions as NativeListenOptions } from './native.js';

/** How an app reaches the stack for listeners: at once in `inline`, by the control thread otherwise. */
export interface ListenerControl {
  /** Calls `found` with the number, now or before the first connection. */
  listen(options: NativeListenOptions, found: (number: number) => void): void;
  unlisten(number: number): void;
  /** Number of a framing for active opens. */
  framing(options: NativeListenOptions): number;
}

export class Listener implements AsyncDisposable {
  readonly port: number;
  private readonly control: ListenerControl;
  private known = -1;
  private closed = false;

  constructor(control: ListenerControl, port: number) {
    this.control = control;
    this.port = port;
  }

  /** -1 until the stack has made it. */
  get number(): number {
    return this.known;
  }

  found(number: number): void {
    this.known = number;
    if (this.closed) this.control.unlisten(number);
  }

  /** No new connections; open ones go on. */
  close(): void {
    if (this.closed) return;
    this.closed = true;
    if (this.known >= 0) this.control.unlisten(this.known);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.close();
  }
}
