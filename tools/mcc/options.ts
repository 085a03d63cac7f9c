// Options: what mcc's command line says. In: the texts of its flags (command.ts). Out: validated options, or every fault at
// once, each a sentence that names its flag.
import { availableParallelism, cpus } from 'node:os';
import type { Device } from '../../stack/config/device.js';
import { CONNECTIONS_MAX } from '../../stack/config/keys.js';
import { DASHBOARD_MCC, type DashboardFlags, readDashboard } from '../dashboard/flags.js';
import { type ClusterRole, readCluster } from './cluster/options.js';
import { FlagReader, type FlagTexts } from './flag-reader.js';
import { kernelMachine } from './kernel.js';
import type { Level } from './levels.js';
import { closedLoopPhases, readFlood, readPhases } from './load-options.js';
import { CLOSED_LEVELS, type ClosedLoop, readMode } from './modes.js';
import { readPlace, readThreads } from './network-options.js';
import { type OutputOptions, readOutputs } from './output-options.js';
import type { Phase } from './phases.js';
import { parseThreshold, type Threshold } from './thresholds.js';
import { readTraffic, type TrafficOptions } from './traffic-options.js';

export interface MccOptions extends TrafficOptions, OutputOptions, DashboardFlags {
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
  /** Undefined: the open loop. */
  loop: ClosedLoop | undefined;
  networkStack: 'qstack' | 'kernel';
  /** On kernel sockets: local addresses, 0 where the kernel chooses. */
  sources: readonly number[];
  /** Each with its share of the connections; more than one on kernel sockets alone. */
  processes: number;
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
  thresholds: readonly Threshold[];
  json: boolean;
  quiet: boolean;
  /** Only threads and memory are printed. */
  plan: boolean;
  /** Undefined: this mcc makes its test alone. */
  cluster: ClusterRole | undefined;
}

export interface Parsed {
  options?: MccOptions;
  faults: string[];
  warnings: string[];
}

function readThresholds(reader: FlagReader, levels: readonly Level[]): Threshold[] {
  const names = levels.map(({ name }) => name);
  return reader.texts('failIf').flatMap((expression) => {
    const threshold = parseThreshold(expression, names);
    if (typeof threshold !== 'string') return [threshold];
    reader.faults.push(`--fail-if: ${threshold}`);
    return [];
  });
}

/** `cores` is the machine's number; `machine` is what kernel sockets need to know of it. */
export function readOptions(texts: FlagTexts, cores = availableParallelism(), machine = kernelMachine()): Parsed {
  const reader = new FlagReader(texts);
  const connections = reader.count('conn', '-c', 1, CONNECTIONS_MAX, 1);
  const destination = reader.address('dest', '--dest') ?? 0;
  const place = readPlace(reader, connections, destination, machine);
  const traffic = readTraffic(reader);
  const { floodPerS, alone } = readFlood(reader);
  const loop = readMode(reader, destination, texts.randomLength === true);
  const phases = loop === undefined ? readPhases(reader, connections, alone) : closedLoopPhases(reader, loop);
  if (
    !traffic.answeredAll &&
    phases.some((phase) => phase.kind === 'capacity') &&
    traffic.levels.slice(1).some(({ share }) => share > 0)
  ) {
    reader.faults.push(
      '--phases: capacity is measured where every message is answered; say --answer all here and to the server',
    );
  }
  readThreads(reader, cores);
  const options: MccOptions = {
    connections,
    batches: Math.max(1, Math.round(reader.seconds('setupTime', '-s') / 1_000)),
    connectLimitMs: reader.seconds('connectLimit', '--connect-limit'),
    waitMs: reader.seconds('waitTime', '-w'),
    phases,
    capacityPerS: reader.rate('capacity', '--capacity'),
    floodPerS,
    ...traffic,
    ...(loop === undefined ? {} : { levels: CLOSED_LEVELS, answeredAll: true }),
    loop,
    ...place,
    destination,
    port: reader.count('port', '--port', 1, 65_535, 80),
    gateway: reader.address('gateway', '--gateway') ?? 0,
    vlan: reader.count('vlan', '--vlan', 0, 4_094),
    mac: reader.text('mac'),
    packets: reader.count('packets', '--packets', 256, 524_288),
    core: reader.count('core', '--core', 0, cpus().length - 1, -1),
    seed: reader.count('seed', '--seed', 0, Number.MAX_SAFE_INTEGER, 1),
    thresholds: readThresholds(reader, loop === undefined ? traffic.levels : CLOSED_LEVELS),
    ...readDashboard(reader, texts.dashboard === true, DASHBOARD_MCC),
    ...readOutputs(reader),
    json: texts.json === true,
    quiet: texts.quiet === true,
    plan: texts.plan === true,
    cluster: readCluster(reader, texts.worker === true, { connections, phases }),
  };
  const { faults, warnings } = reader;
  return faults.length > 0 ? { faults, warnings } : { options, faults, warnings };
}
