// inline(): a whole stack and its handlers in the calling thread: for tests, debugging and small tools.
// In: a definition, which may close over anything, and a configuration. Out: an InlineStack that runs until it is stopped.
// Same rings and records as with threads; the calling thread's poller takes the stack's turns as well.
import type { App } from './app.js';
import { AppHost } from './app-host.js';
import type { Rule } from './classifier.js';
import { formatFault } from './config/fault.js';
import { loadSettings } from './config/load.js';
import type { StackSettings } from './config/settings.js';
import { checkDevice } from './device-check.js';
import { DropWatch } from './drop-watch.js';
import { ensureEal } from './eal.js';
import { QstackError } from './errors.js';
import type { ListenerControl } from './listener.js';
import { Log } from './log.js';
import { type ListenOptions, loadNative, type RingDevice, type StackCounters, type StackId } from './native.js';
import { stackOptions } from './native-options.js';
import type { Policy, ResolvedPolicy } from './policy.js';
import type { RedisWatch } from './redis-watch.js';
import { type RuleHits, StackRules } from './rule-set.js';
import type { ServeDefinition } from './serve.js';
import { type StageTime, stageTimes } from './sojourn.js';
import { StackPolicy } from './stack-policy.js';

/** The keys of a configuration file. */
export type ConfigObject = Readonly<Record<string, unknown>>;

function isSettings(config: ConfigObject | StackSettings): config is StackSettings {
  return typeof (config as Partial<StackSettings>).connectionsMax === 'number';
}

/** Settings, or QST_ERR_CONFIG_INVALID with all faults, one per line. */
export function settingsOf(config: ConfigObject | StackSettings): StackSettings {
  if (isSettings(config)) return config;
  const { settings, faults } = loadSettings({ object: config });
  if (settings !== undefined) return settings;
  throw new QstackError('QST_ERR_CONFIG_INVALID', faults.map(formatFault).join('\n'));
}

export class InlineStack<L extends string = string> implements AsyncDisposable {
  readonly app: App<L>;
  readonly id: StackId;
  private readonly host: AppHost<L>;
  private readonly listeners: number[];
  private readonly rules: StackRules<L>;
  private readonly policies: StackPolicy;
  private readonly drainMs: number;
  private readonly redis: RedisWatch | undefined;
  private readonly drops = new DropWatch(() => this.counters());
  private stopped = false;

  constructor(
    id: StackId,
    host: AppHost<L>,
    listeners: number[],
    rules: StackRules<L>,
    policies: StackPolicy,
    drainMs: number,
    redis: RedisWatch | undefined,
  ) {
    this.id = id;
    this.host = host;
    this.app = host.app;
    this.listeners = listeners;
    this.rules = rules;
    this.policies = policies;
    this.drainMs = drainMs;
    this.redis = redis;
  }

  counters(): StackCounters {
    return loadNative().counters(this.id);
  }

  /** How long messages were in each stage, as Stack.sojourn() tells it. */
  sojourn(): StageTime[] {
    const { levelNames } = this.app.core;
    return stageTimes(levelNames, loadNative().sojourn(this.id), [this.app.counts().sojourn]);
  }

  /** Replaces the program's rules, as Stack.classify() does; how often those of before had matched. */
  classify(rules: readonly Rule<L>[]): RuleHits<L>[] {
    return this.rules.replace(rules);
  }

  /** Replaces the program's policy, as Stack.schedule() does. */
  schedule(policy: Policy<L>): ResolvedPolicy {
    const resolved = this.policies.replace(policy);
    this.host.schedule(resolved);
    return resolved;
  }

  ruleHits(): RuleHits<L>[] {
    return this.rules.hits();
  }

  /** Refuses new connections, finishes what is under way, closes, and frees everything. */
  async stop(limitMs = this.drainMs): Promise<void> {
    if (this.stopped) return;
    this.stopped = true;
    this.drops.stop();
    const native = loadNative();
    for (const number of this.listeners) native.unlisten(this.id, number);
    await this.host.drain(limitMs);
    this.redis?.close();
    this.host.close();
    native.destroy(this.id);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }
}

export interface InlineOptions {
  log?: Log;
  /** One end of a pair of stacks in this process, instead of a device. */
  ring?: RingDevice;
}

export async function inline<L extends string>(
  definition: ServeDefinition<L>,
  config: ConfigObject | StackSettings,
  options: InlineOptions = {},
): Promise<InlineStack<L>> {
  const settings = { ...settingsOf(config), stackThreads: 1, appThreads: 1 };
  const log = options.log ?? new Log({ level: settings.logLevel });
  const native = loadNative();
  if (options.ring === undefined) {
    checkDevice(settings);
    ensureEal(settings);
  }
  const id = native.createStack(stackOptions(settings, definition.levels, definition.policy, options.ring));
  let host: AppHost<L> | undefined;
  let redis: RedisWatch | undefined;
  try {
    const rules = new StackRules<L>(native, id, definition, settings);
    const policies = new StackPolicy(native, id, definition.levels, definition.policy, settings);
    const policy = policies.inForce;
    const listeners: number[] = [];
    const control = directControl(id, listeners);
    if (settings.redisCluster.length > 0 && settings.redisClient === 'hiredis') {
      const { RedisWatch } = await import('./redis-watch.js');
      redis = await RedisWatch.open(settings.redisCluster, (topology) => host?.followRedis(topology), log);
    }
    const topology = redis?.topology;
    host = new AppHost<L>({
      definition,
      stack: id,
      app: 0,
      settings,
      policy,
      topology,
      control,
      log,
      drive: 'at once',
    });
    await host.setup();
    host.begin();
    return new InlineStack<L>(id, host, listeners, rules, policies, settings.drainTimeoutMs, redis);
  } catch (error) {
    redis?.close();
    host?.close();
    native.destroy(id);
    throw error;
  }
}

function directControl(id: StackId, listeners: number[]): ListenerControl {
  const native = loadNative();
  const listen = (options: ListenOptions) => native.listen(id, options);
  return {
    listen(options, found) {
      const number = listen(options);
      listeners.push(number);
      found(number);
    },
    unlisten: (number) => native.unlisten(id, number),
    framing: listen,
  };
}
