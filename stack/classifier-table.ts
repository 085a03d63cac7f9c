// Rules as the byte table that native/classify evaluates: native/classify/rule_table.hh draws it.
// In: rules with level names, the levels, highest first. Out: bytes; the same rules always give the same bytes.
// Every comparison becomes one of four: the masked bytes lie in [low, low + span], or in a list, or 16 bytes in a network, or
// a filter accepts the frame; or the negation of it.
import { type FieldTest, fieldMax, invalid, type NetworkTest, type Test } from './classifier-condition.js';
import type { Rule } from './classifier-rule.js';
import { ipv6Number } from './config/ipv6.js';

export const LEVELS_MAX = 8;
const RULES_MAX = 1024;
const PAYLOAD_AT_MAX = 1500;
const MAGIC = 0x4c435351;
const VERSION = 2;
const HEADER_BYTES = 20;
const RULE_BYTES = 4;
const CONDITION_BYTES = 20;
const PAYLOAD_AT = 1;
const LITTLE_ENDIAN = 1;
const NOT = 2;
const LIST = 4;
const NETWORK_WIDTH = 16;
const BASES = { frame: 0, ip: 1, tcp: 2, payload: 3, length: 4, ip4: 5, ip6: 6, vlan: 7, dscp: 8 };
const FILTER = 9;

export interface ClassifierOptions<Name extends string = string> {
  /** Level of a frame that no rule matches; absent: the lowest. */
  readonly otherwise?: Name;
  /** The payload starts this many bytes behind the start of the TCP header, whatever its options are (QStack's `-i`). */
  readonly payloadAt?: number;
}

/** A rule with one conjunction, as the table has it. */
export interface FlatRule {
  readonly level: number;
  readonly tests: readonly Test[];
  /** Which of the given rules it comes from. */
  readonly source: number;
}

export function levelIndex(name: string, levels: readonly string[]): number {
  const index = levels.indexOf(name);
  if (index < 0) throw invalid(`"${name}" is no level; accepted are ${levels.join(', ')}`);
  return index;
}

export function checkLevels(levels: readonly string[]): void {
  const right = levels.length >= 1 && levels.length <= LEVELS_MAX && new Set(levels).size === levels.length;
  if (!right) throw invalid(`the levels are ${levels.join(', ')}; accepted are 1 to ${LEVELS_MAX} different names`);
}

export function flatten(rules: readonly Rule[], levels: readonly string[]): FlatRule[] {
  return rules.flatMap(({ level, condition }, source) =>
    condition.alternatives.map((tests) => ({ level: levelIndex(level, levels), tests, source })),
  );
}

export function otherwiseOf(levels: readonly string[], { otherwise }: ClassifierOptions): number {
  return otherwise === undefined ? levels.length - 1 : levelIndex(otherwise, levels);
}

/** Low end and length of the values that pass, in bits of the field as it lies in the frame. */
function range({ field, comparison, values }: FieldTest): [low: number, span: number] {
  const [first = 0, last = 0] = values;
  const unit = 2 ** field.shift;
  switch (comparison) {
    case 'in':
      return [first * unit, (last - first) * unit];
    case 'over':
      return [(first + 1) * unit, (fieldMax(field) - first - 1) * unit];
    case 'under':
      return [0, (first - 1) * unit];
    default:
      return [first * unit, 0];
  }
}

function flagsOf({ field, comparison }: FieldTest): number {
  const order = field.order === 'le' ? LITTLE_ENDIAN : 0;
  return order | (comparison === 'not' ? NOT : 0) | (comparison === 'oneOf' ? LIST : 0);
}

/** What conditions point to. */
class Appendix {
  readonly words: number[] = [];
  text = '';
}

/** Address and mask of a network, four words each, the first bits first. */
function networkWords({ network, length }: NetworkTest): number[] {
  const words = (bits: bigint) => [96n, 64n, 32n, 0n].map((shift) => Number((bits >> shift) & 0xffffffffn));
  const mask = (1n << 128n) - (1n << BigInt(128 - length));
  return [...words(ipv6Number(network)), ...words(mask)];
}

function writeTest(view: DataView, at: number, test: Test, rest: Appendix): void {
  if (test.kind === 'field') return writeFieldTest(view, at, test, rest);
  if (test.kind === 'filter') {
    view.setUint8(at, FILTER);
    view.setUint32(at + 12, rest.text.length, true);
    view.setUint32(at + 16, test.expression.length, true);
    rest.text += test.expression;
    return;
  }
  view.setUint8(at, BASES[test.base]);
  view.setUint8(at + 1, NETWORK_WIDTH);
  view.setUint8(at + 2, test.negated ? NOT : 0);
  view.setUint16(at + 4, test.offset, true);
  view.setUint32(at + 12, rest.words.length, true);
  rest.words.push(...networkWords(test));
}

function writeFieldTest(view: DataView, at: number, test: FieldTest, rest: Appendix): void {
  const { field } = test;
  const list = test.comparison === 'oneOf';
  const [low, span] = list ? [rest.words.length, 0] : range(test);
  if (list) rest.words.push(...test.values.map((value) => value * 2 ** field.shift));
  view.setUint8(at, BASES[field.base]);
  view.setUint8(at + 1, field.width);
  view.setUint8(at + 2, flagsOf(test));
  view.setUint8(at + 3, list ? test.values.length : 0);
  view.setUint16(at + 4, field.offset, true);
  view.setUint32(at + 8, field.mask, true);
  view.setUint32(at + 12, low, true);
  view.setUint32(at + 16, span, true);
}

function checkPayloadAt(payloadAt: number | undefined): void {
  if (payloadAt === undefined) return;
  if (!Number.isInteger(payloadAt) || payloadAt < 0 || payloadAt > PAYLOAD_AT_MAX) {
    throw invalid(`payloadAt is ${payloadAt}; accepted are whole numbers from 0 to ${PAYLOAD_AT_MAX}`);
  }
}

/** Throws QST_ERR_CLASSIFIER_INVALID with the accepted range. */
export function compile<Name extends string>(
  rules: readonly Rule<NoInfer<Name>>[],
  levels: readonly Name[],
  options: ClassifierOptions<NoInfer<Name>> = {},
): Uint8Array<ArrayBuffer> {
  checkLevels(levels);
  checkPayloadAt(options.payloadAt);
  const flat = flatten(rules, levels);
  if (flat.length > RULES_MAX)
    throw invalid(`${flat.length} rules; at most ${RULES_MAX} are possible, each "or" is one`);
  const tests = flat.flatMap((rule) => rule.tests);
  const rest = new Appendix();
  const conditions = new DataView(new ArrayBuffer(tests.length * CONDITION_BYTES));
  tests.forEach((test, index) => {
    writeTest(conditions, index * CONDITION_BYTES, test, rest);
  });
  const testsAt = HEADER_BYTES + flat.length * RULE_BYTES;
  const wordsAt = testsAt + conditions.byteLength;
  const textAt = wordsAt + 4 * rest.words.length;
  const table = new Uint8Array(textAt + rest.text.length);
  const view = new DataView(table.buffer);
  const { payloadAt } = options;

  view.setUint32(0, MAGIC, true);
  view.setUint8(4, VERSION);
  view.setUint8(5, levels.length);
  view.setUint8(6, otherwiseOf(levels, options));
  view.setUint8(7, payloadAt === undefined ? 0 : PAYLOAD_AT);
  view.setUint16(8, flat.length, true);
  view.setUint16(10, tests.length, true);
  view.setUint16(12, rest.words.length, true);
  view.setUint16(14, payloadAt ?? 0, true);
  view.setUint32(16, rest.text.length, true);
  flat.forEach((rule, index) => {
    view.setUint8(HEADER_BYTES + index * RULE_BYTES, rule.level);
    view.setUint8(HEADER_BYTES + index * RULE_BYTES + 1, rule.tests.length);
  });
  table.set(new Uint8Array(conditions.buffer), testsAt);
  rest.words.forEach((value, index) => {
    view.setUint32(wordsAt + 4 * index, value, true);
  });
  table.set(Buffer.from(rest.text, 'latin1'), textAt);
  return table;
}
