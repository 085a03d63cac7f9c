// serve(): what a program on the stack is, as one value: levels, rules, and a setup() that runs in every app thread.
// In: the options. Out: a ServeDefinition, which start() imports as a module's default export, and inline() takes as it is.
// The level names are literal types: a wrong one is a compile error wherever a level is named.
import type { App } from './app.js';
import { compile, flatten, parseRule, type Rule, type RulesFor } from './classifier.js';
import { QstackError } from './errors.js';
import type { Message } from './message.js';
import { type Policy, resolvePolicy } from './policy.js';

export interface ServeOptions<Levels extends readonly string[]> {
  /** 1 to 8 names, the highest first. */
  levels: Levels;
  /** Level of what no rule matches; default the lowest. */
  otherwise?: NoInfer<Levels[number]>;
  /** The first rule that matches decides. */
  classify?: RulesFor<Levels>;
  /** Which level goes next wherever levels wait; default strict. The configuration may say otherwise. */
  policy?: Policy<NoInfer<Levels[number]>>;
  setup(app: App<Levels[number]>): void | Promise<void>;
  /**
   * A handler threw. `message` is null where the code belonged to none, and released where it did. Without onError the
   * connection is reset.
   */
  onError?(error: unknown, message: Message<Levels[number]> | null): void;
}

const MARK = Symbol.for('qstack.serve');

export interface ServeDefinition<L extends string = string> {
  readonly [MARK]: true;
  readonly levels: readonly L[];
  readonly otherwise: L;
  readonly rules: readonly Rule<L>[];
  readonly policy: Policy | undefined;
  setup(app: App<L>): void | Promise<void>;
  readonly onError: ((error: unknown, message: Message<L> | null) => void) | undefined;
}

export function serve<const Levels extends readonly [string, ...string[]]>(
  options: ServeOptions<Levels>,
): ServeDefinition<Levels[number]> {
  type L = Levels[number];
  const levels: readonly L[] = options.levels;
  const definition: ServeDefinition<L> = {
    [MARK]: true,
    levels,
    otherwise: options.otherwise ?? (levels.at(-1) as L),
    rules: options.classify ?? [],
    policy: options.policy as Policy | undefined,
    setup: options.setup,
    onError: options.onError,
  };
  compileRules(definition, definition.rules);
  resolvePolicy(levels, definition.policy);
  return definition;
}

export function isServeDefinition(value: unknown): value is ServeDefinition {
  return typeof value === 'object' && value !== null && (value as Partial<ServeDefinition>)[MARK] === true;
}

export interface RuleSource {
  readonly levels: readonly string[];
  readonly otherwise: string;
  readonly rules: readonly Rule[];
}

export interface TableOptions {
  /** Rules of the configuration: they come before those of the module. */
  lines?: readonly string[];
  /** False: every frame has the level `otherwise`. */
  priorities?: boolean;
}

/** All rules in the order in which they are tried. Faults of lines are thrown as QST_ERR_CLASSIFIER_INVALID. */
export function rulesOf({ levels, rules }: RuleSource, options: TableOptions): Rule[] {
  if (options.priorities === false) return [];
  return [...(options.lines ?? []).map((line) => parseRule(line, levels)), ...rules];
}

/** The table for the native classifier; each entry of it comes from the rule whose number `sources` names. */
export function compileRules(
  { levels, otherwise }: RuleSource,
  rules: readonly Rule[],
  payloadAt = 0,
): { table: Uint8Array; sources: number[] } {
  const table = compile(rules, levels, { otherwise, ...(payloadAt > 0 ? { payloadAt } : {}) });
  return { table, sources: flatten(rules, levels).map(({ source }) => source) };
}

/** What a module must export, said with an example. */
export function notADefinition(what: string): QstackError {
  return new QstackError(
    'QST_ERR_HANDLER_NOT_A_MODULE',
    `${what}: app threads import your program, so it has to be a module: \`export default serve({ levels: ['normal'], ` +
      'setup(app) { app.listen({ port: 7000 }, (message) => message.reply(message)); } })` in server.js, and then ' +
      "`start(new URL('./server.js', import.meta.url), config)`. Functions themselves run with inline().",
  );
}
