// LocalLink: an app in the thread of control, for the `inline` arrangement of start().

import { AppHost, type AppHostOptions } from './app-host.js';
import type { AppLink } from './app-link.js';
import type { UserCounts } from './app-protocol.js';
import { type ConnectionQuery, type ConnectionsFound, listConnections } from './connection-list.js';
import { type ListenOptions, loadNative } from './native.js';
import type { ResolvedPolicy } from './policy.js';
import type { RedisTopology } from './redis-topology.js';

export class LocalLink implements AppLink {
  private readonly wanted: ListenOptions[] = [];
  private readonly finders: ((number: number) => void)[] = [];
  private readonly host: AppHost<string>;

  constructor(options: Omit<AppHostOptions<string>, 'control' | 'drive'>) {
    const control = {
      listen: (listener: ListenOptions, found: (number: number) => void) => {
        this.wanted.push(listener);
        this.finders.push(found);
      },
      unlisten: (number: number) => loadNative().unlisten(options.stack, number),
      framing: (framing: ListenOptions) => loadNative().listen(options.stack, framing),
    };
    this.host = new AppHost({ ...options, control, drive: 'at once' });
  }

  async setUp(): Promise<ListenOptions[]> {
    await this.host.setup();
    return this.wanted;
  }

  async begin(numbers: number[]): Promise<void> {
    numbers.forEach((number, index) => {
      this.finders[index]?.(number);
    });
    this.host.begin();
  }

  async counts(user = true): Promise<UserCounts> {
    return this.host.counts(user);
  }

  connections(query: ConnectionQuery): Promise<ConnectionsFound> {
    return listConnections(this.host.core, query);
  }

  followRedis(topology: RedisTopology): void {
    this.host.followRedis(topology);
  }

  schedule(policy: ResolvedPolicy): void {
    this.host.schedule(policy);
  }

  async drain(limitMs: number): Promise<void> {
    await this.host.drain(limitMs);
  }

  async close(): Promise<void> {
    this.host.close();
  }
}
