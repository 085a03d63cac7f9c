// Handlers: what a user gives to listen() and connect(), as types.
// A generator, a plain function, an async function (slower, with a weaker order), or a pooled coroutine: a loop that serves
// one message after the other and leaves no garbage. An op that nobody awaits does not fit these types where it is returned.
import type { Inbox } from '../coroutine/inbox.js';
import type { Coroutine } from '../coroutine/op.js';
import type { WaitOptions } from '../coroutine/signal.js';
import type { CloseReason } from './close-reason.js';
import type { Connection } from './connection.js';
import type { Framing } from './framing.js';
import type { Message } from './message.js';
import type { SocketOptions } from './socket-options.js';

export type HandlerResult = undefined | boolean | Coroutine<void> | Promise<void>;

// biome-ignore lint/suspicious/noConfusingVoidType: a handler that returns nothing is the common one.
export type Handler<L extends string> = (message: Message<L>) => HandlerResult | void;

export type MessageInbox<L extends string> = Inbox<Message<L>>;

/** Made by pooled(). */
export interface PooledHandler<L extends string> {
  readonly pooled: (inbox: MessageInbox<L>) => Coroutine<void>;
}

/** A coroutine that serves many messages: `pooled(function* (inbox) { for (;;) { const m = yield* inbox.next(); … } })`. */
export function pooled<L extends string>(handler: (inbox: MessageInbox<L>) => Coroutine<void>): PooledHandler<L> {
  return { pooled: handler };
}

/**
 * `connection`: one handler at a time per connection, of what waits the highest level first. `level`: one per connection and
 * level. `none`: as many as there are messages.
 */
export type HandlerOrder = 'connection' | 'level' | 'none';

export interface ConnectionOptions<L extends string> {
  framing?: Framing;
  /** Default `connection`, which streams always have. */
  order?: HandlerOrder;
  /**
   * A message above the lowest level is handed over as soon as it is whole, also where bytes before it were lost: then two of
   * one level may swap. Default: in the orders `level` and `none`. Past messages that wait in order it always goes.
   */
  unordered?: boolean;
  /** When the peer has ended, we stay open until the app closes. Default: close once all its messages are handled. */
  halfOpen?: boolean;
  /** Collects small writes (RFC 1122 4.2.3.4): the same as `socket: { noDelay: false }`. */
  nagle?: boolean;
  /** Options of its connections, from their handshake on; what is left out is as the configuration says. */
  socket?: Partial<SocketOptions>;
  /** The peer has sent an urgent pointer (RFC 9293 3.8.5). Its bytes come as messages, in line; info().urgentBytes says how many. */
  onUrgent?: (connection: Connection<L>) => void | Coroutine<void> | Promise<void>;
  onClose?: (connection: Connection<L>, reason: CloseReason) => void | Coroutine<void> | Promise<void>;
}

export interface ListenOptions<L extends string> extends ConnectionOptions<L> {
  port: number;
  /** One of the stack's addresses; otherwise all. */
  address?: string;
  onConnect?: (connection: Connection<L>) => void | Coroutine<void> | Promise<void>;
}

export interface ConnectOptions<L extends string> extends ConnectionOptions<L>, WaitOptions {
  address: string;
  port: number;
  /** Otherwise the stack picks one. */
  localPort?: number;
}
