// The configuration as a whole: what is accepted, and how each fault is said.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { formatFault } from '../../stack/config/fault.js';
import { type Judges, type Loaded, loadSettings } from '../../stack/config/load.js';

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
const TWO_CORES: Judges = { machine: { cores: 2, memoryBytes: 16 * 2 ** 30 } };
const FIFO_BYTES = 'a size from 2.73 KiB to 16 MiB, such as 64KiB';

const config = suite('config');
let folder = '';
config.before(() => {
  folder = mkdtempSync(join(tmpdir(), 'qstack-config-'));
});
config.after(() => rmSync(folder, { recursive: true }));

function load(text: string, judges = TWO_CORES): Loaded {
  const file = join(folder, 'a.conf');
  writeFileSync(file, text);
  return loadSettings({ file }, judges);
}

function faultsOf(text: string, judges = TWO_CORES): string[] {
  return load(text, judges).faults.map((fault) => formatFault(fault).replaceAll(`${folder}/`, ''));
}

config('a cluster takes the place of servers, and is reached by TCP', () => {
  const { settings } = load('redis_cluster = 127.0.0.1:7000, 127.0.0.1:7001\nredis_client = ioredis\n');
  assert.equal(settings?.redisCluster[1], { kind: 'tcp', host: '127.0.0.1', port: 7_001 });
  assert.is(settings?.redisClient, 'ioredis');
  assert.is(load('').settings?.redisClient, 'hiredis');
  const accepts = 'a.b.c.d:port, with commas between';
  assert.equal(faultsOf('redis_cluster = /tmp/a.sock\n'), [
    `a.conf:1: redis_cluster: servers of a cluster are reached by TCP; ${accepts}`,
  ]);
  assert.equal(faultsOf('redis = /tmp/a.sock\nredis_cluster = 127.0.0.1:7000\n'), [
    'a.conf:2: redis_cluster: `redis` names servers of its own; one of the two',
  ]);
});

config("the configuration of QStack's README is accepted verbatim, and scaled to the machine with warnings", () => {
  const { settings, faults, warnings } = loadSettings(
    { file: join(ROOT, 'test/config/qstack-readme.conf') },
    TWO_CORES,
  );
  assert.equal(faults, []);
  assert.is(settings?.connectionsMax, 14_000_000);
  assert.is(settings?.address, 0xc0a84e64);
  assert.is(settings?.prefixLength, 16);
  assert.is(settings?.priorities, true);
  assert.is(settings?.statPrint, true);
  assert.is(settings?.cores, 2);
  assert.is(settings?.stackThreads, 1);
  assert.is(settings?.appThreads, 1);
  assert.equal(
    warnings.map((warning) => warning.key),
    ['num_cores', 'stack_thread', 'app_thread'],
  );
});

config('an empty file is a complete configuration', () => {
  const { settings } = load('# nothing\n');
  assert.is(settings?.connectionsMax, 10_000);
  assert.is(settings?.port, 80);
  assert.is(settings?.device.kind, 'memif');
  assert.is(settings?.faults, undefined);
});

config('all faults are reported at once, one per line, with place, key and accepted range', () => {
  const text = ['max_concurency = 5', 'port = 99999', 'nonsense', 'poll = bussy', 'rcvbuf = huge', 'port = 80'].join(
    '\n',
  );
  assert.equal(faultsOf(text), [
    'a.conf:1: max_concurency: unknown key (did you mean "max_concurrency"?)',
    'a.conf:2: port: "99999" is out of range; a whole number from 1 to 65,535',
    'a.conf:3: "nonsense" is no setting; write `key = value`, or `#` before a comment',
    'a.conf:4: poll: "bussy" is not known (did you mean "busy"?); busy | yield | sleep',
    `a.conf:5: rcvbuf: "huge" is not a size; ${FIFO_BYTES}`,
    `a.conf:6: port: stands there twice (first at a.conf:2); one line`,
  ]);
});

config('the order of lines is free', () => {
  const lines = ['port = 7000', 'host_ip = 10.2.0.1/16', 'gateway = 10.2.0.254', 'address_count = 4'];
  assert.equal(load(lines.join('\n')).settings, load(lines.reverse().join('\n')).settings);
});

config('an address line may cover a range of neighbours', () => {
  const { settings } = load(
    'arp = 10.1.0.0/16 02:00:00:00:00:01\narp = 10.0.0.7 02-00-00-00-00-02\narp = 10.2.0.1-10.2.0.9 2:0:0:0:0:3',
  );
  const ranges = settings?.neighbors.map(({ first, count, mac }) => [first, count, mac[5]]);
  assert.equal(ranges, [
    [0x0a010000, 65_536, 1],
    [0x0a000007, 1, 2],
    [0x0a020001, 9, 3],
  ]);
});

config('an address of each family, with its gateway and neighbours', () => {
  const { settings } = load(
    'host_ip = 10.2.0.1/16, FD00:0::1/64\ngateway = fe80::1, 10.2.0.254\naddress_count = 4\ndad_transmits = 0\n' +
      'arp = fd00::100-fd00::1ff 02:00:00:00:00:01\narp = fd00:1::/112 02:00:00:00:00:02',
  );
  assert.is(settings?.address, 0x0a020001);
  assert.is(settings?.gateway, 0x0a0200fe);
  assert.equal(settings?.ipv6, {
    address: 'fd00::1',
    prefixLength: 64,
    gateway: 'fe80::1',
    routerAdvertisements: false,
    dadTransmits: 0,
  });
  const ranges = settings?.neighbors.map(({ first, count }) => [first, count]);
  assert.equal(ranges, [
    ['fd00::100', 256],
    ['fd00:1::', 65_536],
  ]);
  const alone = load('host_ip = fd00::1/64').settings;
  assert.equal([alone?.address, alone?.ipv6?.address, alone?.ipv6?.gateway], [0, 'fd00::1', undefined]);
});

config('a VLAN is a number of 802.1Q, and without one frames are untagged', () => {
  assert.is(load('vlan = 5').settings?.vlan, 5);
  assert.is(load('').settings?.vlan, 0);
  assert.match(faultsOf('vlan = 4095')[0] ?? '', /vlan: .* from 0 to 4,094/);
});

config('an MTU is one of Ethernet, and with IPv6 not below what every link of it carries', () => {
  assert.is(load('').settings?.mtu, 1_500);
  assert.is(load('mtu = 576').settings?.mtu, 576);
  assert.match(faultsOf('mtu = 9000')[0] ?? '', /mtu: .* from 576 to 1,500/);
  assert.is(load('host_ip = fd00::1/64\nmtu = 1280').settings?.mtu, 1_280);
  const [fault = '', ...more] = faultsOf('host_ip = fd00::1/64\nmtu = 1279');
  assert.match(fault, /mtu: 1279 bytes are less than every link of IPv6 carries.*1280 … 1500/);
  assert.equal(more, []);
});

config('an IPv6 address must be one host of its prefix, and the gateway another one', () => {
  const refused: [string, RegExp][] = [
    ['host_ip = ff02::1/64', /host_ip: ff02::1 cannot be a host's address/],
    ['host_ip = ::ffff:10.0.0.1/96', /cannot be a host's address/],
    ['host_ip = fe80::1%eth0/64', /is no address with a prefix length/],
    ['host_ip = fd00::1', /is no address with a prefix length/],
    ['host_ip = fd00::1/64, fd01::1/64', /a second address of its family/],
    ['host_ip = fd00::/64', /the address of every router of its prefix/],
    ['host_ip = fd00::ffff:fffa/112\naddress_count = 7', /7 addresses from .* leave the prefix; 1 … 6/],
    ['host_ip = fd00::1/64\ngateway = fd01::1', /fd01::1 is not on our network/],
    ['host_ip = fd00::1/64\naddress_count = 3\ngateway = fd00::3', /fd00::3 is our own address/],
    ['host_ip = fd00::1/64\ngateway = 10.0.0.1', /there is no IPv4 address that could use it/],
    ['arp = fd00::2-fd00::1 02:00:00:00:00:01', /not a neighbour line/],
    ['arp = fd00::/96 02:00:00:00:00:01', /not a neighbour line/],
  ];
  for (const [text, reason] of refused) assert.match(faultsOf(text)[0] ?? '', reason, text);
});

config('a multicast MAC address is no neighbour', () => {
  assert.match(faultsOf('arp = 10.1.0.1 01:00:00:00:00:01')[0] ?? '', /not a neighbour line; .*not multicast/);
});

config('an address must be a host of its own prefix, and the gateway another one', () => {
  assert.match(
    faultsOf('host_ip = 10.0.0.0/16')[0] ?? '',
    /host_ip: 10\.0\.0\.0 is the network address .*; 10\.0\.0\.1 … 10\.0\.255\.254/,
  );
  assert.match(faultsOf('host_ip = 127.0.0.1/8')[0] ?? '', /host_ip: 127\.0\.0\.1 cannot be a host's address/);
  assert.match(faultsOf('host_ip = 10.0.0.1')[0] ?? '', /no address with a prefix length; a\.b\.c\.d\/p/);
  assert.match(
    faultsOf('host_ip = 10.0.0.1/24\ngateway = 10.0.1.1')[0] ?? '',
    /a\.conf:2: gateway: 10\.0\.1\.1 is not on our network/,
  );
  assert.match(
    faultsOf('host_ip = 10.0.0.1/24\ngateway = 10.0.0.1')[0] ?? '',
    /gateway: 10\.0\.0\.1 is our own address/,
  );
  assert.match(
    faultsOf('host_ip = 10.0.0.250/24\naddress_count = 6')[0] ?? '',
    /address_count: 6 addresses .* leave the prefix; 1 … 5/,
  );
});

config('several stack threads have threads of their own, and as many sets of rings as an arena has', () => {
  const machine = { cores: 64, memoryBytes: 2 ** 40 };
  assert.equal(faultsOf('stack_thread = 16\napp_thread = 16', { machine }), []);
  assert.equal(faultsOf('stack_thread = 16\napp_thread = 32', { machine }), [
    'a.conf:1: stack_thread: 16 stack threads for 32 application threads; 1 … 8',
  ]);
  assert.equal(faultsOf('arrangement = inline\nstack_thread = 2', { machine }), [
    'a.conf:2: stack_thread: 2 stack threads with arrangement = inline; 1',
  ]);
});

config('stack threads that have to share cores with others are a warning', () => {
  const warned = (cores: number) =>
    load('stack_thread = 2', { machine: { cores, memoryBytes: 2 ** 34 } }).warnings.map(({ fault }) => fault);
  assert.equal(warned(2), ["2 stack threads and the application's share 2 cores"]);
  assert.equal(warned(4), []);
});

config('threads of a larger machine are scaled: stack threads have half of the cores, others what is left', () => {
  const scaled = (cores: number) => {
    const text = 'num_cores = 32\nstack_thread = 4\napp_thread = 4';
    const { settings } = load(text, { machine: { cores, memoryBytes: 2 ** 34 } });
    return [settings?.stackThreads, settings?.appThreads];
  };
  assert.equal([2, 4, 6, 16].map(scaled), [
    [1, 1],
    [2, 2],
    [3, 3],
    [4, 4],
  ]);
});

config('of the shared arrangement each application thread has a stack', () => {
  const machine = { cores: 8, memoryBytes: 2 ** 40 };
  const { settings } = load('arrangement = shared\napp_thread = 3', { machine });
  assert.is(settings?.stackThreads, 3);
  assert.equal(faultsOf('arrangement = shared\napp_thread = 3\nstack_thread = 2', { machine }), [
    'a.conf:3: stack_thread: 2 stacks for 3 application threads with arrangement = shared; 3',
  ]);
  assert.match(faultsOf('arrangement = shared\napp_thread = 17', { machine })[0] ?? '', /app_thread: 17 .*; 1 … 16/);
  const scaled = load('arrangement = shared\nnum_cores = 32\napp_thread = 16', { machine }).settings;
  assert.equal([scaled?.stackThreads, scaled?.appThreads], [4, 4]);
});

config('connections that do not fit into memory are refused, and the largest number that fits is named', () => {
  const planner = (settings: { connectionsMax: number }) => ({ bytes: settings.connectionsMax * 1_000, arenaBytes: 1 });
  const machine = { cores: 2, memoryBytes: 4_000_000 };
  const [fault = ''] = faultsOf('max_concurrency = 5000', { machine, planner });
  assert.match(fault, /a\.conf:1: max_concurrency: 5000 connections need .*; at most 3000 on this machine/);
  assert.equal(faultsOf('max_concurrency = 3000', { machine, planner }), []);
});

config('the plan of the real pools is asked, and its largest number is accepted', () => {
  const machine = { cores: 2, memoryBytes: 2 ** 30 };
  const [fault = ''] = faultsOf('max_concurrency = 14000000', { machine });
  const largest = Number(/at most (\d+) on this machine/.exec(fault)?.[1]);
  assert.ok(largest > 1_000_000 && largest < 14_000_000, fault);
  assert.equal(faultsOf(`max_concurrency = ${largest}`, { machine }), []);
  assert.is(faultsOf(`max_concurrency = ${largest + 20_000}`, { machine }).length, 1);
});

config('more packets than an arena of 4 GiB holds are refused, with the largest number', () => {
  const text = 'max_num_buffers = 524288\nlevels = a,b,c,d,e,f,g,h\napp_thread = 8\n';
  const machine = { cores: 16, memoryBytes: 2 ** 40 };
  const [fault = ''] = faultsOf(text, { machine });
  const largest = Number(/a\.conf:1: max_num_buffers: .*4 GiB; at most (\d+)/.exec(fault)?.[1]);
  assert.ok(largest >= 65_536, fault);
  assert.equal(faultsOf(text.replace('524288', String(largest)), { machine }), []);
});

config('a rule that does not parse is a fault at its line', () => {
  const rule = (text: string) => (text.includes('->') ? undefined : 'column 3: expected ->');
  assert.equal(faultsOf('port = 1\nclassify = nonsense', { ...TWO_CORES, rule }), [
    'a.conf:2: classify: column 3: expected ->',
  ]);
});

config('buffers may be counted in segments, as in QStack, or in bytes', () => {
  assert.is(load('rcvbuf = 64').settings?.receiveBufferBytes, 89_600);
  assert.is(load('rcvbuf = 64KiB').settings?.receiveBufferBytes, 65_536);
  assert.is(load('rcvbuf = 100000').settings?.receiveBufferBytes, 100_000);
});

config('a timeout of 0 or -1 is never, and a bare number counts seconds as in mTCP', () => {
  assert.is(load('tcp_timeout = -1').settings?.idleTimeoutMs, 0);
  assert.is(load('tcp_timeout = 30').settings?.idleTimeoutMs, 30_000);
  assert.is(load('tcp_timeout = 2m').settings?.idleTimeoutMs, 120_000);
});

config('devices are a memif socket, an interface, or an EAL device string', () => {
  assert.equal(load('device = memif:/run/q/a.sock?role=client').settings?.device, {
    kind: 'memif',
    path: '/run/q/a.sock',
    role: 'client',
  });
  assert.equal(load('device = tap:tap0').settings?.device, { kind: 'tap', name: 'tap0' });
  assert.equal(load('device = net_pcap0,iface=eth1').settings?.device, { kind: 'eal', device: 'net_pcap0,iface=eth1' });
  assert.match(faultsOf('device = memif:a.sock')[0] ?? '', /not an absolute path; memif:\/path/);
  assert.match(faultsOf('device = memif:/a/b?sever')[0] ?? '', /"sever" is no memif role/);
  assert.match(faultsOf('device = tap:a-name-that-is-too-long')[0] ?? '', /no interface name/);
});

config('Redis servers are sockets or addresses, separated by commas or spaces', () => {
  assert.equal(load('redis = /run/r/0.sock, 10.0.0.9:6379').settings?.redis, [
    { kind: 'unix', path: '/run/r/0.sock' },
    { kind: 'tcp', host: '10.0.0.9', port: 6_379 },
  ]);
  assert.match(
    faultsOf('redis = redis0.sock')[0] ?? '',
    /"redis0\.sock" is no Redis address; absolute socket paths or/,
  );
});

config('flags override the object, which overrides the file, which overrides the defaults', () => {
  const file = join(folder, 'b.conf');
  writeFileSync(file, 'port = 2\nrto_min = 2ms\nworkers = 2');
  const { settings } = loadSettings(
    {
      defaults: { port: 1, rto_min: '1ms', workers: 1, delayedAck: '1ms' },
      file,
      object: { port: 3, rtoMin: '3ms' },
      flags: [{ key: 'port', text: '4', where: '--port' }],
    },
    TWO_CORES,
  );
  const { port, rtoMinMs, workersPerApp, delayedAckMs } = settings ?? {};
  assert.equal([port, rtoMinMs, workersPerApp, delayedAckMs], [4, 3, 2, 1]);
});

config('an object has the same keys, in either spelling, with numbers, booleans and lists', () => {
  const object = {
    maxConcurrency: 1_000,
    pri_enable: false,
    arp: ['10.0.0.2 02:00:00:00:00:02', '10.0.0.3 02:00:00:00:00:03'],
  };
  const { settings } = loadSettings({ object }, TWO_CORES);
  assert.equal([settings?.connectionsMax, settings?.priorities, settings?.neighbors.length], [1_000, false, 2]);
  const { faults } = loadSettings({ object: { prot: 80 } }, TWO_CORES);
  assert.equal(faults.map(formatFault), ['options: prot: unknown key (did you mean "port"?)']);
});

config('words that every JavaScript object knows are unknown keys', () => {
  assert.equal(faultsOf('constructor = 1\n__proto__ = 2').length, 2);
  assert.match(faultsOf('poll = constructor')[0] ?? '', /is not known/);
});

config('a file that cannot be read is one clear sentence', () => {
  const missing = loadSettings({ file: join(folder, 'no.conf') }, TWO_CORES);
  assert.equal(missing.faults.map(formatFault), [
    `${folder}/no.conf: cannot be read: there is no such file; give a configuration file with -f`,
  ]);
  assert.match(formatFault(loadSettings({ file: folder }, TWO_CORES).faults[0] as never), /it is a folder/);
});

config('shares of damaged frames make a fault port, and none without them', () => {
  const { settings } = load('fault_rx_drop = 5%\nfault_seed = 7');
  assert.is(settings?.faults?.rx.drop, 0.05);
  assert.is(settings?.faults?.seed, 7);
  assert.is(load('fault_seed = 7').settings?.faults, undefined);
});

config.run();
