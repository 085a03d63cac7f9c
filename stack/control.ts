// Stack: one stack as control sees it: made, on the air, watched, stopped.
// In: a module and settings. Out: a running stack. Invariant: control is never on the packet's line; it makes things in this
// order: EAL, native stack, classifier, apps' setup(), listeners, pollers, stack thread; and takes them down in reverse.
import { setTimeout as delay } from 'node:timers/promises';
import { type AppLink, ThreadLink } from './app-link.js';
import type { UserCounts } from './app-protocol.js';
import type { Rule } from './classifier.js';
import { formatEndpoint } from './config/address.js';
import { pinsText } from './config/pods.js';
import type { ClassifyLine, StackSettings } from './config/settings.js';
import type { ConnectionQuery, ConnectionsFound } from './connection-list.js';
import { checkDevice } from './device-check.js';
import { DropWatch } from './drop-watch.js';
import { ensureEal } from './eal.js';
import { QstackError } from './errors.js';
import { Heartbeat } from './heartbeat.js';
import { LocalLink } from './local-link.js';
import type { Log } from './log.js';
import { MemoryLog } from './memory-log.js';
import {
  type Hiccups,
  type ListenOptions,
  loadNative,
  type NativeAddon,
  type RingDevice,
  type StackCounters,
  type StackId,
} from './native.js';
import { planOf, stackOptions } from './native-options.js';
import { type LevelOverload, overloadOf } from './overload.js';
import type { Policy, PolicySettings, ResolvedPolicy } from './policy.js';
import type { RedisTopology } from './redis-topology.js';
import type { RedisWatch } from './redis-watch.js';
import { type RuleHits, StackRules } from './rule-set.js';
import type { ServeDefinition } from './serve.js';
import { type StageCells, type StageTime, stageCells, stageTimes } from './sojourn.js';
import { StackPolicy } from './stack-policy.js';

const DEATHS_MAX = 5;
const DEATHS_WINDOW_MS = 60_000;
const TELL_AGAIN_MS = 100;

export interface StackParts {
  /** URL of the user's module. */
  module: string;
  definition: ServeDefinition;
  settings: StackSettings;
  log: Log;
  /** One end of a pair of stacks in this process, instead of the device of the settings. */
  ring?: RingDevice;
  /** An app died too often; by default the process ends with exit 1. */
  onFatal?: () => void;
}

/** What a stack has counted since its start. */
export interface StackFigures {
  atMs: number;
  apps: UserCounts[];
  counters: StackCounters;
  stages: StageCells[];
  rules: RuleHits[];
  /** Since they were last read with a reset. */
  hiccups: Hiccups;
}

export class Stack implements AsyncDisposable {
  readonly id: StackId;
  readonly settings: StackSettings;
  readonly levels: readonly string[];
  private readonly parts: StackParts;
  private readonly native: NativeAddon = loadNative();
  private readonly memory: MemoryLog;
  private counted: StackCounters | null = null;
  private readonly apps: AppLink[] = [];
  /** What every app wants, and the numbers under which it was made. */
  private wanted: ListenOptions[] = [];
  private numbers: number[] = [];
  private readonly deathsMs: number[] = [];
  private readonly policies: StackPolicy;
  private rules: StackRules | null = null;
  private heartbeat: Heartbeat | null = null;
  private redis: RedisWatch | null = null;
  private drops: DropWatch | null = null;
  private stopping: Promise<void> | null = null;

  private constructor(parts: StackParts) {
    const { definition, settings } = parts;
    this.parts = parts;
    this.settings = settings;
    this.levels = definition.levels;
    if (parts.ring === undefined) {
      checkDevice(settings);
      ensureEal(settings);
    }
    this.memory = new MemoryLog(parts.log, planOf(settings, definition.levels.length));
    const options = stackOptions(settings, definition.levels, definition.policy, parts.ring);
    this.id = this.native.createStack(options, this.memory.touched);
    this.policies = new StackPolicy(this.native, this.id, definition.levels, definition.policy, settings);
  }

  static async start(parts: StackParts): Promise<Stack> {
    const stack = new Stack(parts);
    try {
      await stack.begin();
    } catch (error) {
      await stack.takeDown();
      throw error;
    }
    return stack;
  }

  private async begin(): Promise<void> {
    const { definition, settings } = this.parts;
    this.rules = new StackRules(this.native, this.id, definition, settings);
    await this.watchRedis();
    for (let app = 0; app < settings.appThreads; app++) this.apps.push(this.link(app));
    const lists = await Promise.all(this.apps.map((app) => app.setUp()));
    this.memory.placed();
    this.makeListeners(lists);
    await Promise.all(this.apps.map((app) => app.begin(this.numbers)));
    this.drops = new DropWatch(() => this.counters());
    const { poll, pins, arrangement } = settings;
    if (pins !== undefined) this.parts.log.info('PINNED', pinsText(pins));
    if (arrangement === 'inline') return;
    const cores = pins === undefined ? {} : { cores: pins.stacks };
    if (arrangement === 'separate') this.native.run(this.id, { name: 'qstack-stack', poll, ...cores });
    this.heartbeat = new Heartbeat(this.native.attachArena(this.id), settings.appThreads, this.parts.log);
  }

  private async watchRedis(): Promise<void> {
    const { settings, log } = this.parts;
    if (settings.redisCluster.length === 0 || settings.redisClient === 'ioredis') return;
    const { RedisWatch } = await import('./redis-watch.js');
    const tell = (topology: RedisTopology) => {
      for (const app of this.apps) app.followRedis(topology);
    };
    this.redis = await RedisWatch.open(settings.redisCluster, tell, log);
  }

  private link(app: number): AppLink {
    const { module, definition, settings, log } = this.parts;
    const common = { stack: this.id, app, settings, policy: this.policy, topology: this.redis?.topology };
    if (settings.arrangement === 'inline') return new LocalLink({ definition, ...common, log });
    const data = { module, ...common };
    const unlisten = (number: number) => void this.whenHeard(() => this.native.unlisten(this.id, number));
    return new ThreadLink(data, (fault) => void this.died(app, fault), unlisten);
  }

  private makeListeners(lists: readonly ListenOptions[][]): void {
    this.wanted = lists[0] ?? [];
    for (const list of lists) this.checkSame(list);
    this.numbers = this.wanted.map((options) => this.native.listen(this.id, options));
  }

  private checkSame(list: readonly ListenOptions[]): void {
    if (JSON.stringify(list) === JSON.stringify(this.wanted)) return;
    throw new QstackError('QST_ERR_LISTENERS_DIFFER', 'setup() must ask for the same listeners in every app thread');
  }

  /** An app thread ended by itself: its connections are reset, and another one takes its place. */
  private async died(app: number, fault: unknown): Promise<void> {
    const { log, onFatal } = this.parts;
    if (this.heartbeat === null || this.stopping !== null) return;
    const text = fault instanceof Error ? (fault.stack ?? fault.message) : String(fault);
    const reset = await this.whenHeard(() => this.native.reclaimApp(this.id, app));
    if (this.stopping !== null) return;
    log.error('APP_DIED', `app thread ${app} died, ${reset} connections were reset: ${text}`, { app, reset });
    const nowMs = performance.now();
    this.deathsMs.push(nowMs);
    while (nowMs - (this.deathsMs[0] as number) > DEATHS_WINDOW_MS) this.deathsMs.shift();
    if (this.deathsMs.length >= DEATHS_MAX) {
      log.error('APP_DIED_TOO_OFTEN', `app threads died ${DEATHS_MAX} times within a minute: giving up`);
      (onFatal ?? (() => process.exit(1)))();
      return;
    }
    await this.restart(app);
  }

  /** As soon as all stacks can be told; one that another app thread drives may have to wait for its handler. */
  private async whenHeard<T>(call: () => T): Promise<T> {
    for (;;) {
      const answer = this.unlessBusy(() => ({ value: call() }));
      if (answer !== undefined) return answer.value;
      await delay(TELL_AGAIN_MS);
    }
  }

  private async restart(app: number): Promise<void> {
    const link = this.link(app);
    this.apps[app] = link;
    try {
      this.checkSame(await link.setUp());
      await link.begin(this.numbers);
      this.parts.log.warn('APP_RESTARTED', `app thread ${app} is on the air again`, { app });
    } catch {
      // It died once more: died() has been told as well.
    }
  }

  /** `10.0.0.1:80`, `[fd00::1]:80`: where there is somebody to connect to. */
  get addresses(): string[] {
    const { address: ipv4, ipv6 } = this.settings;
    const own = [...(ipv4 === 0 ? [] : [ipv4]), ...(ipv6 === undefined ? [] : [ipv6.address])];
    return this.wanted.flatMap(({ address, port }) =>
      (address ? [address] : own).map((at) => formatEndpoint(at, port)),
    );
  }

  /** What the program's module exports. */
  get definition(): ServeDefinition {
    return this.parts.definition;
  }

  get plannedBytes(): number {
    return planOf(this.settings, this.levels.length).bytes;
  }

  /** Those of before, where an app thread that drives a stack computes for longer than a second. */
  counters(): StackCounters {
    this.counted = this.unlessBusy(() => this.native.counters(this.id)) ?? this.counted;
    if (this.counted === null) throw new QstackError('QST_ERR_STACK_BUSY', 'nothing has been counted yet');
    return this.counted;
  }

  /** Undefined: QST_ERR_STACK_BUSY. */
  private unlessBusy<T>(call: () => T): T | undefined {
    try {
      return call();
    } catch (error) {
      if ((error as { code?: unknown }).code !== 'QST_ERR_STACK_BUSY') throw error;
      return undefined;
    }
  }

  /**
   * Replaces the program's rules while the stack runs; those of the configuration stay before them. Each frame is judged by
   * one version. Returns how often each rule of before had matched. QST_ERR_CLASSIFIER_INVALID changes nothing.
   */
  classify(rules: readonly Rule[]): RuleHits[] {
    return this.runningRules().replace(rules);
  }

  /** The same for the rules of the configuration. */
  classifyLines(lines: readonly ClassifyLine[]): RuleHits[] {
    return this.runningRules().replaceLines(lines);
  }

  /**
   * Replaces the program's policy while the stack runs; keys of the configuration go on overriding it. What waits is kept, and every
   * place where levels wait goes by the new one from its next turn on. Returns the policy in force. QST_ERR_CONFIG_INVALID changes
   * nothing.
   */
  schedule(policy: Policy): ResolvedPolicy {
    return this.tellPolicy(this.policies.replace(policy));
  }

  /** The same for the keys of the configuration. */
  scheduleSettings(settings: PolicySettings): ResolvedPolicy {
    return this.tellPolicy(this.policies.replaceSettings(settings));
  }

  private tellPolicy(policy: ResolvedPolicy): ResolvedPolicy {
    for (const app of this.apps) app.schedule(policy);
    return policy;
  }

  /** In force, as the configuration and the program together have it. */
  get policy(): ResolvedPolicy {
    return this.policies.inForce;
  }

  /** What a configuration that was read again says of rules and policy. A fault of either changes nothing. */
  configure(settings: StackSettings): void {
    this.policies.check(settings);
    this.classifyLines(settings.classify);
    this.scheduleSettings(settings);
  }

  /** How often each rule has given a frame its level since it was put in place. */
  ruleHits(): RuleHits[] {
    return this.runningRules().hits();
  }

  private runningRules(): StackRules {
    if (this.rules === null) throw new QstackError('QST_ERR_STACK_DESTROYED', 'this stack never came on the air');
    return this.rules;
  }

  hiccups(reset = false): Hiccups {
    return this.native.hiccups(this.id, reset);
  }

  /** How long messages were in each stage since the start, by level (docs/priority.md). */
  async sojourn(): Promise<StageTime[]> {
    const apps = await this.counts(false);
    return stageTimes(
      this.levels,
      this.native.sojourn(this.id),
      apps.map((counts) => counts.sojourn),
    );
  }

  /** What too much work has led to since the start, by level (docs/priority.md). */
  async overload(): Promise<LevelOverload[]> {
    return overloadOf(this.levels, this.counters().deferredByLevel, await this.counts(false));
  }

  /** Everything that is counted, read once; without what the program itself reports, which may begin anew when it is read. */
  async figures(): Promise<StackFigures> {
    const apps = await this.counts(false);
    const cells = apps.map((counts) => counts.sojourn);
    return {
      atMs: Date.now(),
      apps,
      counters: this.counters(),
      stages: stageCells(this.levels, this.native.sojourn(this.id), cells),
      rules: this.ruleHits(),
      hiccups: this.hiccups(),
    };
  }

  /** Connections that a filter lets pass, at most `limit` of each app thread. */
  async connections(query: ConnectionQuery): Promise<ConnectionsFound> {
    const answers = await Promise.allSettled(this.apps.map((app) => app.connections(query)));
    const found = answers.flatMap((answer) => (answer.status === 'fulfilled' ? [answer.value] : []));
    const lines = found.flatMap((one) => one.lines);
    const more = found.some((one) => one.more) || lines.length > query.limit;
    return { lines: lines.slice(0, query.limit), more };
  }

  /** The shared memory, to look at: rings and what stands in them. */
  attachArena(): ArrayBuffer {
    return this.native.attachArena(this.id);
  }

  /** Rules of the configuration that are in force, as its lines have them. */
  get classifyTexts(): readonly string[] {
    return this.runningRules().lineTexts;
  }

  /** What the apps count, one entry per app thread; one that has just died is left out. `user`: with App.onReport(). */
  async counts(user = true): Promise<UserCounts[]> {
    const answers = await Promise.allSettled(this.apps.map((app) => app.counts(user)));
    return answers.flatMap((answer) => (answer.status === 'fulfilled' ? [answer.value] : []));
  }

  /** Refuses new connections, lets handlers finish, closes, and frees everything. Never takes much longer than `limitMs`. */
  stop(limitMs = this.settings.drainTimeoutMs): Promise<void> {
    this.stopping ??= this.drainAndTakeDown(limitMs);
    return this.stopping;
  }

  private async drainAndTakeDown(limitMs: number): Promise<void> {
    for (const number of this.numbers) this.unlessBusy(() => this.native.unlisten(this.id, number));
    const limit = new AbortController();
    const late = delay(limitMs + 1000, undefined, { signal: limit.signal }).catch(() => {});
    await Promise.race([Promise.allSettled(this.apps.map((app) => app.drain(limitMs))), late]);
    limit.abort();
    await this.takeDown();
  }

  private async takeDown(): Promise<void> {
    this.stopping ??= Promise.resolve();
    this.heartbeat?.stop();
    this.redis?.close();
    this.drops?.stop();
    await this.closeApps();
    this.native.stop(this.id);
    this.native.destroy(this.id);
  }

  /** Stacks that app threads drive end as stack threads do: the first one last, since it sends for the others. */
  private async closeApps(): Promise<void> {
    if (this.settings.arrangement !== 'shared') await Promise.allSettled(this.apps.map((app) => app.close()));
    else for (const app of this.apps.toReversed()) await app.close().catch(() => {});
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }
}
