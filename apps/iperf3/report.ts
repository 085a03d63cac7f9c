// What a test has moved, for people (lines as iperf3 prints them) and for programs (the JSON of iperf3 -J).
// In: a Trial, finished or under way. Out: text, or an object. Sizes are binary, rates decimal, as in iperf3.
import { hostname } from 'node:os';
import type { CpuShare } from './protocol.js';
import type { Interval, Trial } from './trial.js';

export const RULE = '- - - - - - - - - - - - - - - - - - - - - - - - -';
export const HEAD = '[ ID] Interval           Transfer     Bitrate';

const sum = (numbers: readonly number[]) => numbers.reduce((total, number) => total + number, 0);

function scaled(value: number, base: number, units: readonly string[]): string {
  let unit = 0;
  while (value >= base && unit < units.length - 1) {
    value /= base;
    unit += 1;
  }
  return `${value.toFixed(value < 10 ? 2 : value < 100 ? 1 : 0)} ${units[unit]}`;
}

const sizeText = (bytes: number) => scaled(bytes, 1024, ['Bytes', 'KBytes', 'MBytes', 'GBytes', 'TBytes']);
const rateText = (bits: number) => scaled(bits, 1000, ['bits/sec', 'Kbits/sec', 'Mbits/sec', 'Gbits/sec']);
const bitsPerSecond = (bytes: number, seconds: number) => (seconds > 0 ? (bytes * 8) / seconds : 0);

function line(id: string, start: number, end: number, bytes: number, note = ''): string {
  const span = `${start.toFixed(2)}-${end.toFixed(2)}`.padStart(11);
  const rate = rateText(bitsPerSecond(bytes, end - start));
  return `[${id.padStart(3)}] ${span}   sec  ${sizeText(bytes).padStart(12)}  ${rate.padStart(14)}${note}`;
}

/** One line per stream, and their sum when there are several. */
function lines(trial: Trial, start: number, end: number, bytes: readonly number[], note: string): string[] {
  const each = bytes.map((count, index) => line(`${trial.streams[index]?.id ?? 0}`, start, end, count, note));
  return bytes.length < 2 ? each : [...each, line('SUM', start, end, sum(bytes), note)];
}

export function startLines(trial: Trial): string[] {
  const connected = trial.streams.map(({ id, local, remote }) => {
    const [from, to] = [`${local.address} port ${local.port}`, `${remote.address} port ${remote.port}`];
    return `[${String(id).padStart(3)}] local ${from} connected to ${to}`;
  });
  return [...connected, HEAD];
}

export function intervalLines(trial: Trial, { start, end, bytes, omitted }: Interval): string[] {
  const several = bytes.length > 1 ? [RULE] : [];
  return [...lines(trial, start, end, bytes, omitted ? '  (omitted)' : ''), ...several];
}

/** Bytes per stream as the two ends have counted them. */
function ends(trial: Trial): { sent: number[]; received: number[] } {
  const ours = trial.streams.map(({ bytes }) => bytes);
  const theirs = trial.streams.map(({ id }) => trial.theirs?.streams.find((stream) => stream.id === id)?.bytes ?? 0);
  return trial.sends ? { sent: ours, received: theirs } : { sent: theirs, received: ours };
}

export function endLines(trial: Trial): string[] {
  if (trial.fault !== undefined) return [`iperf3: error - ${trial.fault}`];
  const { sent, received } = ends(trial);
  return [
    RULE,
    HEAD,
    ...lines(trial, 0, trial.seconds, sent, '  sender'),
    ...lines(trial, 0, trial.seconds, received, '  receiver'),
  ];
}

function span(start: number, end: number, bytes: number, sender: boolean): object {
  const seconds = end - start;
  return { start, end, seconds, bytes, bits_per_second: bitsPerSecond(bytes, seconds), sender };
}

function intervalJson(trial: Trial, { start, end, bytes, omitted }: Interval): object {
  const streams = bytes.map((count, index) => ({
    socket: trial.streams[index]?.id,
    ...span(start, end, count, trial.sends),
    omitted,
  }));
  return { streams, sum: { ...span(start, end, sum(bytes), trial.sends), omitted } };
}

function startJson(trial: Trial): object {
  const { parameters, role, peer } = trial;
  const { streams, block, omitSeconds, seconds, bytes, reverse } = parameters;
  return {
    connected: trial.streams.map(({ id, local, remote }) => ({
      socket: id,
      local_host: local.address,
      local_port: local.port,
      remote_host: remote.address,
      remote_port: remote.port,
    })),
    version: 'qstack iperf3',
    system_info: hostname(),
    timestamp: { time: trial.startedAt.toUTCString(), timesecs: Math.floor(trial.startedAt.getTime() / 1000) },
    [role === 'client' ? 'connecting_to' : 'accepted_connection']: { host: peer.address, port: peer.port },
    cookie: trial.cookie,
    test_start: {
      protocol: 'TCP',
      num_streams: streams,
      blksize: block,
      omit: omitSeconds,
      duration: seconds,
      bytes,
      blocks: 0,
      reverse: reverse ? 1 : 0,
    },
  };
}

function cpuJson(host: CpuShare, remote: CpuShare): object {
  return {
    host_total: host.total,
    host_user: host.user,
    host_system: host.system,
    remote_total: remote.total,
    remote_user: remote.user,
    remote_system: remote.system,
  };
}

function endJson(trial: Trial): object {
  const { sent, received } = ends(trial);
  const one = (bytes: number) => span(0, trial.seconds, bytes, trial.sends);
  return {
    streams: trial.streams.map(({ id }, index) => ({
      sender: { socket: id, ...one(sent[index] ?? 0) },
      receiver: { socket: id, ...one(received[index] ?? 0) },
    })),
    sum_sent: one(sum(sent)),
    sum_received: one(sum(received)),
    cpu_utilization_percent: cpuJson(trial.cpu, trial.theirs?.cpu ?? { total: 0, user: 0, system: 0 }),
  };
}

export function trialJson(trial: Trial): object {
  const intervals = trial.intervals.map((interval) => intervalJson(trial, interval));
  const begun = { start: startJson(trial), intervals };
  return trial.fault === undefined ? { ...begun, end: endJson(trial) } : { ...begun, end: {}, error: trial.fault };
}
