// The policy of one running stack: the program's, overridden key by key by the configuration's; either part can be replaced.
// In: policies and settings, any time. Out: the policy in force, told to the native queues between two of their turns.
// Invariant: a fault changes nothing. The app threads are the caller's matter: each takes the new policy over by itself.
import type { NativeAddon, StackId } from './native.js';
import { type Policy, type PolicySettings, policyWords, type ResolvedPolicy, resolvePolicy } from './policy.js';

export class StackPolicy {
  private readonly native: NativeAddon;
  private readonly stack: StackId;
  private readonly levels: readonly string[];
  private program: Policy | undefined;
  private settings: PolicySettings;
  private resolved: ResolvedPolicy;

  /** Of a stack that was made with it. */
  constructor(
    native: NativeAddon,
    stack: StackId,
    levels: readonly string[],
    program: Policy | undefined,
    settings: PolicySettings,
  ) {
    this.native = native;
    this.stack = stack;
    this.levels = levels;
    this.program = program;
    this.settings = settings;
    this.resolved = resolvePolicy(levels, program, settings);
  }

  get inForce(): ResolvedPolicy {
    return this.resolved;
  }

  /** In place of the program's. Returns what is in force now. */
  replace(policy: Policy): ResolvedPolicy {
    return this.put(policy, this.settings);
  }

  /** In place of the configuration's. */
  replaceSettings(settings: PolicySettings): ResolvedPolicy {
    return this.put(this.program, settings);
  }

  /** Throws where replaceSettings() would. */
  check(settings: PolicySettings): void {
    resolvePolicy(this.levels, this.program, settings);
  }

  private put(program: Policy | undefined, settings: PolicySettings): ResolvedPolicy {
    const resolved = resolvePolicy(this.levels, program, settings);
    this.native.schedule(this.stack, policyWords(resolved.options));
    this.program = program;
    this.settings = settings;
    this.resolved = resolved;
    return resolved;
  }
}
