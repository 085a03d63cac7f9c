// What the control thread and an app thread say to each other: control only, never anything of the packet's line.
import type { AppCounts } from './app-core.js';
import type { StackSettings } from './config/settings.js';
import type { ConnectionQuery, ConnectionsFound } from './connection-list.js';
import type { ListenOptions, StackId } from './native.js';
import type { ResolvedPolicy } from './policy.js';
import type { RedisStats } from './redis.js';
import type { RedisTopology } from './redis-topology.js';

/** An app thread's start-up data. */
export interface AppThreadData {
  /** URL of the user's module. */
  module: string;
  stack: StackId;
  app: number;
  settings: StackSettings;
  /** In force when it begins. */
  policy: ResolvedPolicy;
  /** Of a Redis Cluster, as far as it is known. */
  topology?: RedisTopology | undefined;
}

export type UserCounts = AppCounts & {
  /** What the program adds (App.onReport); empty where it was not asked for. */
  user: Record<string, unknown>;
  /** Null: the program uses no Redis. */
  redis: RedisStats | null;
};

export type FromApp =
  /** setup() has run; these listeners are wanted, in this order. */
  | { type: 'set-up'; listeners: ListenOptions[] }
  /** The poller runs. */
  | { type: 'on-air' }
  | { type: 'counts'; id: number; counts: UserCounts }
  | { type: 'connections'; id: number; found: ConnectionsFound }
  | { type: 'unlisten'; number: number }
  | { type: 'drained' }
  /** It did not come up. */
  | { type: 'failed'; code: string; text: string };

export type ToApp =
  /** Numbers of the wanted listeners, in their order. */
  | { type: 'begin'; numbers: number[] }
  | { type: 'counts'; id: number; user: boolean }
  | { type: 'connections'; id: number; query: ConnectionQuery }
  | { type: 'redis'; topology: RedisTopology }
  | { type: 'policy'; policy: ResolvedPolicy }
  | { type: 'drain'; limitMs: number }
  | { type: 'close' };
