// TypeScript and native code agree: tables compiled here are judged there, on random frames, against the slow reference.
import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { type Condition, compile, explain, level, parseRule, pcap, type Rule } from '../../stack/classifier.js';
import { loadNative } from '../../stack/native.js';
import { cases } from '../cases.js';
import { segment, segment6, tagged } from './classifier-frames.js';

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
      'tcp flags & 0x12',
      'ip[8:2]',
      'ip4[1]',
      'ip6[7]',
      'vlan id',
      'vlan pcp',
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
    const most = field === 'vlan pcp' ? 7 : 12;
    const [a = 0, b = 0] = numbers.map((number) => number % most);
    if (field.includes('0x12')) return parseRule(`${field} ${a % 2 ? '!=' : '=='} ${b % 2 ? 2 : 0x10} -> l0`).condition;
    const right =
      comparison === 'in'
        ? `in ${Math.min(a, b)}..${Math.max(a, b)}`
        : comparison === 'list'
          ? `in {${numbers.map((number) => number % most).join(', ')}}`
          : `${comparison} ${comparison === '<' ? a + 1 : a}`;
    return parseRule(`${field} ${right} -> l0`).condition;
  });

const networks = fc
  .tuple(fc.nat(255), fc.integer({ min: 1, max: 32 }), fc.boolean())
  .map(([byte, bits, not]) => parseRule(`src net ${not ? '!= ' : ''}10.0.0.${byte}/${bits} -> l0`).condition);

const networks6 = fc
  .tuple(fc.nat(12), fc.oneof(fc.integer({ min: 1, max: 128 }), fc.integer({ min: 120, max: 128 })), fc.boolean())
  .map(([byte, bits, not]) => parseRule(`src net ${not ? '!= ' : ''}fd00::${byte}/${bits} -> l0`).condition);

/** Few, because each is compiled for each frame that is explained. */
const filters = fc
  .constantFrom('tcp[13] & 2 != 0', 'ip6', 'greater 70', 'src net 10.0.0.0/24 and tcp port 80', 'ip[8] > ip[9]')
  .map((expression) => pcap(expression));

const rules: fc.Arbitrary<Rule<(typeof LEVELS)[number]>[]> = fc.array(
  fc
    .tuple(
      fc.constantFrom(...LEVELS),
      fc.array(
        fc.oneof(
          { weight: 18, arbitrary: conditions },
          { weight: 3, arbitrary: networks },
          { weight: 3, arbitrary: networks6 },
          { weight: 1, arbitrary: filters },
        ),
        { minLength: 1, maxLength: 3 },
      ),
      fc.boolean(),
    )
    .map(([name, [first, ...rest], any]) =>
      level(name).when(any ? (first as Condition).or(...rest) : (first as Condition).and(...rest)),
    ),
  { maxLength: 8 },
);

const frames: fc.Arbitrary<Uint8Array> = fc
  .record({
    family: fc.constantFrom(4, 4, 6),
    option: fc.constantFrom(undefined, undefined, 1, 0x1e, 0x3e, 0x5e),
    tag: fc.option(fc.tuple(fc.nat(12), fc.nat(7)), { freq: 3 }),
    flags: fc.nat(31),
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
  .map(({ flip, cut, padding, family, option, tag, ...parts }) => {
    const six = { payload: parts.payload, trafficClass: parts.dscp << 2, source: parts.source[3], flags: parts.flags };
    const plain = family === 4 ? segment(parts) : segment6(option === undefined ? six : { ...six, option });
    const bytes = tag === null ? plain : tagged(plain, ...tag);
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
