// TypeScript and native code agree: tables compiled here are judged there, on random frames, against the slow reference.
import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { type Condition, compile, explain, level, parseRule, type Rule } from '../../stack/classifier.js';
import { loadNative } from '../../stack/native.js';
import { cases } from '../cases.js';
import { segment } from './classifier-frames.js';

const LEVELS = ['l0', 'l1', 'l2', 'l3'] as const;
/** Judged by each set of rules. */
const FRAMES = 20;
const native = loadNative();
const agreement = suite('classifier, native');

const conditions: fc.Arbitrary<Condition> = fc
  .tuple(
    fc.constantFrom(
      'payload[0]',
      'payload[1:2]',
      'payload[0:4:le] & 0xffff',
      'payload[3] & 0x0f',
      'payload[9:4]',
      'tcp[13]',
      'ip[8:2]',
      'frame[12:2]',
      'length',
      'dscp',
      'src port',
      'dst port',
    ),
    fc.constantFrom('==', '!=', '<', '>', '<=', '>=', 'in', 'list'),
    fc.array(fc.nat(12), { minLength: 2, maxLength: 5 }),
  )
  .map(([field, comparison, numbers]) => {
    const [a = 0, b = 0] = numbers;
    const right =
      comparison === 'in'
        ? `in ${Math.min(a, b)}..${Math.max(a, b)}`
        : comparison === 'list'
          ? `in {${numbers.join(', ')}}`
          : `${comparison} ${comparison === '<' ? a + 1 : a}`;
    return parseRule(`${field} ${right} -> l0`).condition;
  });

const networks = fc
  .tuple(fc.nat(255), fc.integer({ min: 1, max: 32 }), fc.boolean())
  .map(([byte, bits, not]) => parseRule(`src net ${not ? '!= ' : ''}10.0.0.${byte}/${bits} -> l0`).condition);

const rules: fc.Arbitrary<Rule<(typeof LEVELS)[number]>[]> = fc.array(
  fc
    .tuple(
      fc.constantFrom(...LEVELS),
      fc.array(fc.oneof({ weight: 6, arbitrary: conditions }, { weight: 1, arbitrary: networks }), {
        minLength: 1,
        maxLength: 3,
      }),
      fc.boolean(),
    )
    .map(([name, [first, ...rest], any]) =>
      level(name).when(any ? (first as Condition).or(...rest) : (first as Condition).and(...rest)),
    ),
  { maxLength: 8 },
);

const frames: fc.Arbitrary<Uint8Array> = fc
  .record({
    payload: fc.array(fc.nat(12), { maxLength: 24 }),
    ipOptions: fc.constantFrom(0, 0, 4, 40),
    tcpOptions: fc.constantFrom(0, 12, 12, 40),
    dscp: fc.nat(12),
    source: fc.tuple(fc.constant(10), fc.constant(0), fc.nat(1), fc.nat(255)),
    sourcePort: fc.nat(12),
    destinationPort: fc.nat(12),
    flip: fc.option(fc.tuple(fc.nat(70), fc.nat(255)), { freq: 4 }),
    cut: fc.option(fc.nat(80), { freq: 4 }),
    padding: fc.nat(4),
  })
  .map(({ flip, cut, padding, ...parts }) => {
    const bytes = segment(parts);
    if (flip !== null && flip[0] < bytes.length) bytes[flip[0]] = flip[1];
    const shown = cut === null ? bytes : bytes.slice(0, cut);
    return Uint8Array.from([...shown, ...new Array(padding).fill(3)]);
  });

agreement('every frame has the level that the slow reference gives it', () => {
  let judged = 0;
  fc.assert(
    fc.property(
      rules,
      fc.array(frames, { minLength: FRAMES, maxLength: FRAMES }),
      fc.constantFrom(...LEVELS),
      fc.option(fc.integer({ min: 20, max: 40 }), { freq: 3 }),
      (all, shown, otherwise, payloadAt) => {
        const options = payloadAt === null ? { otherwise } : { otherwise, payloadAt };
        const table = compile(all, LEVELS, options);
        for (const bytes of shown) {
          const name = LEVELS[native.classifyFrame(table, bytes)];
          assert.is(name, explain(all, LEVELS, bytes, options).level);
          judged++;
        }
      },
    ),
    { numRuns: cases(30_000) / FRAMES },
  );
  assert.ok(judged >= cases(30_000));
});

agreement('a table that is no table is refused by a sentence', () => {
  assert.throws(() => native.classifyFrame(new Uint8Array(16), segment()), /not a classifier table/);
});

agreement.run();
