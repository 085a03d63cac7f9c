// Policies as people write them, and as places of the packet's line take them.
// In: the `policy` of serve() and the keys policy, starvation_bound, max_age, weights and deadlines, which override it key by
// key. Out: PolicyOptions by level number, and the greatest age of messages by level. All faults are told at the start.
import { type PolicyKind, type PolicyOptions, stampsOfMs } from '../coroutine/policy.js';
import { QstackError } from './errors.js';
import type { PolicyWords } from './native.js';

interface AnyPolicy<L extends string> {
  /** Messages that have waited longer before a handler sees them are shed and counted; a level without an entry keeps its own. */
  maxAgeMs?: Readonly<Partial<Record<L, number>>>;
}

/** The highest level first. */
export interface StrictPolicy<L extends string = string> extends AnyPolicy<L> {
  kind: 'strict';
  /** The oldest waiting lower level gets a quantum at least every so many milliseconds; 0: it may wait for ever. */
  starvationBoundMs?: number;
}

/** Shares of the work, by deficit round robin. */
export interface WeightedPolicy<L extends string = string> extends AnyPolicy<L> {
  kind: 'weighted';
  weights: Readonly<Record<L, number>>;
}

/** The earliest deadline first. */
export interface DeadlinePolicy<L extends string = string> extends AnyPolicy<L> {
  kind: 'deadline';
  /** How long after its arrival a message of each level is to be served. */
  budgetMs: Readonly<Record<L, number>>;
}

export type Policy<L extends string = string> = StrictPolicy<L> | WeightedPolicy<L> | DeadlinePolicy<L>;

type ByLevel = Readonly<Partial<Record<string, number>>>;

/** What the configuration says of the policy. */
export interface PolicySettings {
  policy?: PolicyKind | undefined;
  starvationBoundMs?: number | undefined;
  maxAgesMs?: ByLevel | undefined;
  weights?: ByLevel | undefined;
  deadlinesMs?: ByLevel | undefined;
}

export interface ResolvedPolicy {
  readonly options: PolicyOptions;
  /** Infinity where a level has none; null where none has. */
  readonly maxAgesMs: readonly number[] | null;
}

const STARVATION_BOUND_MS = 20;
/** Stamps wrap; ages and deadlines stay far below half their circle. */
const DURATION_MS_MAX = 60_000;
const WEIGHT_MAX = 1_000;

function invalid(sentence: string): QstackError {
  return new QstackError('QST_ERR_CONFIG_INVALID', `policy: ${sentence}`);
}

function checkNames(levels: readonly string[], values: ByLevel, what: string): void {
  for (const name of Object.keys(values)) {
    if (!levels.includes(name)) throw invalid(`${what} names "${name}", which is none of ${levels.join(', ')}`);
  }
}

function checkRange(value: number, max: number, what: string): number {
  if (value > 0 && value <= max) return value;
  throw invalid(`${what} is ${value}; accepted is more than 0 and at most ${max}`);
}

/** A value for every level. */
function forAll(levels: readonly string[], values: ByLevel | undefined, max: number, what: string): number[] {
  checkNames(levels, values ?? {}, what);
  return levels.map((level) => {
    const value = values?.[level];
    if (value === undefined) throw invalid(`${what} has nothing for level "${level}"`);
    return checkRange(value, max, `${what} of "${level}"`);
  });
}

function maxAges(levels: readonly string[], values: ByLevel): number[] | null {
  checkNames(levels, values, 'the maximum age');
  if (Object.keys(values).length === 0) return null;
  return levels.map((level) => {
    const value = values[level] ?? Number.POSITIVE_INFINITY;
    return value === Number.POSITIVE_INFINITY ? value : checkRange(value, DURATION_MS_MAX, `maximum age of "${level}"`);
  });
}

/** The configuration's word counts where it has one, else the program's. */
export function resolvePolicy(
  levels: readonly string[],
  policy: Policy = { kind: 'strict' },
  settings: PolicySettings = {},
): ResolvedPolicy {
  const kind = settings.policy ?? policy.kind;
  const bound = policy.kind === 'strict' ? policy.starvationBoundMs : undefined;
  const weights = settings.weights ?? (policy.kind === 'weighted' ? policy.weights : undefined);
  const budgets = settings.deadlinesMs ?? (policy.kind === 'deadline' ? policy.budgetMs : undefined);
  const starvationBoundMs = settings.starvationBoundMs ?? bound ?? STARVATION_BOUND_MS;
  if (starvationBoundMs !== 0) checkRange(starvationBoundMs, DURATION_MS_MAX, 'the starvation bound');
  return {
    options: {
      kind,
      levels: levels.length,
      starvationBoundMs,
      weights: kind === 'weighted' ? forAll(levels, weights, WEIGHT_MAX, 'the weight') : [],
      budgetsMs: kind === 'deadline' ? forAll(levels, budgets, DURATION_MS_MAX, 'the deadline') : [],
    },
    maxAgesMs: maxAges(levels, { ...policy.maxAgeMs, ...settings.maxAgesMs }),
  };
}

/** As lines of a configuration, which mean the same. */
export function policyLines(levels: readonly string[], { options, maxAgesMs }: ResolvedPolicy): string[] {
  const { kind, starvationBoundMs, weights, budgetsMs } = options;
  const listed = (values: readonly number[], unit: string) =>
    levels.flatMap((level, i) => (Number.isFinite(values[i]) ? [`${level} ${values[i]}${unit}`] : [])).join(', ');
  const own = {
    strict: `starvation_bound = ${starvationBoundMs === 0 ? 0 : `${starvationBoundMs}ms`}`,
    weighted: `weights = ${listed(weights, '')}`,
    deadline: `deadlines = ${listed(budgetsMs, 'ms')}`,
  };
  return [`policy = ${kind}`, own[kind], ...(maxAgesMs === null ? [] : [`max_age = ${listed(maxAgesMs, 'ms')}`])];
}

/** The same policy for native queues. */
export function policyWords({ kind, starvationBoundMs, weights, budgetsMs }: PolicyOptions): PolicyWords {
  return { kind, bound: stampsOfMs(starvationBoundMs), weights, budgets: budgetsMs.map(stampsOfMs) };
}
