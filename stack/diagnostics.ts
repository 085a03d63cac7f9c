// Diagnostics: what happens, as events of node:diagnostics_channel, for whoever subscribes in the thread where it happens.
// In: calls of the rooms that know. Out: published objects. Invariant: without a subscriber an event costs a test of one
// field, and no object is made; what is published must not be kept longer than the call, a message's bytes least of all.
import { type Channel, channel } from 'node:diagnostics_channel';
import type { Address } from './message.js';

/** A connection stands. In its app thread. */
export interface ConnectionOpened {
  slot: number;
  generation: number;
  remote: Address;
  local: Address;
}

/** A connection is gone. In its app thread. */
export interface ConnectionClosed extends ConnectionOpened {
  reason: string;
}

/** A message has come to its app thread, before any handler. */
export interface MessageReceived {
  slot: number;
  generation: number;
  level: string;
  /** Bytes. */
  length: number;
}

/** Frames, records or messages that went no further. From the native stack once a second in the control thread; `max_age` at once, in the app thread. */
export interface Dropped {
  /** Of `qstack_drops_total`, or `max_age`. */
  reason: string;
  count: number;
  /** Only of `max_age`. */
  level?: string;
}

/** A command of Redis has its outcome. In its app thread. */
export interface RedisCompleted {
  /** Its place in the configuration's list. */
  server: number;
  level: number;
  ok: boolean;
  elapsedUs: number;
}

export const CONNECTION_OPENED = 'qstack:connection:opened';
export const CONNECTION_CLOSED = 'qstack:connection:closed';
export const MESSAGE = 'qstack:message';
export const DROP = 'qstack:drop';
export const REDIS = 'qstack:redis';

export const diagnostics = {
  opened: channel(CONNECTION_OPENED) as Channel<unknown, ConnectionOpened>,
  closed: channel(CONNECTION_CLOSED) as Channel<unknown, ConnectionClosed>,
  message: channel(MESSAGE) as Channel<unknown, MessageReceived>,
  drop: channel(DROP) as Channel<unknown, Dropped>,
  redis: channel(REDIS) as Channel<unknown, RedisCompleted>,
};
