// Keys: every setting of a stack, once. The `.conf`, the object form, the flags and their help are all made from this table.
// A key's type is that of its reader. `many` keys may be given several times and hold a list.

import { STACKS_MAX } from '../abi.js';
import { parseFraming } from '../framing.js';
import { parseIpv4, parseNeighborRange } from './address.js';
import { DASHBOARD_ACCEPTS, DASHBOARD_DEFAULT, parseDashboard } from './dashboard.js';
import { parseDevice, parseMirror, SOCKET_PATH_MAX } from './device.js';
import { parseGateways, parseHostAddresses } from './families.js';
import { parsePins } from './pods.js';
import {
  anyText,
  bufferSize,
  count,
  duration,
  durationOrNever,
  flag,
  oneOf,
  parsed,
  perLevel,
  type Read,
  type Reader,
  secret,
  share,
} from './readers.js';

export const CONNECTIONS_MAX = 16_777_216;
export const LEVELS_MAX = 8;

export interface Key<T> extends Reader<T> {
  doc: string;
  many: boolean;
  /** What its flag means without a value; absent: it needs one. */
  bare?: string;
}

function key<R extends Reader<unknown>>(doc: string, reader: R): R & { doc: string; many: false } {
  return { ...reader, doc, many: false };
}

function many<R extends Reader<unknown>>(doc: string, reader: R): R & { doc: string; many: true } {
  return { ...reader, doc, many: true };
}

export type RedisAddress = { kind: 'unix'; path: string } | { kind: 'tcp'; host: string; port: number };

function parseRedis(text: string): RedisAddress | string {
  if (text.startsWith('/')) {
    const fits = Buffer.byteLength(text) <= SOCKET_PATH_MAX;
    return fits ? { kind: 'unix', path: text } : `the socket's path is longer than ${SOCKET_PATH_MAX} bytes`;
  }
  const [host = '', portText = '', ...rest] = text.split(':');
  const port = Number(portText);
  const right =
    parseIpv4(host) !== undefined && /^\d+$/.test(portText) && port >= 1 && port <= 65_535 && rest.length === 0;
  return right ? { kind: 'tcp', host, port } : `"${text}" is no Redis address`;
}

function parseRedisList(text: string): RedisAddress[] | string {
  const list = text
    .split(/[\s,]+/)
    .filter((part) => part !== '')
    .map(parseRedis);
  return list.find((item) => typeof item === 'string') ?? (list as RedisAddress[]);
}

/** Servers of a cluster name each other by address and port. */
function parseClusterList(text: string): RedisAddress[] | string {
  const list = parseRedisList(text);
  if (typeof list === 'string') return list;
  if (list.length === 0) return 'no server is named';
  return list.some((server) => server.kind === 'unix') ? 'servers of a cluster are reached by TCP' : list;
}

function parseLevels(text: string): string[] | string {
  const names = text.split(/[\s,]+/).filter((part) => part !== '');
  const bad = names.find((name) => !/^[A-Za-z][\w-]{0,30}$/.test(name));
  if (bad !== undefined) return `"${bad}" is no level name`;
  if (new Set(names).size < names.length) return 'a level name stands there twice';
  return names.length >= 1 && names.length <= LEVELS_MAX ? names : `${names.length} levels are named`;
}

export const KEYS = {
  num_cores: key("cores to plan for; above the machine's own it is a warning", count(1, 1_024)),
  host_ip: key(
    'own address and prefix length; one of each family may be given',
    parsed(
      parseHostAddresses,
      'an address',
      'a.b.c.d/p with p from 8 to 30, or an IPv6 address/p, or both with a comma',
    ),
  ),
  address_count: key('how many addresses from host_ip on are ours', count(1, 65_536)),
  gateway: key(
    'router for addresses outside the prefix',
    parsed(parseGateways, 'an address', 'a.b.c.d, or an IPv6 address, or both with a comma'),
  ),
  router_advertisements: key('without an IPv6 gateway: the router that advertises itself is one', flag()),
  mtu: key('bytes of an IP packet that the link carries', count(576, 1_500)),
  vlan: key('802.1Q VLAN of our frames, in and out; 0: untagged frames', count(0, 4_094)),
  dad_transmits: key('probes for duplicates of our IPv6 addresses, one a second (0: none)', count(0, 5)),
  arp: many(
    'a fixed neighbour; one line may cover a range of addresses',
    parsed(
      parseNeighborRange,
      'a neighbour line',
      '`a.b.c.d/p mac`, `first-last mac` or `a.b.c.d mac`, or IPv6 (p from 97), mac not multicast',
    ),
  ),
  max_concurrency: key('connections to plan for', count(1, CONNECTIONS_MAX)),
  stack_thread: key('stack threads, which share the connections', count(1, STACKS_MAX)),
  app_thread: key('application threads', count(1, 64)),
  app_nice: key(
    'niceness of application threads: where they share a core with the stack thread, it goes first',
    count(0, 19),
  ),
  workers: key('worker threads for CPU-heavy tasks, per application thread', count(0, 64)),
  pin: key(
    'the core of each thread; auto: those that the planner chooses (docs/ARCHITECTURE.md 6)',
    parsed(parsePins, 'a choice of cores', 'any, auto, or cores such as `stack=0,8 app=1,9 workers=2-5,10-13`'),
  ),
  stat_print: key('print statistics every second (0: off)', count(0, 1_024)),
  pri_enable: key('priorities on', flag()),
  max_num_buffers: key('packets that may be held at once, receive and send side each', count(256, 524_288)),
  rcvbuf: key('receive buffer of a connection', bufferSize(2_800, 16 * 2 ** 20, 1_024)),
  sndbuf: key('send buffer of a connection', bufferSize(2_800, 64 * 2 ** 20, 1_024)),
  device: key(
    'where frames come from',
    parsed(
      parseDevice,
      'a device',
      'memif:/path?server|client, tap:NAME, af_packet:IF, af_xdp:IF, pcap:IF, pcap:rx=FILE,tx=FILE, or an EAL device string',
    ),
  ),
  mirror: key(
    'a second port that tells a monitor of every frame (docs/monitor.md 9)',
    parsed(parseMirror, 'a mirror', 'memif:/path of a socket in a folder of its own'),
  ),
  mirror_snap: key('bytes of a frame that the mirror copies', count(64, 1_468)),
  hugepages: key('use reserved hugepages (else transparent ones)', flag()),
  levels: key(
    'names of the levels, highest first',
    parsed(parseLevels, 'levels', '1 to 8 different names, highest first'),
  ),
  classify: many(
    'a rule; the first that matches gives the level',
    anyText('`payload[5] == 0x01 and length > 80 -> high`'),
  ),
  payload_at: key('payload begins this many bytes after the start of the TCP header (-i)', count(20, 1_500)),
  policy: key('which level goes next wherever levels wait', oneOf(['strict', 'weighted', 'deadline'])),
  starvation_bound: key(
    'policy strict: the longest that a waiting lower level is passed over',
    durationOrNever(1, 60_000, 1),
  ),
  weights: key('policy weighted: shares of the work', perLevel(count(1, 1_000), 'high 4, low 1')),
  deadlines: key(
    'policy deadline: how long after its arrival a message is to be served',
    perLevel(duration(0.001, 60_000), 'high 5ms, low 100ms'),
  ),
  max_age: key(
    'messages that waited longer are shed before a handler sees them',
    perLevel(duration(0.001, 60_000), 'low 500ms'),
  ),
  buffer_share: key(
    'share of the received packets, in percent, that messages of a level may hold; what comes beyond it is not accepted yet',
    perLevel(count(1, 100), 'low 50'),
  ),
  framing: key(
    'what a message is, where the program does not say it',
    parsed(
      parseFraming,
      'a framing',
      'stream, segment, `fixed N`, or lengthPrefix with any of `offset=0 width=2 order=be adjust=0 maximum=1664`',
    ),
  ),
  order: key(
    'handlers that run at once: one per connection, one per connection and level, or any number',
    oneOf(['connection', 'level', 'none']),
  ),
  unordered: key('messages above the lowest level do not wait for what was lost before them', flag()),
  tcp_timeout: key('a connection that is silent for so long is closed', durationOrNever(1_000, 86_400_000, 1_000)),
  tcp_timewait: key('how long a closed connection stays in TIME-WAIT', durationOrNever(1, 240_000, 1_000)),
  rto_min: key('the shortest retransmission timeout', duration(1, 60_000, 1)),
  rto_max: key('the longest retransmission timeout', duration(1_000, 3_600_000, 1)),
  delayed_ack: key('how long an acknowledgement may wait for data', durationOrNever(1, 500, 1)),
  tcp_retries: key('time-outs in a row until a connection is given up', count(1, 255)),
  syn_retries: key('the same while a connection is opened', count(0, 7)),
  user_timeout: key(
    'how long data may stay unacknowledged, whatever tcp_retries says',
    durationOrNever(100, 86_400_000, 1),
  ),
  keepalive: key('a peer that is silent for so long is probed', durationOrNever(1_000, 604_800_000, 1_000)),
  keepalive_interval: key('from one of these probes to the next', duration(100, 86_400_000, 1_000)),
  keepalive_count: key('probes without an answer until a connection is given up', count(1, 127)),
  congestion: key('congestion control', oneOf(['cubic', 'newreno', 'dctcp'])),
  ecn: key('ECN: never, when the peer asks for it, or also asked for', oneOf(['off', 'accept', 'on'])),
  pacing: key('segments leave over the round trip, not in bursts', flag()),
  pacing_rate: key('bytes a second that one connection may send (0: no limit)', count(0, 4_294_967_294)),
  syn_cookies: key('SYNs are answered by cookie while half-open records are used up', flag()),
  half_open_per_source: key(
    'connections that one address may be opening at once (0: no limit)',
    count(0, CONNECTIONS_MAX),
  ),
  connections_per_source: key('connections that one address may have (0: no limit)', count(0, CONNECTIONS_MAX)),
  sums_max: key('connections that may have their sums of bytes and segments kept', count(0, CONNECTIONS_MAX)),
  redis: key(
    'Redis servers; keys are shared out over them',
    parsed(parseRedisList, 'a list', 'absolute socket paths or a.b.c.d:port, with commas between'),
  ),
  redis_cluster: key(
    'some servers of a Redis Cluster, in place of redis; they name the others',
    parsed(parseClusterList, 'a list', 'a.b.c.d:port, with commas between'),
  ),
  redis_client: key(
    "which Redis client handlers have: hiredis on the packet's line, or ioredis",
    oneOf(['hiredis', 'ioredis']),
  ),
  answer: key('iotepserver: what gets a reply', oneOf(['requests', 'all'])),
  reply: key('iotepserver: form of a reply', oneOf(['iot', 'http'])),
  port: key('TCP port to listen on', count(1, 65_535)),
  dashboard: {
    ...key(
      'the live page, /metrics and /healthz are served here',
      parsed(parseDashboard, 'an address', DASHBOARD_ACCEPTS),
    ),
    bare: DASHBOARD_DEFAULT,
  },
  dashboard_token: key(
    'what a reader of the dashboard has to show (else only who changes something: a random one)',
    secret(),
  ),
  drain_timeout: key('how long a stop waits for open work', durationOrNever(1, 3_600_000, 1_000)),
  slow_handler: key('a handler that runs longer without a yield* is reported', durationOrNever(0.1, 60_000, 1)),
  trace_ops: key('finds ops that nobody awaits, with the line that made them; slow, for debugging', flag()),
  poll: key('how a stack thread waits', oneOf(['busy', 'yield', 'sleep'])),
  arrangement: key(
    "which threads run the stacks: their own, or (shared) each app thread one, or (inline) the program's only thread",
    oneOf(['separate', 'shared', 'inline']),
  ),
  log_level: key(
    'least important event that is logged',
    oneOf(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent']),
  ),
  fault_seed: key('seed of the faults made on purpose', count(0, 4_294_967_295)),
  fault_delay: key('the longest that a delayed frame is held back', duration(0.001, 10_000, 1)),
  fault_delay_min: key(
    'the shortest; as long as fault_delay: all delayed frames stay in order, as on a long wire',
    duration(0.001, 10_000, 1),
  ),
  fault_rx_drop: key('share of received frames that is dropped', share()),
  fault_rx_duplicate: key('share of received frames that is doubled', share()),
  fault_rx_reorder: key('share of received frames that is held back', share()),
  fault_rx_corrupt: key('share of received frames with one bit changed', share()),
  fault_rx_delay: key('share of received frames that is delayed', share()),
  fault_tx_drop: key('share of sent frames that is dropped', share()),
  fault_tx_duplicate: key('share of sent frames that is doubled', share()),
  fault_tx_reorder: key('share of sent frames that is held back', share()),
  fault_tx_corrupt: key('share of sent frames with one bit changed', share()),
  fault_tx_delay: key('share of sent frames that is delayed', share()),
};

export type KeyName = keyof typeof KEYS;
type ValueOf<K> = K extends { read(text: string): Read<infer T> } ? T : never;

/** What was written, by key; a key that was not written is absent. */
export type Values = {
  [K in KeyName]?: (typeof KEYS)[K]['many'] extends true ? ValueOf<(typeof KEYS)[K]>[] : ValueOf<(typeof KEYS)[K]>;
};

export const KEY_NAMES = Object.keys(KEYS) as KeyName[];
