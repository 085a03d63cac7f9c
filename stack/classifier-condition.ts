// What a classifier rule says: fields of a frame, comparisons, and conditions made of them.
// In: builder calls (`payload(5).u8().is(1)`). Out: a Condition: alternatives (or) of tests (and), checked on the way, so
// that a test which no value could ever pass or fail is refused where it is written.
// Invariant: offsets never leave the largest frame; a test beyond the frame's end is false, `not` included.
import { formatIpv4 } from './config/address.js';
import { QstackError } from './errors.js';

export const OFFSET_MAX = 9216;
export const LIST_MAX = 16;
export const TESTS_PER_RULE_MAX = 16;
export const ALTERNATIVES_MAX = 256;

/** `ip4` and `ip6` are the IP header of that version; `vlan` is the tag, `dscp` one byte of either version. */
export type Base = 'frame' | 'ip' | 'ip4' | 'ip6' | 'tcp' | 'payload' | 'length' | 'vlan' | 'dscp';
export type Width = 1 | 2 | 4;
export type Comparison = 'is' | 'not' | 'in' | 'over' | 'under' | 'oneOf';

/** Bytes of a frame read as one number: `(bytes & mask) >>> shift`. */
export interface Field {
  readonly base: Base;
  readonly offset: number;
  readonly width: Width;
  readonly order: 'be' | 'le';
  readonly mask: number;
  readonly shift: number;
  /** How a config line names it; the others are `base[offset:width]`. */
  readonly name?: string;
}

/** `in` has two values (both ends belong to the range), `oneOf` 1 to 16, all others one. */
export interface FieldTest {
  readonly kind: 'field';
  readonly field: Field;
  readonly comparison: Comparison;
  readonly values: readonly number[];
}

/** An IPv6 address belongs to a network, or does not. */
export interface NetworkTest {
  readonly kind: 'network';
  readonly name: string;
  readonly base: Base;
  readonly offset: number;
  /** Canonical text of its first address. */
  readonly network: string;
  readonly length: number;
  readonly negated: boolean;
}

/** A pcap-filter expression accepts the frame. */
export interface FilterTest {
  readonly kind: 'filter';
  readonly expression: string;
}

export type Test = FieldTest | NetworkTest | FilterTest;

export function invalid(sentence: string): QstackError {
  return new QstackError('QST_ERR_CLASSIFIER_INVALID', sentence);
}

export function fullMask(width: Width): number {
  return 2 ** (8 * width) - 1;
}

/** Largest value that the field can have. */
export function fieldMax(field: Field): number {
  return field.mask >>> field.shift;
}

export function hex(value: number): string {
  return `0x${value.toString(16).padStart(2, '0')}`;
}

/** As a config line has it. */
export function formatField(field: Field): string {
  if (field.name !== undefined) return field.name;
  const size = field.order === 'le' ? `:${field.width}:le` : field.width === 1 ? '' : `:${field.width}`;
  const mask = field.mask === fullMask(field.width) ? '' : ` & ${hex(field.mask)}`;
  return `${field.base}[${field.offset}${size}]${mask}`;
}

/** An IPv4 network is a field with a mask. */
export function isNetwork(field: Field): boolean {
  return field.name?.endsWith('net') ?? false;
}

function prefixLength(mask: number): number {
  return 32 - Math.log2(2 ** 32 - mask);
}

export function formatTest(test: Test): string {
  if (test.kind === 'filter') return `pcap "${test.expression}"`;
  if (test.kind === 'network') return `${test.name} ${test.negated ? '!= ' : ''}${test.network}/${test.length}`;
  return formatFieldTest(test);
}

function formatFieldTest({ field, comparison, values }: FieldTest): string {
  const name = formatField(field);
  const [first = 0, last = 0] = values;
  if (isNetwork(field)) {
    return `${name} ${comparison === 'not' ? '!= ' : ''}${formatIpv4(first)}/${prefixLength(field.mask)}`;
  }
  switch (comparison) {
    case 'in':
      return `${name} in ${first}..${last}`;
    case 'oneOf':
      return `${name} in {${values.join(', ')}}`;
    default:
      return `${name} ${{ is: '==', not: '!=', over: '>', under: '<' }[comparison]} ${first}`;
  }
}

/** What must be true of a frame. Immutable; built by fields, `and` and `or`. */
export class Condition {
  /** One of these must hold; within one, every test. */
  readonly alternatives: readonly (readonly Test[])[];

  constructor(alternatives: readonly (readonly Test[])[]) {
    if (alternatives.length > ALTERNATIVES_MAX) {
      throw invalid(
        `a condition becomes ${alternatives.length} alternatives; at most ${ALTERNATIVES_MAX} are possible`,
      );
    }
    const longest = Math.max(...alternatives.map((tests) => tests.length));
    if (longest > TESTS_PER_RULE_MAX) {
      throw invalid(`${longest} tests are joined by "and"; at most ${TESTS_PER_RULE_MAX} are possible`);
    }
    this.alternatives = alternatives;
  }

  and(...others: readonly Condition[]): Condition {
    return others.reduce<Condition>(
      (all, other) =>
        new Condition(all.alternatives.flatMap((left) => other.alternatives.map((right) => [...left, ...right]))),
      this,
    );
  }

  or(...others: readonly Condition[]): Condition {
    return new Condition([this, ...others].flatMap((condition) => condition.alternatives));
  }

  /** As a config line has it. */
  toString(): string {
    return this.alternatives.map((tests) => tests.map(formatTest).join(' and ')).join(' or ');
  }
}

function checkValue(field: Field, value: number, low: number, high: number): void {
  if (Number.isInteger(value) && value >= low && value <= high) return;
  throw invalid(`${formatField(field)} is compared with ${value}; accepted are whole numbers from ${low} to ${high}`);
}

function checkExact(field: Field, value: number): void {
  checkValue(field, value, 0, fieldMax(field));
  const lost = ((value << field.shift) & ~field.mask) >>> 0;
  if (lost !== 0) throw invalid(`${formatField(field)} can never be ${hex(value)}: the mask removes ${hex(lost)}`);
}

/** Checks a comparison and makes the condition of it. Throws QST_ERR_CLASSIFIER_INVALID with the accepted range. */
export function test(field: Field, comparison: Comparison, values: readonly number[]): Condition {
  const max = fieldMax(field);
  const [first = Number.NaN, last = Number.NaN] = values;
  if (comparison === 'over') checkValue(field, first, 0, max - 1);
  else if (comparison === 'under') checkValue(field, first, 1, max);
  else if (comparison === 'in') {
    checkValue(field, first, 0, max);
    checkValue(field, last, first, max);
  } else {
    if (values.length < 1 || values.length > LIST_MAX) {
      throw invalid(`${formatField(field)} is compared with a list of ${values.length}; accepted are 1 to ${LIST_MAX}`);
    }
    for (const value of values) checkExact(field, value);
  }
  return new Condition([[{ kind: 'field', field, comparison, values: [...values] }]]);
}

/** A number read from each frame, waiting to be compared. */
export class NumberField {
  readonly field: Field;

  constructor(field: Field) {
    this.field = field;
  }

  is(value: number): Condition {
    return test(this.field, 'is', [value]);
  }

  /** False, too, when the frame is too short to have this field. */
  not(value: number): Condition {
    return test(this.field, 'not', [value]);
  }

  /** Both ends belong to the range. */
  in(low: number, high: number): Condition {
    return test(this.field, 'in', [low, high]);
  }

  over(value: number): Condition {
    return test(this.field, 'over', [value]);
  }

  under(value: number): Condition {
    return test(this.field, 'under', [value]);
  }

  /** 1 to 16 values. */
  oneOf(values: readonly number[]): Condition {
    return test(this.field, 'oneOf', values);
  }
}

/** Bytes of a header or payload: network order unless `le()` says otherwise. */
export class ByteField extends NumberField {
  /** The least significant byte comes first. */
  le(): ByteField {
    if (this.field.width === 1) throw invalid('le() says the order of bytes; it needs u16() or u32()');
    return new ByteField({ ...this.field, order: 'le' });
  }

  /** Compares `value & mask`. */
  mask(mask: number): ByteField {
    const max = fullMask(this.field.width);
    if (!Number.isInteger(mask) || mask < 1 || mask > max) {
      throw invalid(`the mask ${mask} does not fit ${formatField(this.field)}; accepted are ${hex(1)} to ${hex(max)}`);
    }
    return new ByteField({ ...this.field, mask });
  }
}

/** A place in a frame; how many bytes are read there is said next. */
export class Place {
  private readonly base: Base;
  private readonly offset: number;

  constructor(base: Base, offset: number) {
    if (!Number.isInteger(offset) || offset < 0 || offset > OFFSET_MAX) {
      throw invalid(`the ${base} offset ${offset} is no place in a frame; accepted are 0 to ${OFFSET_MAX}`);
    }
    this.base = base;
    this.offset = offset;
  }

  u8(): ByteField {
    return this.bytes(1);
  }

  u16(): ByteField {
    return this.bytes(2);
  }

  u32(): ByteField {
    return this.bytes(4);
  }

  private bytes(width: Width): ByteField {
    return new ByteField({ base: this.base, offset: this.offset, width, order: 'be', mask: fullMask(width), shift: 0 });
  }
}
