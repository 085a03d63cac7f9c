// mcc's command line: QStack's own lines start verbatim, every fault is named at once.
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { formatIpv4 } from '../../stack/config/address.js';
import { delayedAckMs } from '../../tools/mcc/ack-delay.js';
import { mccCommand } from '../../tools/mcc/command.js';
import { nativeOptions } from '../../tools/mcc/native-options.js';
import { type MccOptions, type Parsed, readOptions } from '../../tools/mcc/options.js';
import { memoryFault, planOf, planText } from '../../tools/mcc/plan.js';

function parse(line: string, cores = 2): Parsed {
  const command = mccCommand();
  command.parse(line.split(' ').filter(Boolean), { from: 'user' });
  return readOptions(command.opts(), cores);
}

test("the README's command line is accepted with another destination and count", () => {
  const line =
    '-c 103680 -b 1728 -e 60 -s 200 -w 20 -l 200 -r 0.05 --ips 230 --log-duration 60 --network-stack mtcp --dest 10.0.0.1 --smp 9';
  const { options, faults, warnings } = parse(line);
  assert.equal(faults, []);
  assert.is(options?.connections, 103_680);
  assert.equal(options?.phases, [{ kind: 'wave', burst: 1_728, intervalMs: 1_000, durationMs: 1e9 }]);
  assert.is(options?.batches, 200);
  assert.is(options?.waitMs, 20_000);
  assert.is(options?.messageLength, 200);
  assert.equal(options?.levels, [
    { name: 'high', share: 0.05 },
    { name: 'low', share: 0.95 },
  ]);
  assert.is(options?.ips, 230);
  assert.is(options?.logMs, 60_000);
  assert.ok(warnings.some((sentence) => sentence.includes('--smp 9')));
});

test('--vlan is a VLAN of 802.1Q; without it frames are untagged', () => {
  assert.is(parse('--vlan 5').options?.vlan, 5);
  assert.is(parse('').options?.vlan, 0);
  assert.match(parse('--vlan 4095').faults[0] ?? '', /^--vlan: "4095" is not accepted; a whole number from 0 to 4094/);
});

test('--packets is how many there are to send with; without it the load decides', () => {
  const sends = (line: string) => nativeOptions(parse(line).options as MccOptions).txPackets;
  assert.is(sends('-c 1000 --packets 8192'), 8_192);
  assert.is(sends('-c 1000'), 131_072);
  assert.is(sends('-c 50000'), 524_288);
  assert.match(parse('--packets 1').faults[0] ?? '', /^--packets: "1" is not accepted; a whole number from 256 to /);
});

test('there is a block for each packet that may be under way, and for no more connections than there are', () => {
  const busy = (line: string) => nativeOptions(parse(line).options as MccOptions).busy;
  assert.is(busy('-c 1000 --packets 8192'), 2_024);
  assert.is(busy('-c 100000 --packets 8192'), 32_768 + 8_192 + 1_024 + 4_096);
  assert.is(busy('-c 10000000'), 32_768 + 524_288 + 1_024 + 4_096);
});

test('an ACK waits for a message only where the next one of its connection may come in time', () => {
  const delay = (line: string) => delayedAckMs(parse(line).options as MccOptions);
  assert.is(delay('-c 10000 --phases paced:250000/1s'), 0);
  assert.is(delay('-c 9999 --phases paced:250000/1s'), 40);
  assert.is(delay('-c 10000 --phases paced:1000/1s,pause:1s,wave:10000/20ms/1s'), 40);
  assert.is(delay('-c 39999 --answer all --phases capacity:1s'), 40);
  assert.is(delay('-c 40000 --answer all --phases capacity:1s'), 0);
});

test('--plan is the sum of what is made, and of N connections at most 384 bytes for each beyond the first 1,000', () => {
  const bytes = (line: string) => planOf(parse(line).options as MccOptions).bytes;
  const each = (bytes('-c 100000 --packets 8192') - bytes('-c 1000 --packets 8192')) / 99_000;
  assert.ok(each > 128 && each <= 384, `${each} bytes`);
  const { plan, ...rest } = parse('-c 100000 --plan').options as MccOptions;
  assert.is(plan, true);
  const text = planText({ ...rest, plan });
  for (const word of ['program', 'control blocks', 'pending messages', 'memif rings', 'total']) {
    assert.ok(text.includes(word), word);
  }
});

test('more connections than there is memory for are refused with the number that fits', () => {
  const of = (connections: number) => parse(`-c ${connections} --packets 8192`).options as MccOptions;
  const memoryBytes = 2 ** 30;
  const fault = memoryFault(of(10_000_000), memoryBytes) ?? '';
  const largest = Number(/at most (\d+) on this machine/.exec(fault)?.[1]);
  assert.ok(largest > 1_000_000 && largest < 10_000_000, fault);
  assert.is(memoryFault(of(largest), memoryBytes), undefined);
  assert.match(memoryFault(of(1_000), 2 ** 20) ?? '', /free some memory, or make --packets smaller/);
});

test('--levels names up to eight levels, the highest first; the last may take the rest', () => {
  const { options } = parse('--levels alarm=1%,normal=0.19,bulk');
  assert.equal(
    options?.levels.map(({ name }) => name),
    ['alarm', 'normal', 'bulk'],
  );
  assert.ok(Math.abs((options?.levels[2]?.share ?? 0) - 0.8) < 1e-9);
  assert.equal(nativeOptions(options as MccOptions).levelShares.slice(0, 2), [0.01, 0.19]);
  for (const [text, sentence] of [
    ['high=0.5,low=0.6', /^--levels: the shares add up to 1.1, not to 1; 1 to 8 NAME=SHARE/],
    ['high,low=0.6', /"high" has no share, and is not the last/],
    ['a=0.5,a=0.5', /"a" is named twice/],
    ['a=7', /"a=7" has no share/],
    ['1=1', /"1" is no name/],
    ['a=0,b=0,c=0,d=0,e=0,f=0,g=0,h=0,i=1', /9 levels are too many/],
  ] as const) {
    assert.match(parse(`--levels ${text}`).faults[0] ?? '', sentence);
  }
  assert.match(parse('-r 0.1 --levels a=1').faults[0] ?? '', /^-r: --levels has the share/);
});

test('--smp 1 still has one engine, and no warning', () => {
  assert.equal(parse('--smp 1').warnings, []);
  assert.equal(parse('--smp 2').warnings, []);
});

test('more engines than cores: a warning, not a refusal', () => {
  const { options, warnings } = parse('--smp 9', 4);
  assert.ok(options);
  assert.ok(warnings.some((sentence) => sentence.includes('4 cores')));
});

test('all faults are named at once', () => {
  const { options, faults } = parse('-c 0 -l 5 -r 7 --dest 300.1.1.1 --network-stack linux -p 3 --rate x');
  assert.is(options, undefined);
  for (const flag of ['-c', '-l', '-r', '--dest', '--network-stack', '-p', '--rate']) {
    assert.ok(
      faults.some((fault) => fault.startsWith(`${flag}:`)),
      `${flag} in ${faults.join('\n')}`,
    );
  }
});

test('--flood alone takes the rate and is watched by one connection; beside messages it has a rate of its own', () => {
  const alone = parse('--flood syn --rate 1M/s --duration 30s').options;
  assert.is(alone?.floodPerS, 1_000_000);
  assert.equal(alone?.phases, [{ kind: 'paced', ratePerS: 10, durationMs: 30_000 }]);
  const beside = parse('--flood syn --flood-rate 500k/s --rate 50k/s -d 30s').options;
  assert.is(beside?.floodPerS, 500_000);
  assert.equal(beside?.phases, [{ kind: 'paced', ratePerS: 50_000, durationMs: 30_000 }]);
  const phases = parse('--phases flood:1M/s,paced:1k/s/5s,flood:0').options;
  assert.is(phases?.floodPerS, 0);
  assert.equal(phases?.phases[0], { kind: 'flood', ratePerS: 1_000_000 });
  assert.equal(phases?.phases[2], { kind: 'flood', ratePerS: 0 });
  assert.match(parse('--flood-rate 1k/s').faults[0] ?? '', /--flood syn/);
  assert.match(parse('--flood udp').faults[0] ?? '', /--flood/);
});

test('durations take units, bare numbers are seconds', () => {
  const { options } = parse('-d 30s -e 250ms -w 2 -b 1 -c 1');
  assert.equal(options?.phases, [{ kind: 'wave', burst: 1, intervalMs: 250, durationMs: 30_000 }]);
  assert.is(options?.waitMs, 2_000);
});

test('--rate makes one paced run', () => {
  assert.equal(parse('-c 10 --rate 5k/s -d 3').options?.phases, [
    { kind: 'paced', ratePerS: 5_000, durationMs: 3_000 },
  ]);
});

test('local addresses: as many as the connections need, and never the server itself', () => {
  const { options } = parse('-c 1000000 --dest 10.0.1.5');
  assert.is(options?.ips, 16);
  const source = options?.source ?? 0;
  assert.is(formatIpv4(source), '10.0.1.6');
  assert.is(formatIpv4(parse('--dest 10.0.0.1').options?.source ?? 0), '10.0.1.1');
  assert.match(parse('-c 1000000 --ips 2').faults[0] ?? '', /at least 16 local addresses/);
  assert.match(parse('--source 10.0.0.1').faults[0] ?? '', /server's own address/);
  assert.match(parse('--ips 300 --source 10.0.255.200').faults[0] ?? '', /do not fit/);
});

test('phases are read in order, and a share of the capacity needs one that measures it, or --capacity', () => {
  const { options } = parse(
    '--answer all --phases wave:20000/1s/10s,capacity:512/3s,pause:500ms,paced:150%/5s,paced:5k/s/2s',
  );
  assert.equal(options?.phases, [
    { kind: 'wave', burst: 20_000, intervalMs: 1_000, durationMs: 10_000 },
    { kind: 'capacity', window: 512, durationMs: 3_000 },
    { kind: 'pause', durationMs: 500 },
    { kind: 'paced', ofCapacity: 1.5, durationMs: 5_000 },
    { kind: 'paced', ratePerS: 5_000, durationMs: 2_000 },
  ]);
  assert.match(parse('--phases paced:150%/5s').faults[0] ?? '', /no phase before it measures, nor --capacity/);
  const known = parse('--capacity 300k/s --phases paced:50%/30s').options;
  assert.equal(known?.phases, [{ kind: 'paced', ofCapacity: 0.5, durationMs: 30_000 }]);
  assert.match(parse('--phases wave:0/1s/1s').faults[0] ?? '', /is no phase/);
  assert.match(parse('--phases dance:1').faults[0] ?? '', /is no phase/);
});

test('capacity without all answers is refused', () => {
  assert.match(parse('-r 0.05 --phases capacity:3s').faults[0] ?? '', /--answer all/);
});

test('the device is a memif client by default', () => {
  const { options } = parse('--socket /tmp/x/y.sock');
  assert.equal(options?.device, { kind: 'memif', path: '/tmp/x/y.sock', role: 'client' });
  assert.equal(parse('--device tap:q0').options?.device, { kind: 'tap', name: 'q0' });
});

test.run();
