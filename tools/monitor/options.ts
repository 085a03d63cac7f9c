// Options: what monitor is asked for, from flags, setting.cfg and this machine.
// In: texts of flags, the file's settings. Out: validated options, or every fault at once. A flag goes before the file.
import { readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { parseDevice } from '../../stack/config/device.js';
import { parseCount, parseDurationMs, parseSizeBytes } from '../../stack/config/units.js';
import { type Framing, parseFraming } from '../../stack/framing.js';
import { DASHBOARD_MONITOR, type DashboardFlags, readDashboard } from '../dashboard/flags.js';
import { FlagReader, type FlagTexts } from '../mcc/flag-reader.js';
import { type LevelOptions, readLevels } from './levels.js';
import { parseSettingCfg, type SettingCfg } from './setting-cfg.js';
import { type Source, sourceOf } from './sources.js';
import { socketFault } from './watched-server.js';

export type MonitorFraming = Exclude<Framing, { kind: 'stream' }> | { kind: 'http' } | { kind: 'https' };

export interface MonitorOptions extends DashboardFlags {
  readonly source: Source;
  readonly ports: readonly number[];
  readonly framing: MonitorFraming;
  readonly labels: { offset: number; request: readonly number[]; response: readonly number[] } | undefined;
  readonly levels: LevelOptions;
  readonly iot: boolean;
  readonly firstLevelOnly: boolean;
  readonly bursts: boolean;
  readonly intervalMs: number;
  readonly tickMs: number;
  /** 0: until it is stopped. */
  readonly durationMs: number;
  readonly connections: number;
  readonly idleMs: number;
  readonly shards: number;
  readonly snaplen: number;
  /** 0: no frames are kept. */
  readonly captureOverMs: number;
  readonly captureDir: string;
  readonly captureSpanMs: number;
  readonly captureMax: number;
  readonly json: boolean;
  readonly hgrm: string | undefined;
  readonly filesDir: string | undefined;
  readonly periodMs: number;
  readonly quiet: boolean;
}

export interface Parsed {
  readonly options?: MonitorOptions;
  readonly faults: readonly string[];
  readonly warnings: readonly string[];
}

const TICK_MS = 1_000;
const SHARDS_MAX = 64;
/** 32 interfaces of a mask. */
const MASK = /^(0x)?[\da-f]{1,8}$/i;

/** `30s`, `5ms`; a bare number is seconds, as HCMonitor has them. */
function time(reader: FlagReader, name: string, flag: string, leastMs: number, fallbackMs: number): number {
  const read = (text: string) => {
    const ms = parseDurationMs(text, 1_000);
    return ms !== undefined && ms >= leastMs && ms <= 86_400_000 ? ms : undefined;
  };
  return reader.number(name, flag, read, `a time from ${leastMs} ms to a day, such as 5ms or 60s`, fallbackMs);
}

function readSetting(path: string, faults: string[], warnings: string[]): SettingCfg | undefined {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    faults.push(`-f: ${path} cannot be read (${(error as NodeJS.ErrnoException).code})`);
    return undefined;
  }
  const setting = parseSettingCfg(text, path);
  faults.push(...setting.faults);
  warnings.push(...setting.warnings);
  return setting.settings;
}

function readPorts(reader: FlagReader, setting: SettingCfg | undefined): number[] {
  const text = reader.text('port');
  if (text === undefined) return [setting?.server_port ?? 80];
  const ports = text.split(',').map((part) => parseCount(part) ?? 0);
  if (!ports.every((port) => port >= 1 && port <= 65_535))
    reader.refuse('--port', text, 'ports from 1 to 65535, such as 80,443');
  return ports;
}

function readFraming(reader: FlagReader, setting: SettingCfg | undefined): MonitorFraming {
  const text = reader.text('framing');
  if (text === undefined) {
    if (setting?.enableHTTPS === 1) return { kind: 'https' };
    return setting?.enableHTTP === 1 ? { kind: 'http' } : { kind: 'segment' };
  }
  if (text === 'http' || text === 'https') return { kind: text };
  const framing = parseFraming(text);
  if (typeof framing === 'object' && framing.kind !== 'stream') return framing;
  const why =
    typeof framing === 'string' ? framing : "segment, fixed N, 'lengthPrefix offset=0 width=2', http or https";
  reader.refuse('--framing', text, why);
  return { kind: 'segment' };
}

/** The labels of HCMonitor tell requests from responses; HTTP and TLS do that by themselves. */
function labelsOf(setting: SettingCfg | undefined): MonitorOptions['labels'] {
  if (setting === undefined || setting.enableHTTP === 1 || setting.enableHTTPS === 1) return undefined;
  return { offset: setting.LabelOffset, request: setting.request_label, response: setting.response_label };
}

/** The lowest interface of the mask; the others are named. */
function readMask(reader: FlagReader): number {
  const text = reader.text('portMask') ?? '1';
  const mask = MASK.test(text) ? Number.parseInt(text, 16) : 0;
  if (mask === 0) reader.refuse('-p', text, 'a hexadecimal mask of ports with at least one bit, such as 1');
  const ports = Array.from({ length: 32 }, (_, port) => port).filter((port) => Math.floor(mask / 2 ** port) % 2 === 1);
  if (ports.length > 1) {
    reader.warnings.push(
      `-p ${text}: one monitor watches one source, so only port ${ports[0]}; start one for each, then monitor merge`,
    );
  }
  return ports[0] ?? 0;
}

function readSource(reader: FlagReader): Source | undefined {
  const [file, name, device, mirror] = ['pcap', 'interface', 'device', 'mirror'].map((flag) => reader.text(flag));
  if ([file, name, device, mirror].filter((text) => text !== undefined).length > 1) {
    reader.faults.push(
      '--pcap, --interface, --device and --mirror: one source at a time; monitor merge adds results up',
    );
    return undefined;
  }
  const mask = readMask(reader);
  if (device !== undefined) {
    const parsed = parseDevice(device);
    if (typeof parsed === 'string') reader.refuse('--device', device, parsed);
  }
  if (mirror !== undefined) {
    const fault = socketFault(mirror);
    if (fault !== undefined) reader.refuse('--mirror', mirror, fault);
  }
  const source = sourceOf({ file, interface: name, device, mirror, number: mask });
  if (typeof source !== 'string') return source;
  reader.faults.push(source);
  return undefined;
}

function readShards(reader: FlagReader, setting: SettingCfg | undefined): number {
  const cores = availableParallelism();
  const usual = Math.max(1, Math.min(4, cores - 1));
  const asked = reader.count('queues', '-q', 1, SHARDS_MAX, 0);
  const shards = reader.count('shards', '--shards', 1, SHARDS_MAX, asked || setting?.pr_queues || usual);
  if (shards <= cores) return shards;
  reader.warnings.push(`${shards} threads that match are more than the ${cores} cores of this machine: ${usual}`);
  return usual;
}

export function readOptions(texts: FlagTexts & { rule?: readonly string[] }): Parsed {
  const { rule = [], ...flags } = texts;
  const reader = new FlagReader(flags as FlagTexts);
  const path = reader.text('setting');
  const setting = path === undefined ? undefined : readSetting(path, reader.faults, reader.warnings);
  const intervalMs = time(reader, 'interval', '--interval', 100, (setting?.interval ?? 60) * 1_000);
  const tickMs = Math.min(TICK_MS, intervalMs);
  const iot = flags.iot === true;
  const filesDir = reader.text('hcmonitorFiles');
  const bytes = (text: string) => {
    const value = parseSizeBytes(text);
    return value !== undefined && Number.isInteger(value) && value >= 64 && value <= 9_216 ? value : undefined;
  };
  const source = readSource(reader);
  const partial = {
    ports: readPorts(reader, setting),
    framing: readFraming(reader, setting),
    labels: labelsOf(setting),
    levels: readLevels(reader, rule, { iot, setting }),
    iot: iot || setting?.enableMCC === 1,
    firstLevelOnly: reader.choice('answer', '--answer', ['all', 'requests']) === 'requests',
    bursts: filesDir !== undefined && (setting === undefined || setting.enableMCC === 1),
    // Whole ticks.
    intervalMs: Math.round(intervalMs / tickMs) * tickMs,
    tickMs,
    durationMs: time(reader, 'duration', '--duration', 1, 0),
    connections: reader.count('connections', '--connections', 1, 2 ** 25),
    idleMs: time(reader, 'idle', '--idle', 1, 60_000),
    shards: readShards(reader, setting),
    snaplen: reader.number('snaplen', '--snaplen', bytes, 'bytes from 64 to 9216', 320),
    captureOverMs: time(reader, 'captureOver', '--capture-over', 0.001, 0),
    captureDir: reader.text('captureDir') ?? '.',
    captureSpanMs: time(reader, 'captureSpan', '--capture-span', 1, 2_000),
    captureMax: reader.count('captureMax', '--capture-max', 1, 1_000_000),
    json: flags.json === true,
    hgrm: reader.text('hgrm'),
    filesDir,
    periodMs: time(reader, 'period', '-T', 0, 10_000),
    ...readDashboard(reader, flags.dashboard === true, DASHBOARD_MONITOR),
    quiet: flags.quiet === true,
  };
  const { faults, warnings } = reader;
  return faults.length > 0 || source === undefined
    ? { faults, warnings }
    : { options: { source, ...partial }, faults, warnings };
}
