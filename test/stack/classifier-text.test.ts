// Rules as config lines: every condition survives being written and read again, and faults name their column.
import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import {
  type ByteField,
  type Condition,
  compile,
  destinationPort,
  dscp,
  etherType,
  explain,
  formatRule,
  frame,
  frameLength,
  ip,
  ip4,
  ip6,
  level,
  NumberField,
  parseCondition,
  parseRule,
  payload,
  pcap,
  ruleFault,
  sourceAddress,
  sourcePort,
  tcp,
  tcpFlags,
  vlanId,
  vlanPriority,
} from '../../stack/classifier.js';
import { cases } from '../cases.js';
import { segment } from './classifier-frames.js';

const LEVELS = ['high', 'low'] as const;
const text = suite('classifier text');

const places = { payload, tcp, ip, ip4, ip6, frame };

const byteFields: fc.Arbitrary<ByteField> = fc
  .record({
    base: fc.constantFrom('payload', 'tcp', 'ip', 'ip4', 'ip6', 'frame'),
    offset: fc.oneof(fc.nat(64), fc.nat(9216)),
    width: fc.constantFrom('u8', 'u16', 'u32'),
    le: fc.boolean(),
    mask: fc.option(fc.integer({ min: 1, max: 0xffffffff })),
  })
  .map(({ base, offset, width, le, mask }) => {
    const field = places[base as keyof typeof places](offset)[width as 'u8']();
    const max = 2 ** (8 * field.field.width) - 1;
    const ordered = le && width !== 'u8' ? field.le() : field;
    return mask === null ? ordered : ordered.mask(1 + ((mask - 1) % max));
  });

const fields: fc.Arbitrary<NumberField> = fc.oneof(
  { weight: 4, arbitrary: byteFields },
  {
    weight: 1,
    arbitrary: fc.constantFrom<NumberField>(
      frameLength,
      sourcePort,
      destinationPort,
      dscp,
      etherType,
      vlanId,
      vlanPriority,
      tcpFlags,
      tcpFlags.mask(0x12),
    ),
  },
);

/** A condition that this field can have, from arbitrary numbers. */
function compared(field: NumberField, how: string, numbers: readonly number[]): Condition {
  const { mask, shift } = field.field;
  const max = mask >>> shift;
  const exact = numbers.map((number) => ((number & mask) >>> 0) >>> shift);
  const [a = 0, b = 0] = numbers.map((number) => number % (max + 1));
  switch (how) {
    case 'is':
      return field.is(exact[0] ?? 0);
    case 'not':
      return field.not(exact[0] ?? 0);
    case 'in':
      return field.in(Math.min(a, b), Math.max(a, b));
    case 'over':
      return field.over(a % max);
    case 'under':
      return field.under(1 + (a % max));
    default:
      return field.oneOf(exact);
  }
}

const tests: fc.Arbitrary<Condition> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc
      .tuple(
        fields,
        fc.constantFrom('is', 'not', 'in', 'over', 'under', 'oneOf'),
        fc.array(fc.oneof(fc.nat(9), fc.integer({ min: 0, max: 0xffffffff })), { minLength: 2, maxLength: 16 }),
      )
      .map(([field, how, numbers]) => compared(field, how, numbers)),
  },
  {
    weight: 1,
    arbitrary: fc
      .tuple(fc.array(fc.nat(0xffff), { minLength: 8, maxLength: 8 }), fc.integer({ min: 1, max: 128 }), fc.boolean())
      .map(([groups, bits, negated]) => {
        const prefix = `${groups.map((group) => (group % 3 === 0 ? 0 : group).toString(16)).join(':')}/${bits}`;
        return negated ? sourceAddress.notIn(prefix) : sourceAddress.in(prefix);
      }),
  },
  {
    weight: 1,
    arbitrary: fc.constantFrom('tcp[37] = 1 and greater 81', 'ip or ip6').map((text) => pcap(text)),
  },
  {
    weight: 1,
    arbitrary: fc
      .tuple(fc.nat(0xffffffff), fc.integer({ min: 1, max: 32 }), fc.boolean())
      .map(([address, bits, negated]) => {
        const prefix = `${[24, 16, 8, 0].map((shift) => (address >>> shift) & 255).join('.')}/${bits}`;
        return negated ? sourceAddress.notIn(prefix) : sourceAddress.in(prefix);
      }),
  },
);

const conditions: fc.Arbitrary<Condition> = fc
  .array(fc.array(tests, { minLength: 1, maxLength: 4 }), { minLength: 1, maxLength: 3 })
  .map((groups) =>
    groups
      .map((group) => group.reduce((all, next) => all.and(next)))
      .reduce((all, next, index) => (index % 2 === 0 ? all.or(next) : all.and(next))),
  );

text('a condition that is written and parsed again has the same table and the same text', () => {
  fc.assert(
    fc.property(conditions, fc.constantFrom(...LEVELS), (condition, name) => {
      const rule = level(name).when(condition);
      const line = formatRule(rule);
      const parsed = parseRule(line, LEVELS);
      assert.is(formatRule(parsed), line);
      assert.equal(compile([parsed], LEVELS), compile([rule], LEVELS));
    }),
    { numRuns: cases(2_000) },
  );
});

text('any text is either a rule or refused with a column, never anything else', () => {
  const words = ['payload', '[', ']', '5', ':', '2', '==', '1', 'and', 'or', '(', ')', '->', 'high', 'in', '{', '}'];
  const lines = fc.oneof(
    fc.string(),
    fc.array(fc.constantFrom(...words, '..', 'src', 'port', '0x1g')).map((all) => all.join(' ')),
    // A rule with one place of it changed.
    fc.tuple(conditions, fc.nat(), fc.nat(3), fc.string({ maxLength: 2 })).map(([condition, at, gone, put]) => {
      const line = `${condition} -> high`;
      const place = at % line.length;
      return line.slice(0, place) + put + line.slice(place + gone);
    }),
  );
  fc.assert(
    fc.property(lines, (line) => {
      const fault = ruleFault(line, LEVELS);
      if (fault !== undefined) assert.match(fault, /^column \d+: /);
    }),
    { numRuns: cases(5_000) },
  );
});

text("QStack's rule reads as it does in the documentation", () => {
  const rule = parseRule('payload[5] == 0x01 and length > 80 -> high', LEVELS);
  assert.is(formatRule(rule), 'payload[5] == 1 and length > 80 -> high');
  const request = new Uint8Array(40);
  request[5] = 1;
  assert.is(explain([rule], LEVELS, segment({ payload: request })).level, 'high');
});

text('every form of the grammar means what the builder says', () => {
  const same: [string, Condition][] = [
    ['payload[5] == 1', payload(5).u8().is(1)],
    ['payload[5:1]!=0b11', payload(5).u8().not(3)],
    ['tcp[2:2] in 80..90', tcp(2).u16().in(80, 90)],
    ['ip[12:4:le] & 0xff0000ff == 0x1000000a', ip(12).u32().le().mask(0xff0000ff).is(0x1000000a)],
    ['frame[0] in {1,2 , 3}', frame(0).u8().oneOf([1, 2, 3])],
    ['payload[0] <= 9', payload(0).u8().in(0, 9)],
    ['payload[0:2] >= 9', payload(0).u16().in(9, 65535)],
    ['payload[0] < 9', payload(0).u8().under(9)],
    ['dst port 80', destinationPort.is(80)],
    ['src port in {1, 2}', sourcePort.oneOf([1, 2])],
    ['src net 10.0.0.0/8', sourceAddress.in('10.0.0.0/8')],
    ['src net == 10.9.0.0/8', sourceAddress.in('10.0.0.0/8')],
    ['src net != 10.0.0.1', sourceAddress.notIn('10.0.0.1/32')],
    ['src net fd00:0::/8', sourceAddress.in('fd00::/8')],
    ['src net != FD00::1 and dst port 80', sourceAddress.notIn('fd00::1/128').and(destinationPort.is(80))],
    ['ip4[9] == 6 or ip6[6] == 6', ip4(9).u8().is(6).or(ip6(6).u8().is(6))],
    ['ether type 0x86dd', etherType.is(0x86dd)],
    ['vlan id in 5..9 and vlan pcp >= 5', vlanId.in(5, 9).and(vlanPriority.in(5, 7))],
    ['tcp flags & 0x12 == 0x02', tcpFlags.mask(0x12).is(2)],
    ['tcp flags has {syn, ack} and tcp flags lacks rst', tcpFlags.has('syn', 'ack').and(tcpFlags.lacks('rst'))],
    ['pcap "tcp[37] = 1 and greater 81"', pcap('tcp[37] = 1 and greater 81')],
    ['(pcap "ip or ip6") and dscp 1', pcap('ip or ip6').and(dscp.is(1))],
    ['dscp >= 40', new NumberField(dscp.field).in(40, 63)],
    [
      'length > 80 and (payload[0] == 1 or payload[0] == 2)',
      frameLength.over(80).and(payload(0).u8().is(1).or(payload(0).u8().is(2))),
    ],
    ['dscp 1 or dscp 2 and dscp 3', dscp.is(1).or(dscp.is(2).and(dscp.is(3)))],
    ['dscp 1 || dscp 2 && dscp 3', dscp.is(1).or(dscp.is(2).and(dscp.is(3)))],
  ];
  for (const [line, condition] of same) assert.is(String(parseCondition(line)), String(condition), line);
});

text('a fault names its column and what was expected there', () => {
  const faults: [string, string][] = [
    [
      '',
      'column 1: expected a field (payload[n], tcp[n], ip[n], ip4[n], ip6[n], frame[n], length, src port, dst port, src net, dst net, dscp, tcp flags, ether type, vlan id, vlan pcp) or pcap "…", found the end of the line',
    ],
    ['payload[5] = 1 -> high', 'column 12: expected a field, a number, a comparison or "->", found "="'],
    ['payload 5 == 1 -> high', 'column 9: expected "[", found "5"'],
    ['payload[x] == 1 -> high', 'column 9: expected an offset, found "x"'],
    ['payload[5:3] == 1 -> high', 'column 11: expected a width of 1, 2 or 4 bytes, found "3"'],
    ['payload[5:2:be] == 1 -> high', 'column 13: expected "le", found "be"'],
    ['payload[5] -> high', 'column 12: expected a comparison (== != < > <= >= in), found "->"'],
    ['payload[5] == -> high', 'column 15: expected a number, found "->"'],
    ['payload[5] == 1', 'column 16: expected "and", "or" or "->" and a level, found the end of the line'],
    ['payload[5] == 1 ->', 'column 19: expected a level (high, low), found the end of the line'],
    ['payload[5] == 1 -> hihg', 'column 20: expected a level (high, low), found "hihg"'],
    ['(payload[5] == 1 -> high', 'column 18: expected "and", "or" or ")", found "->"'],
    ['payload[5] in 1 -> high', 'column 17: expected "..", found "->"'],
    ['payload[5] in {1 2} -> high', 'column 18: expected "," or "}", found "2"'],
    ['src 80 -> high', 'column 5: expected "port" or "net", found "80"'],
    ['src net 10 -> high', 'column 9: expected a network a.b.c.d/p or IPv6/p, found "10"'],
    ['tcp flags has sin -> high', 'column 15: expected a flag (fin, syn, rst, psh, ack, urg, ece, cwr), found "sin"'],
    ['vlan 5 -> high', 'column 6: expected "id" or "pcp", found "5"'],
    ['pcap tcp -> high', 'column 6: expected a pcap-filter expression between quotation marks, found "tcp"'],
    [
      'dscp 1 and pcap "tcp[" -> high',
      'column 12: the pcap filter "tcp[" is refused by libpcap: can\'t parse filter expression: syntax error',
    ],
    [
      'src net fd00::/129 -> high',
      'column 1: "fd00::/129" is no network; accepted is an IPv6 address/p with p from 1 to 128',
    ],
    [
      'dscp 1 and payload[5] == 300 -> high',
      'column 12: payload[5] is compared with 300; accepted are whole numbers from 0 to 255',
    ],
    ['src net 10.0.0.0/40 -> high', 'column 1: "10.0.0.0/40" is no network; accepted is a.b.c.d/p with p from 1 to 32'],
  ];
  for (const [line, expected] of faults) assert.is(ruleFault(line, LEVELS), expected);
});

text('without known levels any name is taken, with white space around it removed', () => {
  assert.is(ruleFault('dscp 1 -> very high', undefined), undefined);
  assert.is(parseRule('dscp 1->  very high ').level, 'very high');
});

text.run();
