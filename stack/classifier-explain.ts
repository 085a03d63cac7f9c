// Why a frame has its level: the rules read slowly and in words, without the compiled table.
// In: rules and the bytes of a frame. Out: the level, the rule that gave it, and what each test found.
// This is the reference that native/classify is compared with: it shares no code with the table's compiler.
import {
  type Condition,
  type Field,
  type FieldTest,
  formatTest,
  isNetwork,
  type NetworkTest,
  type Test,
} from './classifier-condition.js';
import { bytesOf, locate, type Segment } from './classifier-locate.js';
import type { Rule } from './classifier-rule.js';
import { type ClassifierOptions, checkLevels, levelIndex, otherwiseOf } from './classifier-table.js';
import { formatIpv4 } from './config/address.js';
import { formatIpv6, ipv6Bytes } from './config/ipv6.js';
import { loadNative } from './native.js';

export interface ExplainedTest {
  readonly text: string;
  /** Value of the field, or the address; undefined when the frame has no such field. Of a filter: accepted or refused. */
  readonly found: number | string | undefined;
  readonly holds: boolean;
}

export interface ExplainedRule {
  readonly text: string;
  readonly matches: boolean;
  /** One entry per alternative of the condition. */
  readonly alternatives: readonly (readonly ExplainedTest[])[];
}

export interface Explanation<Name extends string = string> {
  readonly level: Name;
  /** Index of the first rule that matches; undefined: the default, or a frame that is not TCP. */
  readonly rule: number | undefined;
  /** One sentence. */
  readonly why: string;
  readonly rules: readonly ExplainedRule[];
}

function readField(field: Field, segment: Segment): number | undefined {
  const bytes = Array.from(bytesOf(field.base, segment).subarray(field.offset, field.offset + field.width));
  if (bytes.length < field.width) return undefined;
  if (field.order === 'le') bytes.reverse();
  const value = bytes.reduce((sum, byte) => sum * 256 + byte, 0);
  return ((value & field.mask) >>> 0) >>> field.shift;
}

function holds({ comparison, values }: FieldTest, found: number | undefined): boolean {
  const [first = 0, last = 0] = values;
  if (found === undefined) return false;
  switch (comparison) {
    case 'is':
      return found === first;
    case 'not':
      return found !== first;
    case 'in':
      return found >= first && found <= last;
    case 'over':
      return found > first;
    case 'under':
      return found < first;
    case 'oneOf':
      return values.includes(found);
  }
}

function explainFieldTest(test: FieldTest, segment: Segment): ExplainedTest {
  const found = readField(test.field, segment);
  const whole = isNetwork(test.field) ? readField({ ...test.field, mask: 0xffffffff }, segment) : undefined;
  return {
    text: formatTest(test),
    found: whole === undefined ? found : formatIpv4(whole),
    holds: holds(test, found),
  };
}

/** Compared bit by bit, as text. */
function explainNetworkTest(test: NetworkTest, segment: Segment): ExplainedTest {
  const bytes = bytesOf(test.base, segment).subarray(test.offset, test.offset + 16);
  const text = formatTest(test);
  if (bytes.length < 16) return { text, found: undefined, holds: false };
  const bits = (address: Uint8Array) =>
    Array.from(address, (byte) => byte.toString(2).padStart(8, '0'))
      .join('')
      .slice(0, test.length);
  const inside = bits(bytes) === bits(ipv6Bytes(test.network));
  return { text, found: formatIpv6(bytes), holds: inside !== test.negated };
}

function explainTest(test: Test, segment: Segment): ExplainedTest {
  if (test.kind === 'field') return explainFieldTest(test, segment);
  if (test.kind === 'network') return explainNetworkTest(test, segment);
  const accepted = loadNative().filterFrame(test.expression, segment.frame);
  return { text: formatTest(test), found: accepted ? 'accepted' : 'refused', holds: accepted };
}

function explainRule(rule: Rule, segment: Segment): ExplainedRule {
  const alternatives = rule.condition.alternatives.map((tests) => tests.map((test) => explainTest(test, segment)));
  const matches = alternatives.some((tests) => tests.every((test) => test.holds));
  return { text: formatRule(rule), matches, alternatives };
}

/** As a config line has it. */
export function formatRule({ condition, level }: { readonly condition: Condition; readonly level: string }): string {
  return `${condition} -> ${level}`;
}

function whyRule(index: number, rule: ExplainedRule): string {
  const tests = rule.alternatives.find((alternative) => alternative.every((test) => test.holds)) ?? [];
  return `rule ${index} matches: ${tests.map(({ text, found }) => `${text} (found ${found})`).join(', ')}`;
}

/** Which rule gives this frame its level, and why. */
export function explain<Name extends string>(
  rules: readonly Rule<NoInfer<Name>>[],
  levels: readonly Name[],
  frame: Uint8Array,
  options: ClassifierOptions<NoInfer<Name>> = {},
): Explanation<Name> {
  checkLevels(levels);
  for (const rule of rules) levelIndex(rule.level, levels);
  const segment = locate(frame, options.payloadAt);
  if (segment === undefined) {
    return { level: levels[0] as Name, rule: undefined, why: 'not a TCP segment: control goes first', rules: [] };
  }
  const explained = rules.map((rule) => explainRule(rule, segment));
  const first = explained.findIndex((rule) => rule.matches);
  const matched = explained[first];
  return matched === undefined
    ? { level: levels[otherwiseOf(levels, options)] as Name, rule: undefined, why: 'no rule matches', rules: explained }
    : { level: (rules[first] as Rule<Name>).level, rule: first, why: whyRule(first, matched), rules: explained };
}
