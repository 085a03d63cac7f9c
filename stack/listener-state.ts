// ListenerState: what the app thread keeps per listener, and per active open with a handler.
import type { AnyHandler } from '../coroutine/task.js';
import type { Framing } from './framing.js';
import type { ConnectionOptions, Handler, PooledHandler } from './handler.js';
import type { PooledCoroutine } from './pooled-coroutine.js';

export const ORDER_CONNECTION = 0;
export const ORDER_LEVEL = 1;
export const ORDER_NONE = 2;

const ORDERS = { connection: ORDER_CONNECTION, level: ORDER_LEVEL, none: ORDER_NONE } as const;

export class ListenerState<L extends string> {
  readonly framing: Framing;
  readonly order: number;
  /** A message above the lowest level does not wait for what was lost before it. */
  readonly unordered: boolean;
  readonly halfOpen: boolean;
  /** A coroutine factory when `isPooled`; null: messages wait for a reader. */
  readonly handler: AnyHandler | null;
  readonly isPooled: boolean;
  /** Number of the handler's name, for who watches what runs; 0: none. */
  label = 0;
  readonly handlerName: string;
  readonly onConnect: AnyHandler | null;
  readonly onUrgent: ConnectionOptions<L>['onUrgent'] | null;
  readonly onClose: ConnectionOptions<L>['onClose'] | null;
  /** Of its connections, where it is not the stack's. */
  readonly sendBuffer: number | undefined;
  /** Pooled coroutines that wait for a message. */
  readonly idle: PooledCoroutine<L>[] = [];

  constructor(
    options: ConnectionOptions<L> & { onConnect?: AnyHandler },
    handler: Handler<L> | PooledHandler<L> | undefined,
  ) {
    this.framing = options.framing ?? { kind: 'stream' };
    this.order = this.framing.kind === 'stream' ? ORDER_CONNECTION : ORDERS[options.order ?? 'connection'];
    this.unordered = this.framing.kind !== 'stream' && (options.unordered ?? this.order !== ORDER_CONNECTION);
    this.isPooled = typeof handler === 'object';
    this.handler = ((typeof handler === 'object' ? handler.pooled : handler) as AnyHandler | undefined) ?? null;
    this.handlerName = this.handler?.name || `the handler of port ${(options as { port?: number }).port ?? 'unknown'}`;
    this.halfOpen = options.halfOpen ?? false;
    this.onConnect = options.onConnect ?? null;
    this.onUrgent = options.onUrgent ?? null;
    this.onClose = options.onClose ?? null;
    this.sendBuffer = options.socket?.sendBuffer;
  }
}
