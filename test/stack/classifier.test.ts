// Rules in TypeScript: what can be said, what is refused, which table comes out, and how a frame's level is explained.
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import {
  type Condition,
  compile,
  destinationAddress,
  destinationPort,
  dscp,
  etherType,
  explain,
  frame,
  frameLength,
  iotRules,
  ip,
  ip4,
  ip6,
  level,
  payload,
  pcap,
  type Rule,
  type RulesFor,
  sourceAddress,
  sourcePort,
  tcp,
  tcpFlags,
  tcpPayload,
  vlanId,
  vlanPriority,
} from '../../stack/classifier.js';
import { QstackError } from '../../stack/errors.js';
import { segment, segment6, tagged } from './classifier-frames.js';

const LEVELS = ['high', 'low'] as const;
const classifier = suite('classifier');

function levelOf(condition: Condition, bytes: Uint8Array): string {
  return explain([level('high').when(condition)], LEVELS, bytes).level;
}

function refused(make: () => unknown): string {
  try {
    make();
  } catch (error) {
    assert.instance(error, QstackError);
    assert.is((error as QstackError).code, 'QST_ERR_CLASSIFIER_INVALID');
    return (error as QstackError).message;
  }
  return 'accepted';
}

classifier('the IoT preset puts requests of more than 80 bytes into the first level', () => {
  const rules = iotRules('high');
  const request = new Uint8Array(40);
  request[5] = 1;
  assert.is(explain(rules, LEVELS, segment({ payload: request })).level, 'high');
  assert.is(explain(rules, LEVELS, segment({ payload: request.subarray(0, 26) })).level, 'low');
  assert.is(explain(rules, LEVELS, segment({ payload: new Uint8Array(40) })).level, 'low');
  assert.is(String(rules[0]?.condition), 'payload[5] == 1 and length > 80');
});

classifier('fields are read where their header begins, whatever options come before', () => {
  for (const [ipOptions, tcpOptions] of [
    [0, 0],
    [8, 12],
    [40, 40],
  ] as const) {
    const bytes = segment({ ipOptions, tcpOptions, payload: [1, 2, 3, 4, 5], dscp: 46 });
    assert.is(levelOf(payload(1).u16().is(0x0203), bytes), 'high');
    assert.is(levelOf(tcpPayload(1).u16().le().is(0x0302), bytes), 'high');
    assert.is(levelOf(payload(0).u32().le().is(0x04030201), bytes), 'high');
    assert.is(levelOf(tcp(2).u16().is(80), bytes), 'high');
    assert.is(levelOf(ip(9).u8().is(6), bytes), 'high');
    assert.is(levelOf(frame(12).u16().is(0x0800), bytes), 'high');
    assert.is(levelOf(destinationPort.is(80).and(sourcePort.is(40000)), bytes), 'high');
    assert.is(levelOf(sourceAddress.in('10.0.0.0/8').and(destinationAddress.is('10.1.0.2')), bytes), 'high');
    assert.is(levelOf(sourceAddress.in('11.0.0.0/8'), bytes), 'low');
    assert.is(levelOf(sourceAddress.notIn('11.0.0.0/8'), bytes), 'high');
    assert.is(levelOf(dscp.is(46), bytes), 'high');
    assert.is(levelOf(dscp.over(45).and(dscp.under(47)), bytes), 'high');
    assert.is(levelOf(frameLength.is(bytes.length), bytes), 'high');
  }
});

classifier(
  'a VLAN tag is no part of the frame: offsets are those of an untagged one, and its fields have names',
  () => {
    const bytes = tagged(segment({ payload: [1, 2] }), 5, 6);
    assert.is(levelOf(vlanId.is(5).and(vlanPriority.is(6)), bytes), 'high');
    assert.is(levelOf(etherType.is(0x0800).and(payload(1).u8().is(2)).and(frameLength.is(56)), bytes), 'high');
    assert.is(levelOf(vlanId.not(9), segment()), 'low');
  },
);

classifier('IPv6: prefixes, code point and header offsets; each family fails the tests of the other one', () => {
  const six = segment6({ trafficClass: (46 << 2) | 1, source: 9, payload: [7], option: 1 });
  const four = segment({ dscp: 46, source: [0xfd, 0, 0, 0] });
  for (const [condition, of6, of4] of [
    [sourceAddress.in('fd00::/16'), 'high', 'low'],
    [sourceAddress.in('fd00::8/125'), 'high', 'low'],
    [sourceAddress.in('fd00::/125'), 'low', 'low'],
    [sourceAddress.notIn('fd00::/125'), 'high', 'low'],
    [destinationAddress.is('fd00::2'), 'high', 'low'],
    [sourceAddress.in('253.0.0.0/8'), 'low', 'high'],
    [sourceAddress.notIn('10.0.0.0/8'), 'low', 'high'],
    [dscp.is(46), 'high', 'high'],
    [ip6(6).u8().is(0), 'high', 'low'],
    [ip4(9).u8().is(6), 'low', 'high'],
    [destinationPort.is(80), 'high', 'high'],
  ] as const) {
    assert.is(levelOf(condition, six), of6, String(condition));
    assert.is(levelOf(condition, four), of4, String(condition));
  }
  assert.is(levelOf(payload(0).u8().is(7), six), 'high');
});

classifier('flags of TCP are named; all or none of several', () => {
  const bytes = segment({ flags: 0x12 });
  assert.is(levelOf(tcpFlags.has('syn', 'ack'), bytes), 'high');
  assert.is(levelOf(tcpFlags.has('syn', 'rst'), bytes), 'low');
  assert.is(levelOf(tcpFlags.lacks('fin', 'rst'), bytes), 'high');
  assert.is(levelOf(tcpFlags.lacks('fin', 'ack'), bytes), 'low');
  assert.is(String(tcpFlags.has('syn')), 'tcp flags & 0x02 == 2');
});

classifier('pcap-filter expressions are conditions like others, and refused by a sentence of libpcap', () => {
  const request = new Uint8Array(40);
  request[5] = 1;
  const rule = pcap('tcp[37] = 1 and greater 81').and(destinationPort.is(80));
  assert.is(levelOf(rule, segment({ payload: request, tcpOptions: 12 })), 'high');
  assert.is(levelOf(rule, segment({ payload: request })), 'low');
  assert.is(levelOf(rule, segment({ payload: request, tcpOptions: 12, destinationPort: 81 })), 'low');
  assert.is(
    refused(() => pcap('tcp[37] = = 1')),
    'the pcap filter "tcp[37] = = 1" is refused by libpcap: can\'t parse filter expression: syntax error',
  );
  assert.match(
    refused(() => pcap('ip "x"')),
    /without quotation marks/,
  );
});

classifier('a test beyond the end of the frame is false, and so is its negation', () => {
  const short = segment({ payload: [1, 2] });
  assert.is(levelOf(payload(2).u8().is(0), short), 'low');
  assert.is(levelOf(payload(2).u8().not(0), short), 'low');
  assert.is(levelOf(payload(1).u16().under(0xffff), short), 'low');
  assert.is(levelOf(payload(1).u8().not(0), short), 'high');
});

classifier('padding behind the IP packet is no payload and has no length', () => {
  const padded = new Uint8Array(60);
  padded.set(segment());
  assert.is(levelOf(payload(0).u8().is(0), padded), 'low');
  assert.is(levelOf(frameLength.is(54), padded), 'high');
});

classifier('comparisons keep their bounds: in takes both ends, over and under none', () => {
  const held = (make: (value: number) => Condition) =>
    [4, 5, 6, 7, 8].filter((value) => levelOf(make(value), segment({ payload: [value] })) === 'high');
  const byte = payload(0).u8();
  assert.equal(
    held(() => byte.in(5, 7)),
    [5, 6, 7],
  );
  assert.equal(
    held(() => byte.over(6)),
    [7, 8],
  );
  assert.equal(
    held(() => byte.under(6)),
    [4, 5],
  );
  assert.equal(
    held(() => byte.oneOf([4, 8])),
    [4, 8],
  );
  assert.equal(
    held(() => byte.mask(0x04).is(0)),
    [8],
  );
});

classifier('or makes several rules of one level, and binds across and', () => {
  const condition = payload(0).u8().is(1).or(payload(0).u8().is(2)).and(payload(1).u8().is(9));
  assert.is(condition.alternatives.length, 2);
  assert.is(levelOf(condition, segment({ payload: [2, 9] })), 'high');
  assert.is(levelOf(condition, segment({ payload: [2, 8] })), 'low');
  assert.is(compile([level('high').when(condition)], LEVELS)[8], 2);
});

classifier('the first rule that matches wins; otherwise gives the level of the rest', () => {
  const rules = [level('bulk').when(payload(0).u8().over(8)), level('alarm').when(payload(0).u8().over(4))];
  const levels = ['alarm', 'normal', 'bulk'] as const;
  const named = (value: number) => explain(rules, levels, segment({ payload: [value] }), { otherwise: 'normal' }).level;
  assert.equal([9, 5, 1].map(named), ['bulk', 'alarm', 'normal']);
  assert.is(explain(rules, levels, segment({ payload: [1] })).level, 'bulk');
});

classifier('payloadAt replaces the parsed start of the payload', () => {
  const rules = [level('high').when(payload(0).u8().is(7))];
  const bytes = segment({ tcpOptions: 0, payload: [0, 0, 0, 0, 7] });
  assert.is(explain(rules, LEVELS, bytes, { payloadAt: 24 }).level, 'high');
  assert.is(explain(rules, LEVELS, bytes).level, 'low');
});

classifier('what is not TCP is control and has the highest level', () => {
  const arp = new Uint8Array(42);
  arp.set([0x08, 0x06], 12);
  const { level: name, why } = explain([], LEVELS, arp);
  assert.is(name, 'high');
  assert.is(why, 'not a TCP segment: control goes first');
});

classifier('explain says which rule matched and what each test found', () => {
  const rules = [level('low').when(payload(0).u8().is(9)), ...iotRules('high')];
  const request = new Uint8Array(40);
  request[5] = 1;
  const explained = explain(rules, LEVELS, segment({ payload: request }));
  assert.is(explained.rule, 1);
  assert.is(explained.why, 'rule 1 matches: payload[5] == 1 (found 1), length > 80 (found 94)');
  assert.equal(explained.rules[0], {
    text: 'payload[0] == 9 -> low',
    matches: false,
    alternatives: [[{ text: 'payload[0] == 9', found: 0, holds: false }]],
  });
});

classifier('the table of the IoT preset is, byte for byte, the one that the core reads', () => {
  const hex = Buffer.from(compile(iotRules('high'), LEVELS)).toString('hex');
  const header = '5153434c02020100' + '0100020000000000' + '00000000';
  const isRequest = '03010000050000' + '00ff0000000100000000000000';
  const isLong = '04040000000000' + '00ffff0000510000' + '00aeff0000';
  assert.is(hex, `${header}00020000${isRequest}${isLong}`);
});

classifier('what could never be true is refused with the accepted range', () => {
  const byte = payload(5).u8();
  assert.is(
    refused(() => payload(9217)),
    'the payload offset 9217 is no place in a frame; accepted are 0 to 9216',
  );
  assert.is(
    refused(() => byte.is(256)),
    'payload[5] is compared with 256; accepted are whole numbers from 0 to 255',
  );
  assert.is(
    refused(() => byte.over(255)),
    'payload[5] is compared with 255; accepted are whole numbers from 0 to 254',
  );
  assert.is(
    refused(() => byte.under(0)),
    'payload[5] is compared with 0; accepted are whole numbers from 1 to 255',
  );
  assert.is(
    refused(() => byte.in(9, 3)),
    'payload[5] is compared with 3; accepted are whole numbers from 9 to 255',
  );
  assert.is(
    refused(() => byte.mask(0xf0).is(0x1f)),
    'payload[5] & 0xf0 can never be 0x1f: the mask removes 0x0f',
  );
  assert.is(
    refused(() => byte.oneOf([])),
    'payload[5] is compared with a list of 0; accepted are 1 to 16',
  );
  assert.is(
    refused(() => byte.mask(0x100)),
    'the mask 256 does not fit payload[5]; accepted are 0x01 to 0xff',
  );
  assert.is(
    refused(() => byte.is(1.5)),
    'payload[5] is compared with 1.5; accepted are whole numbers from 0 to 255',
  );
  assert.is(
    refused(() => byte.le()),
    'le() says the order of bytes; it needs u16() or u32()',
  );
  assert.is(
    refused(() => sourceAddress.in('10.0.0.0/33')),
    '"10.0.0.0/33" is no network; accepted is a.b.c.d/p with p from 1 to 32',
  );
  assert.is(
    refused(() => dscp.is(64)),
    'dscp is compared with 64; accepted are whole numbers from 0 to 63',
  );
});

classifier('tables that the core would refuse are refused here, by a sentence', () => {
  const one = payload(0).u8().is(1);
  assert.match(
    refused(() => compile([], [])),
    /accepted are 1 to 8 different names/,
  );
  assert.match(
    refused(() => compile([], ['a', 'a'])),
    /accepted are 1 to 8 different names/,
  );
  assert.is(
    refused(() => compile([{ level: 'x' as 'high', condition: one }], LEVELS)),
    '"x" is no level; accepted are high, low',
  );
  assert.match(
    refused(() => compile([], LEVELS, { payloadAt: 1501 })),
    /whole numbers from 0 to 1500/,
  );
  assert.match(
    refused(() => Array.from({ length: 16 }, () => one).reduce((all, next) => all.and(next), one)),
    /17 tests are joined by "and"; at most 16 are possible/,
  );
  const many = Array.from({ length: 1025 }, () => level('high').when(one));
  assert.match(
    refused(() => compile(many, LEVELS)),
    /1025 rules; at most 1024 are possible/,
  );
});

classifier('a wrong level name is a compile error', () => {
  const one = payload(0).u8().is(1);
  const declare = <const Levels extends readonly string[]>(_: {
    levels: Levels;
    otherwise?: NoInfer<Levels[number]>;
    classify: RulesFor<Levels>;
  }): void => {};
  declare({ levels: ['alarm', 'normal'], otherwise: 'normal', classify: [level('alarm').when(one)] });
  // @ts-expect-error: there is no level "alram"
  declare({ levels: ['alarm', 'normal'], classify: [level('alram').when(one)] });
  // @ts-expect-error: there is no level "bulk"
  declare({ levels: ['alarm', 'normal'], otherwise: 'bulk', classify: [] });
  // @ts-expect-error: one of them is wrong
  const rules: Rule<'alarm' | 'normal'>[] = [level('alarm').when(one), level('bulk').when(one)];
  assert.throws(() => compile(rules, ['alarm', 'normal']));
  // @ts-expect-error: compile() takes the names out of the levels alone
  assert.throws(() => compile([level('bulk').when(one)], ['alarm', 'normal']));
  // @ts-expect-error: a place has no value until its width is said
  assert.throws(() => payload(0).is(1));
});

classifier.run();
