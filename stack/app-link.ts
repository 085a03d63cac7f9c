// AppLink: control's end of an app, in a thread of its own or in this one.
// In: calls of control. Out: promises, and onDied when a thread ends that nobody ended. Invariant: after close() nothing is
// reported any more.
import { Worker } from 'node:worker_threads';
import type { AppThreadData, FromApp, ToApp, UserCounts } from './app-protocol.js';
import type { ConnectionQuery, ConnectionsFound } from './connection-list.js';
import { QstackError } from './errors.js';
import type { ListenOptions } from './native.js';
import type { ResolvedPolicy } from './policy.js';
import type { RedisTopology } from './redis-topology.js';

export interface AppLink {
  /** Runs setup(); the listeners that it wants. */
  setUp(): Promise<ListenOptions[]>;
  /** Starts the poller. */
  begin(numbers: number[]): Promise<void>;
  /** `user`: with what the program itself reports. */
  counts(user?: boolean): Promise<UserCounts>;
  connections(query: ConnectionQuery): Promise<ConnectionsFound>;
  /** Another slot map of the Redis Cluster. */
  followRedis(topology: RedisTopology): void;
  /** Another policy, from its next turn on. */
  schedule(policy: ResolvedPolicy): void;
  drain(limitMs: number): Promise<void>;
  close(): Promise<void>;
}

/** Young generation: pooled coroutines leave little garbage, and small semi-spaces keep its pauses below a millisecond. */
const YOUNG_GENERATION_MB = 6;
const CLOSE_MS = 2000;

type Settle = { resolve: (value: never) => void; reject: (error: unknown) => void };

export class ThreadLink implements AppLink {
  private readonly worker: Worker;
  private readonly waiting = new Map<string, Settle>();
  private lastId = 0;
  private fault: unknown = undefined;
  private closing = false;
  private isGone = false;
  private readonly gone: Promise<void>;

  constructor(data: AppThreadData, onDied: (fault: unknown) => void, onUnlisten: (number: number) => void) {
    this.worker = new Worker(new URL('./app-thread.js', import.meta.url), {
      workerData: data,
      name: `app${data.app}`,
      resourceLimits: { maxYoungGenerationSizeMb: YOUNG_GENERATION_MB },
    });
    this.worker.on('message', (message: FromApp) => {
      if (message.type === 'unlisten') onUnlisten(message.number);
      else this.hear(message);
    });
    this.worker.on('error', (error) => {
      this.fault = error;
    });
    this.gone = new Promise((resolve) => {
      this.worker.on('exit', (code) => {
        resolve();
        this.ended(code, onDied);
      });
    });
  }

  private ended(code: number, onDied: (fault: unknown) => void): void {
    const fault = this.fault ?? new QstackError('QST_ERR_APP_FAILED', `the app thread ended with code ${code}`);
    this.isGone = true;
    this.fault = fault;
    for (const { reject } of this.waiting.values()) reject(fault);
    this.waiting.clear();
    if (!this.closing) onDied(fault);
  }

  private hear(message: Exclude<FromApp, { type: 'unlisten' }>): void {
    if (message.type === 'failed') {
      this.fault = new QstackError(message.code, message.text);
      return;
    }
    const key = 'id' in message ? `${message.type} ${message.id}` : message.type;
    const settle = this.waiting.get(key);
    this.waiting.delete(key);
    settle?.resolve(message as never);
  }

  private answer<T extends FromApp>(key: string, question?: ToApp): Promise<T> {
    if (this.isGone) return Promise.reject(this.fault);
    return new Promise<T>((resolve, reject) => {
      this.waiting.set(key, { resolve: resolve as Settle['resolve'], reject });
      if (question !== undefined) this.worker.postMessage(question);
    });
  }

  async setUp(): Promise<ListenOptions[]> {
    return (await this.answer<Extract<FromApp, { type: 'set-up' }>>('set-up')).listeners;
  }

  async begin(numbers: number[]): Promise<void> {
    await this.answer('on-air', { type: 'begin', numbers });
  }

  async counts(user = true): Promise<UserCounts> {
    const id = ++this.lastId;
    return (await this.answer<Extract<FromApp, { type: 'counts' }>>(`counts ${id}`, { type: 'counts', id, user }))
      .counts;
  }

  async connections(query: ConnectionQuery): Promise<ConnectionsFound> {
    type Answer = Extract<FromApp, { type: 'connections' }>;
    const id = ++this.lastId;
    return (await this.answer<Answer>(`connections ${id}`, { type: 'connections', id, query })).found;
  }

  followRedis(topology: RedisTopology): void {
    this.say({ type: 'redis', topology });
  }

  schedule(policy: ResolvedPolicy): void {
    this.say({ type: 'policy', policy });
  }

  private say(message: ToApp): void {
    if (!this.isGone) this.worker.postMessage(message);
  }

  async drain(limitMs: number): Promise<void> {
    await this.answer('drained', { type: 'drain', limitMs });
  }

  async close(): Promise<void> {
    this.closing = true;
    if (this.isGone) return;
    this.worker.postMessage({ type: 'close' } satisfies ToApp);
    const insist = setTimeout(() => void this.worker.terminate(), CLOSE_MS);
    await this.gone;
    clearTimeout(insist);
  }
}
