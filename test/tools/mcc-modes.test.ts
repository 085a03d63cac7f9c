// Closed loops and kernel sockets as flags: what is read, what is refused, and by which machine.
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { mccCommand } from '../../tools/mcc/command.js';
import { type KernelMachine, kernelPlace, refusals } from '../../tools/mcc/kernel.js';
import type { NativeMccOptions, NativeRun } from '../../tools/mcc/native.js';
import { nativeOptions } from '../../tools/mcc/native-options.js';
import { type MccOptions, type Parsed, readOptions } from '../../tools/mcc/options.js';
import { shareOfOptions, shareOfRun } from '../../tools/mcc/process-group.js';
import { shareOfTrace } from '../../tools/mcc/trace.js';

const info = (address: string) => ({
  address,
  family: 'IPv4' as const,
  netmask: '',
  mac: '',
  internal: false,
  cidr: null,
});
const MACHINE: KernelMachine = {
  ports: { first: 32_768, last: 60_999 },
  files: 20_064,
  interfaces: { lo: [info('127.0.0.1')], eth0: [info('10.0.0.5'), info('10.0.0.6')], 'eth0:1': [info('10.0.0.9')] },
};

function parse(line: string, machine = MACHINE): Parsed {
  const command = mccCommand();
  command.parse(line.split(' ').filter(Boolean), { from: 'user' });
  return readOptions(command.opts(), 2, machine);
}

function place(part: Partial<Parameters<typeof kernelPlace>[0]>, machine = MACHINE) {
  const request = { connections: 10, destination: 0x7f000001, device: undefined, source: undefined, ips: 0 };
  return kernelPlace({ ...request, ...part }, machine);
}

test('without a mode there is no closed loop, and its flags are refused', () => {
  assert.is(parse('').options?.loop, undefined);
  const { faults } = parse('-n 5 --flows 3 --lambda 5/s --path /x --host a --random-length');
  for (const flag of ['-n', '--flows', '--lambda', '--path', '--host', '--random-length']) {
    assert.ok(
      faults.some((fault) => fault.startsWith(`${flag}:`) && fault.includes('--mode')),
      flag,
    );
  }
});

test('echo and http last; with --flows or --lambda a connection makes one request, in wan ten', () => {
  const messages = (line: string) => parse(line).options?.loop?.messages;
  assert.is(messages('--mode echo'), 0);
  assert.is(messages('--mode http'), 0);
  assert.is(messages('--mode http --flows 10'), 1);
  assert.is(messages('--mode echo --lambda 10/s'), 1);
  assert.is(messages('--mode wan'), 10);
  assert.is(messages('--mode wan -n 3'), 3);
  assert.match(parse('--mode wan -n 0').faults[0] ?? '', /^-n: "0" is not accepted; a whole number from 1 to/);
});

test('a GET has a Host, and says when it is the last one', () => {
  const request = (line: string) => parse(line).options?.loop?.request;
  assert.is(request('--mode http'), 'GET / HTTP/1.1\r\nHost: 10.0.0.1\r\nUser-Agent: mcc\r\n\r\n');
  assert.is(
    request('--mode http -n 1 --path /a?b=c --host example.test'),
    'GET /a?b=c HTTP/1.1\r\nHost: example.test\r\nUser-Agent: mcc\r\nConnection: close\r\n\r\n',
  );
  assert.is(request('--mode echo'), '');
  assert.match(parse('--mode http --path index.html').faults[0] ?? '', /^--path: /);
  assert.match(parse('--mode http --host x\r\ny').faults[0] ?? '', /^--host: /);
  assert.match(parse('--mode echo --path /').faults[0] ?? '', /^--path: .* --mode http/);
});

test('what belongs to the open loop is refused in a closed one', () => {
  const { faults } = parse('--mode echo --rate 5/s --phases pause:1s --flood syn --capacity 5/s');
  for (const flag of ['--rate', '--phases', '--flood', '--capacity']) {
    assert.ok(
      faults.some((fault) => fault.startsWith(`${flag}:`) && fault.includes('--mode open')),
      flag,
    );
  }
  assert.match(parse('--mode fast').faults[0] ?? '', /^--mode: "fast" is not accepted; one of open, echo, http, wan/);
});

test('a closed loop is one phase, and reaches the generator', () => {
  const options = parse('--mode wan -n 4 --lambda 50/s --random-length -l 300 -d 5s').options as MccOptions;
  assert.equal(options.phases, [{ kind: 'closed', name: 'wan', durationMs: 5_000 }]);
  const native = nativeOptions(options);
  assert.equal([native.mode, native.messages, native.opensPerS, native.randomLength], ['closed', 4, 50, true]);
  assert.is(native.kernelSources, undefined);
});

test('kernel: to the loopback the kernel chooses the address, and takes more of 127/8 where ports run out', () => {
  assert.equal(place({}), { sources: [0], processes: 1 });
  assert.equal(place({ connections: 60_000 }), { sources: [0x7f000001, 0x7f000002, 0x7f000003], processes: 3 });
  assert.equal(place({ ips: 2 }), { sources: [0x7f000001, 0x7f000002], processes: 1 });
  assert.equal(place({ source: 0x7f000010 }), { sources: [0x7f000010], processes: 1 });
});

test('kernel: an interface gives its addresses and those of its aliases', () => {
  const destination = 0x0a000001;
  const all = [0x0a000005, 0x0a000006, 0x0a000009];
  assert.equal(place({ destination, device: 'eth0', ips: 5 }), { sources: all, processes: 1 });
  assert.equal(place({ destination, device: 'eth0' }), { sources: all.slice(0, 1), processes: 1 });
  assert.match(String(place({ destination, device: 'eth7' })), /"eth7" is no interface .* one of lo, eth0, eth0:1/);
});

test('kernel: too few ports or files are named with what mends them', () => {
  const few = place({ connections: 100_000, destination: 0x0a000001 });
  assert.match(
    String(few),
    /28232 ports each \(net\.ipv4\.ip_local_port_range\) are too many; say --device with alias/,
  );
  const tight = place({ connections: 60_000, destination: 0x0a000001, device: 'eth0', ips: 1 });
  assert.match(String(tight), /more --ips, or aliases, or "sysctl -w net\.ipv4\.ip_local_port_range='1025 65535'"/);
  assert.match(String(place({}, { ...MACHINE, files: 64 })), /raise the hard limit: "ulimit -n 65"/);
  assert.equal(place({ connections: 1_000_000 }, { ...MACHINE, files: Number.POSITIVE_INFINITY }), {
    sources: Array.from({ length: 36 }, (_, index) => 0x7f000001 + index),
    processes: 1,
  });
});

test('kernel: mtcp is qstack, and another name is refused', () => {
  assert.is(parse('--network-stack mtcp').options?.networkStack, 'qstack');
  const kernel = parse('--network-stack kernel --dest 127.0.0.1 -c 60000').options as MccOptions;
  assert.equal([kernel.networkStack, kernel.processes], ['kernel', 3]);
  assert.equal(nativeOptions(kernel).kernelSources, [0x7f000001, 0x7f000002, 0x7f000003]);
  assert.match(parse('--network-stack linux').faults[0] ?? '', /one of qstack, mtcp, kernel/);
  const { faults } = parse('--network-stack kernel --vlan 5 --mac 02:00:00:00:00:01 --socket x --packets 300');
  for (const flag of ['--vlan', '--mac', '--socket', '--packets']) {
    assert.ok(
      faults.some((fault) => fault.startsWith(`${flag}:`) && fault.includes('--network-stack qstack')),
      flag,
    );
  }
});

test('opens that fail are told by what the kernel says, those that it never says are not', () => {
  assert.is(refusals({ sockets: 5, connect_ECONNREFUSED: 0 }, 0x7f000001, 80), undefined);
  const told = refusals({ connect_ECONNREFUSED: 3, connect_EMFILE: 1, connect_EIO: 2 }, 0x7f000001, 80) ?? '';
  assert.match(
    told,
    /^3 opens were refused: does a server listen at 127\.0\.0\.1:80\?; 1 opens were without a file: .*ulimit -n/,
  );
  assert.match(told, /2 opens were refused with EIO$/);
});

test('shares of a test add up, differ in their seeds, and take turns at a constant rate', () => {
  const options = nativeOptions(
    parse('--network-stack kernel --dest 127.0.0.1 -c 100 --mode wan --flows 1k').options as MccOptions,
  );
  const shares = [0, 1, 2].map((index) => shareOfOptions(options, index, 3));
  const sum = (of: (share: NativeMccOptions) => number) => shares.reduce((total, share) => total + of(share), 0);
  assert.is(
    sum((share) => share.connections),
    100,
  );
  assert.is(
    sum((share) => share.flows ?? 0),
    1_000,
  );
  assert.equal(
    shares.map(({ opensPerS }) => opensPerS),
    [0, 0, 0],
  );
  assert.is(new Set(shares.map(({ seed }) => seed)).size, 3);
  assert.ok(shares.every(({ slots, connections }) => slots > connections));
  const run: NativeRun = { kind: 'paced', burst: 1, epochNs: 1e9, rate: 1_000, window: 1, durationNs: 1e9 };
  const runs = [0, 1, 2].map((index) => shareOfRun(run, index, 3, 5e9));
  assert.is(
    runs.reduce((total, { rate }) => total + rate, 0),
    1_000,
  );
  assert.equal(
    runs.map(({ startNs }) => startNs),
    [5e9, 5e9 + 1e6, 5e9 + 2e6],
  );
});

test('of a replay each message is played by one process, and a flow of a capture stays with one', () => {
  const trace = { times: Float64Array.of(0, 1, 2, 3, 4), cycleNs: 5, flows: Float64Array.of(0, 1, 2, 3, 0) };
  const shares = [0, 1].map((index) => shareOfTrace(trace, index, 2));
  assert.equal(
    shares.map(({ times, flows }) => [[...times], [...(flows ?? [])]]),
    [
      [
        [0, 2, 4],
        [0, 1, 0],
      ],
      [
        [1, 3],
        [0, 1],
      ],
    ],
  );
  const turns = [0, 1, 2].map((index) => shareOfTrace({ times: Float64Array.of(0, 7), cycleNs: 9 }, index, 3));
  assert.equal(
    turns.map(({ times }) => [...times]),
    [[0], [7], []],
  );
});

test.run();
