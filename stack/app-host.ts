// AppHost: makes an App in the calling thread, on a stack that exists, and keeps its poller.
// In: a definition, a stack's number, an app's number. Out: a running app. Invariant: no event comes
// before its listener is known: an app thread polls only after setup(), and the stack runs after all of them.
import { OpTrace } from '../coroutine/op-trace.js';
import type { RunWatchOptions } from '../coroutine/run-watch.js';
import { Arena } from '../mempool/arena.js';
import { App } from './app.js';
import { AppCore } from './app-core.js';
import type { UserCounts } from './app-protocol.js';
import type { StackSettings } from './config/settings.js';
import { QstackError } from './errors.js';
import type { ListenerControl } from './listener.js';
import type { Log } from './log.js';
import type { Message } from './message.js';
import { loadNative, type NativeAddon, type NativePoller, type StackId } from './native.js';
import { noWorkers, OffloadPool } from './offload.js';
import { rxBudgets, watermarks } from './overload.js';
import type { ResolvedPolicy } from './policy.js';
import { RedisClient } from './redis.js';
import type { MakeNativeRedis } from './redis-native.js';
import type { RedisTopology } from './redis-topology.js';
import type { ServeDefinition } from './serve.js';

export interface AppHostOptions<L extends string> {
  definition: ServeDefinition<L>;
  stack: StackId;
  app: number;
  settings: StackSettings;
  /** In force when it begins. */
  policy: ResolvedPolicy;
  /** Of a Redis Cluster, as far as it is known. */
  topology?: RedisTopology | undefined;
  control: ListenerControl;
  log: Log;
  /** The thread also takes the turns of its stack: from setup() on, where it is alone, or when all are on the air. */
  drive: 'at once' | 'on the air' | 'never';
}

export class AppHost<L extends string> {
  readonly app: App<L>;
  readonly core: AppCore<L>;
  private readonly options: AppHostOptions<L>;
  private policy: ResolvedPolicy;
  private readonly native: NativeAddon = loadNative();
  private poller: NativePoller | null = null;
  private redis: RedisClient | null = null;
  private topology: RedisTopology | undefined;
  private makeNative: MakeNativeRedis | undefined;
  private workers: OffloadPool | null = null;
  private readonly trace: OpTrace | null;

  constructor(options: AppHostOptions<L>) {
    const { definition, stack, app, settings, control } = options;
    this.options = options;
    this.topology = options.topology;
    this.policy = options.policy;
    const arena = new Arena(this.native.attachArena(stack));
    const isShared = settings.arrangement === 'shared';
    const budgets = rxBudgets(definition.levels, arena.rxPacketsPerStack, settings.bufferShares);
    this.core = new AppCore<L>({
      arena,
      watermarks: watermarks(budgets, isShared ? 1 : settings.appThreads),
      home: isShared ? app : undefined,
      app,
      levels: definition.levels,
      otherwise: definition.otherwise,
      policy: this.policy,
      sendBufferBytes: settings.sendBufferBytes,
      watch: settings.slowHandlerMs > 0 ? this.watch(settings.slowHandlerMs) : undefined,
      prepare: (buffer) => this.native.adviseHugePages(buffer),
      clock: () => this.native.stamp(),
      kick: () => this.poller?.kick(),
      onError: (error, message) => this.handlerFailed(error, message),
    });
    this.core.scheduler.isOnAir = false;
    this.trace = settings.traceOps || process.env.QSTACK_TRACE_OPS === '1' ? this.traceOps() : null;
    this.app = new App<L>(this.core, {
      control,
      settings: settings as unknown as Record<string, unknown>,
      makeRedis: () => this.makeRedis(),
      makeWorkers: () => this.makeWorkers(),
    });
  }

  private watch(boundMs: number): RunWatchOptions {
    const { definition, log } = this.options;
    const slow = (handler: string, levelIndex: number, tookMs: number) => {
      const messageLevel = definition.levels[levelIndex];
      const ms = Math.round(tookMs * 10) / 10;
      const sentence = `${handler} ran for ${ms} ms without a yield* or await: meanwhile nothing else ran in its thread`;
      log.warn('HANDLER_SLOW', sentence, { handler, messageLevel, ms }, `HANDLER_SLOW ${handler}`);
    };
    return { boundMs, slow, waitedUs: this.native.waitedForCoreUs };
  }

  private traceOps(): OpTrace {
    const { log } = this.options;
    return new OpTrace((op, place, stack) => {
      log.warn(
        'OP_FORGOTTEN',
        `an op was made that nobody awaits: is its yield* missing? made at ${place}`,
        {
          op,
          stack,
        },
        `OP_FORGOTTEN ${place}`,
      );
    });
  }

  private makeRedis(): RedisClient {
    const { stack, settings, definition } = this.options;
    const servers = [...settings.redis, ...settings.redisCluster];
    if (servers.length === 0) {
      throw new QstackError('QST_ERR_CONFIG_INVALID', 'app.redis(): the configuration names no `redis`');
    }
    const { scheduler, sojourn } = this.core;
    const redis = new RedisClient({
      servers,
      cluster: settings.redisCluster.length > 0,
      levels: definition.levels.length,
      policy: this.policy.options,
      scheduler,
      sojourn,
      stack,
      makeNative: this.makeNative,
    });
    if (this.topology !== undefined) redis.follow(this.topology);
    this.core.sources.push(redis);
    if (this.poller !== null) redis.attach(this.poller);
    this.redis = redis;
    return redis;
  }

  /** The cluster's slots have moved. */
  followRedis(topology: RedisTopology): void {
    this.topology = topology;
    this.redis?.follow(topology);
  }

  /** Another policy is in force. */
  schedule(policy: ResolvedPolicy): void {
    this.policy = policy;
    this.core.schedule(policy);
  }

  private makeWorkers(): OffloadPool {
    const { app, settings } = this.options;
    if (settings.workersPerApp === 0) throw noWorkers();
    this.workers = new OffloadPool(settings.workersPerApp, settings.pins?.workers[app]);
    return this.workers;
  }

  async setup(): Promise<void> {
    if (this.options.settings.redisClient === 'ioredis') {
      // Loaded by those alone who want it.
      const { IoredisClient } = await import('./ioredis-client.js');
      this.makeNative = (options) => new IoredisClient(options);
    }
    // Alone in its thread, it takes the stack's turns itself: then ops can be awaited in setup() already.
    if (this.options.drive === 'at once') this.poll();
    await this.options.definition.setup(this.app);
  }

  begin(): void {
    if (this.options.drive !== 'at once') this.poll();
    this.app.started();
  }

  private poll(): void {
    const { stack, app, drive } = this.options;
    const onTurn = () => this.core.turn();
    this.poller = this.native.createPoller({ stack, app, drive: drive !== 'never', onTurn });
    this.redis?.attach(this.poller);
    this.core.scheduler.isOnAir = true;
    this.poller.kick();
  }

  private handlerFailed(error: unknown, message: Message<L> | null): boolean {
    const { definition, log } = this.options;
    const code = (error as { code?: unknown } | null)?.code;
    const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
    log.error(typeof code === 'string' ? code : 'HANDLER_FAILED', `a handler threw: ${text}`);
    if (definition.onError === undefined) return false;
    try {
      definition.onError(error, message);
    } catch (second) {
      log.error('ON_ERROR_FAILED', `onError threw: ${second instanceof Error ? second.stack : String(second)}`);
    }
    return true;
  }

  counts(user: boolean): UserCounts {
    const redis = this.redis?.stats() ?? null;
    return { ...this.core.counts(), user: user ? this.app.reported() : {}, redis };
  }

  get nativePoller(): NativePoller | null {
    return this.poller;
  }

  /** Closes all connections, each when its handlers are done; what is left after `limitMs` is left. */
  async drain(limitMs: number): Promise<void> {
    await this.app.stop();
    this.core.beginShutdown();
    const endMs = performance.now() + limitMs;
    while (!this.core.isShutDown && performance.now() < endMs) await new Promise((done) => setTimeout(done, 5));
  }

  close(): void {
    this.redis?.close();
    this.workers?.close();
    this.poller?.close();
    this.poller = null;
    this.core.scheduler.close();
    this.trace?.stop();
  }
}
