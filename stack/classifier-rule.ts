// Rule: a condition and the level of the frames that meet it. The level's name is part of its type.
import type { Condition } from './classifier-condition.js';

export interface Rule<Name extends string = string> {
  readonly level: Name;
  readonly condition: Condition;
}

/** For declarations that take `levels` and `classify` together: rules may name those levels only. */
export type RulesFor<Levels extends readonly string[]> = readonly Rule<NoInfer<Levels[number]>>[];

/** `level('alarm').when(payload(2).u8().is(1))` */
export function level<const Name extends string>(name: Name): { when(condition: Condition): Rule<Name> } {
  return { when: (condition) => ({ level: name, condition }) };
}
