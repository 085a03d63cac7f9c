// Options: mcc's command line. QStack's own flags keep their letters and meaning; the long-only ones are ours.
// In: arguments. Out: validated options, or every fault at once, each a sentence that names its flag.
import { availableParallelism, cpus } from 'node:os';
import { join } from 'node:path';
import { Command, Option } from 'commander';
import { formatIpv4, networkOf, parseIpv4, prefixSize } from '../../stack/config/address.js';
import { type Device, parseDevice } from '../../stack/config/device.js';
import { runtimeDir } from '../../stack/config/runtime-dir.js';
import { parseCount, parseDurationMs, parseRatePerS, parseShare } from '../../stack/config/units.js';
import { PHASE_SYNTAX, type Phase, parsePhases } from './phases.js';

/** Ports 1025 … 65535 of each local address. */
export const PORTS_PER_ADDRESS = 64_511;
/** One segment without options other than timestamps at an MTU of 1500. */
export const MESSAGE_MAX = 1_448;
export const MESSAGE_MIN = 10;
export const CONNECTIONS_MAX = 16_777_216;
const DURATION_DEFAULT_MS = 1_000_000_000;

export interface MccOptions {
  connections: number;
  batches: number;
  /** How long after the set-up time connections may still be opening. */
  connectLimitMs: number;
  waitMs: number;
  phases: Phase[];
  /** Messages a second that the server is known to answer; 0: nothing is known. */
  capacityPerS: number;
  /** SYNs a second from random addresses, from before the first connection on; 0: none. */
  floodPerS: number;
  messageLength: number;
  requestRatio: number;
  levelPerMessage: boolean;
  thinkNs: number;
  answeredAll: boolean;
  echo: boolean;
  destination: number;
  port: number;
  source: number;
  ips: number;
  prefixLength: number;
  gateway: number;
  /** 802.1Q; 0: frames are untagged. */
  vlan: number;
  device: Device;
  mac: string | undefined;
  /** To send with; 0: as many as the load may have on its way. */
  packets: number;
  core: number;
  seed: number;
  logMs: number;
  json: boolean;
  quiet: boolean;
  /** Only threads and memory are printed. */
  plan: boolean;
}

export interface Parsed {
  options?: MccOptions;
  faults: string[];
  warnings: string[];
}

const EXAMPLES = `
Examples:
  mcc -c 100000 -b 20000 -e 5 -s 5 -w 1 -l 200 -r 0.05 -d 10s      waves: 20,000 messages a second, in one go
  mcc -c 100000 --rate 50k/s -r 0.05 -d 30s --json                 the same connections, a constant rate
  mcc -c 100000 --answer all --phases 'wave:20000/1s/10s,capacity:3s,paced:150%/5s'
  mcc --flood syn --rate 1M/s -d 30s                               a SYN flood, and one connection that watches the server
  mcc -c 1000 --vlan 5 --device af_packet:veth0 --rate 1k/s -d 10s        on VLAN 5 of an interface
  mcc -c 10000 -s 5 --flood syn --flood-rate 1M/s --rate 50k/s -d 30s    connections and messages under a flood
  mcc -c 10000 -s 5 --answer all --flood syn --capacity 300k/s --phases paced:50%/30s    a share of a known capacity
  mcc -c 10368000 --ips 230 --plan                                 memory for ten million connections
Latency counts from the intended send time. ^C ends the run and prints the summary, a second ^C quits.`;

export function mccCommand(): Command {
  return new Command('mcc')
    .description('open-loop load generator on the qstack stack')
    .option('-c, --conn <n>', 'connections', '1')
    .option('-b, --burst <n>', 'messages per wave', '1')
    .option('-e, --epoch <time>', 'time in which each connection sends once (seconds)', '1')
    .option('-s, --setup-time <time>', 'connections open in equal batches, one a second (seconds)', '1')
    .option('--connect-limit <time>', 'how long after the set-up time connections may still be opening (seconds)', '60')
    .option('-w, --wait-time <time>', 'pause between the last open and the first message (seconds)', '1')
    .option('-d, --duration <time>', 'length of the run (seconds)', '1000000')
    .option('-l, --length <bytes>', 'message length', '16')
    .option('-p, --priority-level <n>', '1: fixed per connection, 2: drawn per message', '1')
    .option('-r, --request-ratio <share>', 'share of requests, the high level', '1')
    .option('-t, --think-time <ns>', "the generator's own work per reply", '0')
    .option('--rate <rate>', 'constant rate over all connections instead of waves')
    .option('--flood <kind>', 'syn: SYNs from random addresses of the network, from before the first connection on')
    .option('--flood-rate <rate>', 'of the flood, beside messages; without it --rate is the rate of the flood')
    .option('--phases <list>', 'several runs on the same connections')
    .option('--capacity <rate>', 'known from an earlier run; what is measured counts where it is more')
    .option('--answer <what>', 'what the server answers: requests | all', 'requests')
    .option('--reply <form>', 'auto (iot or http) | echo', 'auto')
    .option('--dest <address>', "server's address", '10.0.0.1')
    .option('--port <n>', "server's port", '80')
    .option('--ips <n>', 'local addresses (as many as the connections need)')
    .option('--source <address>', 'first local address')
    .option('--prefix <bits>', 'prefix length of the network', '16')
    .option('--gateway <address>', 'router, when --dest is outside the network')
    .option('--vlan <n>', '802.1Q VLAN of our frames, in and out (0: untagged)', '0')
    .option('--smp <n>', '1 control thread and n - 1 engine threads', '2')
    .option('--network-stack <name>', 'qstack | mtcp (the same)', 'qstack')
    .option('--socket <path>', "memif socket of the server's stack")
    .option('--device <device>', 'another device: memif:PATH, tap:NAME, af_packet:IF, af_xdp:IF, pcap:IF, EAL string')
    .option('--mac <mac>', 'own MAC address')
    .option(
      '--packets <n>',
      'packets that may wait to be sent or acknowledged (as many as the load may have on its way)',
    )
    .option('--core <n>', 'core of the engine thread (any)')
    .option('--seed <n>', 'seed of levels and order', '1')
    .option('--log-duration <time>', 'period of progress lines when stderr is no terminal (seconds)', '1')
    .option('--json', 'one JSON object on stdout')
    .option('--quiet', 'no progress')
    .option('--plan', 'print threads and memory, and start nothing')
    .addOption(new Option('--no-delay <n>').hideHelp())
    .addHelpText('after', EXAMPLES)
    .allowExcessArguments(false);
}

type Texts = Record<string, string | boolean | undefined>;

/** Reads flags one by one and keeps every fault. */
class Reader {
  readonly faults: string[] = [];
  readonly warnings: string[] = [];

  constructor(private readonly texts: Texts) {}

  text(name: string): string | undefined {
    const value = this.texts[name];
    return typeof value === 'string' ? value : undefined;
  }

  refuse(flag: string, text: string | undefined, accepts: string): void {
    this.faults.push(`${flag}: "${text ?? ''}" is not accepted; ${accepts}`);
  }

  number(
    name: string,
    flag: string,
    read: (text: string) => number | undefined,
    accepts: string,
    fallback = 0,
  ): number {
    const text = this.text(name);
    if (text === undefined) return fallback;
    const value = read(text);
    if (value === undefined) this.refuse(flag, text, accepts);
    return value ?? fallback;
  }

  count(name: string, flag: string, least: number, most: number, fallback = 0): number {
    const inRange = (text: string) => {
      const value = parseCount(text);
      return value !== undefined && value >= least && value <= most ? value : undefined;
    };
    return this.number(name, flag, inRange, `a whole number from ${least} to ${most}`, fallback);
  }

  /** Bare numbers are seconds, as in MCC. */
  seconds(name: string, flag: string, leastMs = 0): number {
    const inRange = (text: string) => {
      const ms = parseDurationMs(text, 1_000);
      return ms !== undefined && ms >= leastMs && ms <= DURATION_DEFAULT_MS ? ms : undefined;
    };
    return this.number(name, flag, inRange, 'a time such as 30s, 250ms or a number of seconds');
  }

  address(name: string, flag: string): number | undefined {
    const text = this.text(name);
    if (text === undefined) return undefined;
    const address = parseIpv4(text);
    if (address === undefined) this.refuse(flag, text, 'an address a.b.c.d');
    return address;
  }

  choice(name: string, flag: string, accepted: readonly string[]): string {
    const text = this.text(name) ?? '';
    if (!accepted.includes(text)) this.refuse(flag, text, `one of ${accepted.join(', ')}`);
    return text;
  }
}

function readRate(reader: Reader, name: string, flag: string): number {
  const accepts = 'a rate of at least 1/s, such as 5k/s';
  const atLeastOne = (text: string) => Math.round(parseRatePerS(text) ?? 0) || undefined;
  return reader.number(name, flag, atLeastOne, accepts);
}

/** A flood alone is watched by a few messages a second: are connections served while it lasts? */
const WATCH_PER_S = 10;
const FLOOD_DEFAULT_PER_S = 1_000_000;

function readFlood(reader: Reader): { floodPerS: number; alone: boolean } {
  if (reader.text('flood') === undefined) {
    const rate = reader.text('floodRate');
    if (rate !== undefined) reader.refuse('--flood-rate', rate, 'it goes with --flood syn');
    return { floodPerS: 0, alone: false };
  }
  reader.choice('flood', '--flood', ['syn']);
  const given = readRate(reader, 'floodRate', '--flood-rate');
  const alone = given === 0 && reader.text('phases') === undefined;
  const floodPerS = given || (alone ? readRate(reader, 'rate', '--rate') : 0) || FLOOD_DEFAULT_PER_S;
  return { floodPerS, alone };
}

function readPhases(reader: Reader, connections: number, floodAlone: boolean): Phase[] {
  const durationMs = reader.seconds('duration', '-d', 1);
  const burst = reader.count('burst', '-b', 1, CONNECTIONS_MAX, 1);
  const epoch = reader.seconds('epoch', '-e', 0.001);
  const list = reader.text('phases');
  if (list !== undefined) {
    const phases = parsePhases(list, reader.text('capacity') !== undefined);
    if (typeof phases !== 'string') return phases;
    reader.faults.push(`--phases: ${phases}; a list of ${PHASE_SYNTAX}`);
  }
  if (floodAlone) return [{ kind: 'paced', ratePerS: WATCH_PER_S, durationMs }];
  if (reader.text('rate') !== undefined) {
    return [{ kind: 'paced', ratePerS: readRate(reader, 'rate', '--rate'), durationMs }];
  }
  return [{ kind: 'wave', burst, intervalMs: epoch / Math.max(1, Math.ceil(connections / burst)), durationMs }];
}

function readDevice(reader: Reader): Device {
  const text = reader.text('device');
  const socket = reader.text('socket') ?? join(runtimeDir(), 'memif', 'qstack.sock');
  const device = parseDevice(text ?? `memif:${socket}?client`);
  if (typeof device !== 'string') return device.kind === 'memif' ? { ...device, role: 'client' } : device;
  reader.faults.push(`${text === undefined ? '--socket' : '--device'}: ${device}`);
  return { kind: 'eal', device: '' };
}

/** Local addresses that the server's own address is not among. */
function readSource(reader: Reader, destination: number, ips: number, prefixLength: number): number {
  const given = reader.address('source', '--source');
  const network = networkOf(destination, prefixLength);
  let source = given ?? network + Math.min(257, prefixSize(prefixLength) >>> 1);
  const holds = destination >= source && destination < source + ips;
  if (given === undefined && holds) source = destination + 1;
  if (given !== undefined && holds) {
    reader.faults.push(`--source: ${formatIpv4(given)} and the ${ips - 1} after it hold the server's own address`);
  }
  const last = networkOf(source, prefixLength) + prefixSize(prefixLength) - 2;
  if (source + ips - 1 > last) {
    reader.faults.push(`--ips: ${ips} addresses from ${formatIpv4(source)} on do not fit into a /${prefixLength}`);
  }
  return source;
}

function readThreads(reader: Reader, cores: number): void {
  const smp = reader.count('smp', '--smp', 1, 1_024, 2);
  const engines = Math.max(1, smp - 1);
  if (engines + 1 > cores && engines > 1) {
    reader.warnings.push(
      `--smp ${smp}: this machine has ${cores} cores, so there are at most ${Math.max(1, cores - 1)} engine threads`,
    );
  }
  if (engines > 1) {
    reader.warnings.push(
      `--smp ${smp}: one engine thread runs, because a memif socket has one peer and one queue; it opens all connections`,
    );
  }
}

function readNetworkStack(reader: Reader): void {
  const name = reader.text('networkStack');
  if (name === 'kernel') {
    reader.faults.push('--network-stack: kernel sockets are not available yet; qstack, or mtcp which means the same');
  } else {
    reader.choice('networkStack', '--network-stack', ['qstack', 'mtcp']);
  }
}

function readTraffic(reader: Reader) {
  const answeredAll = reader.choice('answer', '--answer', ['requests', 'all']) === 'all';
  return {
    messageLength: reader.count('length', '-l', MESSAGE_MIN, MESSAGE_MAX, 16),
    requestRatio: reader.number('requestRatio', '-r', parseShare, 'a share from 0 to 1, or a percentage'),
    levelPerMessage: reader.count('priorityLevel', '-p', 1, 2, 1) === 2,
    thinkNs: reader.count('thinkTime', '-t', 0, 1e9),
    answeredAll,
    echo: reader.choice('reply', '--reply', ['auto', 'echo']) === 'echo',
  };
}

/** `cores` is the machine's number. */
export function readOptions(texts: Texts, cores = availableParallelism()): Parsed {
  const reader = new Reader(texts);
  const connections = reader.count('conn', '-c', 1, CONNECTIONS_MAX, 1);
  const prefixLength = reader.count('prefix', '--prefix', 8, 30, 16);
  const enough = Math.ceil(connections / PORTS_PER_ADDRESS);
  const ips = reader.count('ips', '--ips', 1, 65_536, enough);
  if (ips < enough) {
    reader.faults.push(
      `--ips: ${connections} connections need at least ${enough} local addresses of ${PORTS_PER_ADDRESS} ports`,
    );
  }
  const destination = reader.address('dest', '--dest') ?? 0;
  const traffic = readTraffic(reader);
  const { floodPerS, alone } = readFlood(reader);
  const phases = readPhases(reader, connections, alone);
  if (!traffic.answeredAll && phases.some((phase) => phase.kind === 'capacity') && traffic.requestRatio < 1) {
    reader.faults.push(
      '--phases: capacity is measured where every message is answered; say --answer all here and to the server',
    );
  }
  readThreads(reader, cores);
  readNetworkStack(reader);
  const options: MccOptions = {
    connections,
    batches: Math.max(1, Math.round(reader.seconds('setupTime', '-s') / 1_000)),
    connectLimitMs: reader.seconds('connectLimit', '--connect-limit'),
    waitMs: reader.seconds('waitTime', '-w'),
    phases,
    capacityPerS: readRate(reader, 'capacity', '--capacity'),
    floodPerS,
    ...traffic,
    destination,
    port: reader.count('port', '--port', 1, 65_535, 80),
    source: readSource(reader, destination, ips, prefixLength),
    ips,
    prefixLength,
    gateway: reader.address('gateway', '--gateway') ?? 0,
    vlan: reader.count('vlan', '--vlan', 0, 4_094),
    device: readDevice(reader),
    mac: reader.text('mac'),
    packets: reader.count('packets', '--packets', 256, 524_288),
    core: reader.count('core', '--core', 0, cpus().length - 1, -1),
    seed: reader.count('seed', '--seed', 0, Number.MAX_SAFE_INTEGER, 1),
    logMs: Math.max(1_000, reader.seconds('logDuration', '--log-duration')),
    json: texts.json === true,
    quiet: texts.quiet === true,
    plan: texts.plan === true,
  };
  const { faults, warnings } = reader;
  return faults.length > 0 ? { faults, warnings } : { options, faults, warnings };
}
