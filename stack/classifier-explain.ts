// Why a frame has its level: the rules read slowly and in words, without the compiled table.
// In: rules and the bytes of a frame. Out: the level, the rule that gave it, and what each test found.
// This is the reference that native/classify is compared with: it shares no code with the table's compiler.
import { type Base, type Condition, type Field, formatTest, type Test } from './classifier-condition.js';
import type { Rule } from './classifier-rule.js';
import { type ClassifierOptions, checkLevels, levelIndex, otherwiseOf } from './classifier-table.js';

export interface ExplainedTest {
  readonly text: string;
  /** Value of the field; undefined when the frame is too short to have it. */
  readonly found: number | undefined;
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

interface Segment {
  /** Up to the end of the IP packet: what lies behind is padding. */
  readonly frame: Uint8Array;
  readonly start: Readonly<Record<Exclude<Base, 'length'>, number>>;
}

const ETHERNET = 14;

/** Where the headers of a frame lie; undefined when it is no unfragmented TCP over IPv4. */
function locate(frame: Uint8Array, payloadAt: number | undefined): Segment | undefined {
  const u16 = (at: number) => ((frame[at] ?? 0) << 8) | (frame[at + 1] ?? 0);
  const version = frame[ETHERNET] ?? 0;
  const ipHeader = (version & 15) * 4;
  const tcp = ETHERNET + ipHeader;
  const total = u16(ETHERNET + 2);
  const end = Math.min(ETHERNET + total, frame.length);
  if (frame.length < ETHERNET + 20 || u16(12) !== 0x0800 || version >> 4 !== 4 || frame[ETHERNET + 9] !== 6) return;
  if ((u16(ETHERNET + 6) & 0x3fff) !== 0 || ipHeader < 20 || total < ipHeader + 20 || end < tcp + 20) return;
  const parsed = Math.min(tcp + Math.max(((frame[tcp + 12] ?? 0) >> 4) * 4, 20), end);
  const payload = payloadAt === undefined ? parsed : tcp + payloadAt;
  return { frame: frame.subarray(0, end), start: { frame: 0, ip: ETHERNET, tcp, payload } };
}

function readField(field: Field, segment: Segment): number | undefined {
  if (field.base === 'length') return segment.frame.length;
  const from = segment.start[field.base] + field.offset;
  if (from + field.width > segment.frame.length) return undefined;
  const bytes = Array.from(segment.frame.subarray(from, from + field.width));
  if (field.order === 'le') bytes.reverse();
  const value = bytes.reduce((sum, byte) => sum * 256 + byte, 0);
  return ((value & field.mask) >>> 0) >>> field.shift;
}

function holds({ comparison, values }: Test, found: number | undefined): boolean {
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

function explainTest(test: Test, segment: Segment): ExplainedTest {
  const found = readField(test.field, segment);
  return { text: formatTest(test), found, holds: holds(test, found) };
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
