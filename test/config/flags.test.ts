// Every key of the configuration through the command line: what its flag sets, and that a value which it does not take is refused
// under the flag's name.
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { KEY_NAMES, type KeyName } from '../../stack/config/keys.js';

const MAIN = fileURLToPath(new URL('../../tools/qstack/main.js', import.meta.url));

type Case = readonly [text: string, path: string, value: unknown];

const SHARES = (['rx', 'tx'] as const).flatMap((side) =>
  ['drop', 'duplicate', 'reorder', 'corrupt', 'delay'].map((what, index) => {
    const share = (index + 1) / 100;
    return [`fault_${side}_${what}`, [`${share}`, `faults.${side}.${what}`, share]] as const;
  }),
);

/** For each key a value that is not its default, and where `qstack config` shows it. */
const CASES: Readonly<Partial<Record<KeyName, Case>>> = {
  num_cores: ['1', 'cores', 1],
  host_ip: ['10.1.0.5/24, 2001:db8::5/64', 'ipv6.address', '2001:db8::5'],
  address_count: ['3', 'addressCount', 3],
  gateway: ['10.1.0.1', 'gateway', '10.1.0.1'],
  router_advertisements: ['yes', 'ipv6.routerAdvertisements', true],
  mtu: ['1400', 'mtu', 1_400],
  vlan: ['7', 'vlan', 7],
  dad_transmits: ['2', 'ipv6.dadTransmits', 2],
  arp: ['10.1.0.9 02:00:00:00:00:09', 'neighbors.0.mac', '02:00:00:00:00:09'],
  max_concurrency: ['1234', 'connectionsMax', 1_234],
  stack_thread: ['2', 'stackThreads', 2],
  app_thread: ['1', 'appThreads', 1],
  app_nice: ['5', 'appNice', 5],
  workers: ['2', 'workersPerApp', 2],
  pin: ['stack=0', 'pins.stacks.0', 0],
  stat_print: ['1', 'statPrint', true],
  pri_enable: ['0', 'priorities', false],
  max_num_buffers: ['4096', 'packetsMax', 4_096],
  rcvbuf: ['32KiB', 'receiveBufferBytes', 32_768],
  sndbuf: ['64KiB', 'sendBufferBytes', 65_536],
  device: ['tap:qtest', 'device.kind', 'tap'],
  mirror: ['memif:/tmp/qstack-flags-test/m.sock', 'mirror.device.path', '/tmp/qstack-flags-test/m.sock'],
  mirror_snap: ['128', 'mirror.snap', 128],
  hugepages: ['yes', 'hugepages', true],
  levels: ['high, low', 'levels.1', 'low'],
  classify: ['length > 80 -> high', 'classify.0.text', 'length > 80 -> high'],
  payload_at: ['32', 'payloadAt', 32],
  policy: ['strict', 'policy', 'strict'],
  starvation_bound: ['50ms', 'starvationBoundMs', 50],
  weights: ['high 4, low 1', 'weights.high', 4],
  deadlines: ['high 5ms, low 100ms', 'deadlinesMs.low', 100],
  max_age: ['low 500ms', 'maxAgesMs.low', 500],
  buffer_share: ['low 50', 'bufferShares.low', 50],
  framing: ['fixed 200', 'framing.kind', 'fixed'],
  order: ['level', 'order', 'level'],
  unordered: ['yes', 'unordered', true],
  tcp_timeout: ['30s', 'idleTimeoutMs', 30_000],
  tcp_timewait: ['1s', 'timeWaitMs', 1_000],
  rto_min: ['20ms', 'rtoMinMs', 20],
  rto_max: ['30s', 'tcp.rtoMaxMs', 30_000],
  delayed_ack: ['20ms', 'delayedAckMs', 20],
  tcp_retries: ['5', 'tcp.retries', 5],
  syn_retries: ['3', 'tcp.synRetries', 3],
  user_timeout: ['9s', 'tcp.userTimeoutMs', 9_000],
  keepalive: ['60s', 'tcp.keepaliveMs', 60_000],
  keepalive_interval: ['5s', 'tcp.keepaliveIntervalMs', 5_000],
  keepalive_count: ['4', 'tcp.keepaliveCount', 4],
  congestion: ['dctcp', 'tcp.congestion', 'dctcp'],
  ecn: ['on', 'tcp.ecn', 'on'],
  pacing: ['yes', 'tcp.pacing', true],
  pacing_rate: ['1000000', 'tcp.pacingRate', 1_000_000],
  syn_cookies: ['no', 'tcp.synCookies', false],
  half_open_per_source: ['16', 'tcp.halfOpenPerSource', 16],
  connections_per_source: ['100', 'tcp.connectionsPerSource', 100],
  sums_max: ['10', 'tcp.sumsMax', 10],
  redis: ['127.0.0.1:6379', 'redis.0.port', 6_379],
  redis_cluster: ['127.0.0.1:7000', 'redisCluster.0.port', 7_000],
  redis_client: ['ioredis', 'redisClient', 'ioredis'],
  answer: ['all', 'answer', 'all'],
  reply: ['http', 'reply', 'http'],
  port: ['8080', 'port', 8_080],
  dashboard: ['127.0.0.1:9999', 'dashboard.port', 9_999],
  dashboard_token: ['a-token-of-this-test', 'dashboardToken', 'given'],
  drain_timeout: ['1s', 'drainTimeoutMs', 1_000],
  slow_handler: ['7ms', 'slowHandlerMs', 7],
  trace_ops: ['yes', 'traceOps', true],
  poll: ['sleep', 'poll', 'sleep'],
  arrangement: ['inline', 'arrangement', 'inline'],
  log_level: ['warn', 'logLevel', 'warn'],
  fault_seed: ['77', 'faults.seed', 77],
  fault_delay: ['9ms', 'faults.delayMaxMs', 9],
  fault_delay_min: ['3ms', 'faults.delayMinMs', 3],
  ...Object.fromEntries(SHARES),
};

/** Keys that exclude one of the others have a command line of their own. */
const ALONE: readonly KeyName[] = ['stack_thread', 'pin', 'redis_cluster', 'weights', 'deadlines', 'fault_delay_min'];
const WITH: Readonly<Partial<Record<KeyName, readonly string[]>>> = {
  weights: ['--policy', 'weighted', '--levels', 'high, low'],
  deadlines: ['--policy', 'deadline', '--levels', 'high, low'],
  fault_delay_min: ['--fault-delay', '9ms', '--fault-rx-delay', '0.1'],
};

const flagOf = (key: string) => `--${key.replaceAll('_', '-')}`;

function config(...args: string[]) {
  return spawnSync(process.execPath, [MAIN, 'config', ...args], { encoding: 'utf8', timeout: 30_000 });
}

function at(settings: unknown, path: string): unknown {
  return path.split('.').reduce((value, name) => (value as Record<string, unknown> | undefined)?.[name], settings);
}

function checkSet(keys: readonly KeyName[], more: readonly string[] = []): void {
  const { status, stdout, stderr } = config(...keys.flatMap((key) => [flagOf(key), CASES[key]?.[0] ?? '']), ...more);
  assert.is(status, 0, stderr);
  for (const key of keys) {
    const [, path, value] = CASES[key] ?? [];
    assert.equal(at(JSON.parse(stdout), path ?? ''), value, flagOf(key));
  }
}

test('every key has a case here', () => {
  assert.equal(
    KEY_NAMES.filter((key) => CASES[key] === undefined),
    [],
  );
});

test('each flag sets what its key says', () => {
  checkSet(KEY_NAMES.filter((key) => !ALONE.includes(key)));
  for (const key of ALONE) checkSet([key], WITH[key]);
});

test('each flag refuses what its key does not take, all at once and by its own name', () => {
  const bad = KEY_NAMES.filter((key) => key !== 'classify');
  const { status, stderr } = config(...bad.flatMap((key) => [flagOf(key), '\t?']));
  assert.is(status, 2);
  for (const key of bad) assert.match(stderr, new RegExp(`^\\S*${flagOf(key)}: `, 'm'));
});

test.run();
