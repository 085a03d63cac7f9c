// The report of a long run: text for a person, one object for a program.
import { formatSize } from '../../stack/config/units.js';
import type { Census } from './census.js';
import type { FleetState } from './devices.js';
import type { MemoryTrend } from './memory.js';
import type { TroubleCounts } from './troubles.js';
import { GROWTH_MAX } from './verdict.js';

export interface SoakReport {
  readonly seed: number;
  readonly minutes: number;
  /** How long troubles and load lasted. */
  readonly seconds: number;
  readonly isStoppedEarly: boolean;
  readonly connections: number;
  readonly stackThreads: number;
  readonly appThreads: number;
  /** The app threads run the stacks. */
  readonly isShared: boolean;
  readonly devices: FleetState;
  readonly troubles: TroubleCounts;
  readonly resetByServer: number;
  readonly memory: MemoryTrend;
  readonly left: { readonly server: Census; readonly devices: Census };
  readonly findings: readonly string[];
}

const number = (value: number) => Math.round(value).toLocaleString('en-US');

export function jsonReport(report: SoakReport): object {
  const { devices, troubles, memory, left } = report;
  const { tally, ends } = devices;
  return {
    seed: report.seed,
    minutes: report.minutes,
    seconds: Math.round(report.seconds),
    stopped_early: report.isStoppedEarly,
    connections: report.connections,
    stack_threads: report.stackThreads,
    app_threads: report.appThreads,
    shared: report.isShared,
    opened: ends.opened,
    finished: ends.finish,
    closed: ends.close,
    cut: ends.cut,
    aborted: ends.abort,
    reset: ends.reset + ends.refused,
    reset_by_server: report.resetByServer,
    sent: tally.sent,
    answered: tally.answered,
    unavailable: tally.unavailable,
    unavailable_without_outage: tally.late,
    forfeited: tally.forfeited,
    mismatched: tally.mismatched,
    lost: tally.lost,
    redis_restarts: troubles.redisRestarts,
    reloads: troubles.reloads,
    deaths: troubles.deaths,
    memory: {
      warm_up_s: Math.round(memory.warmUpS),
      first_bytes: memory.firstBytes,
      last_bytes: memory.lastBytes,
      bytes_per_minute: memory.bytesPerMinute,
      growth: Math.round(memory.growth * 1e4) / 1e4,
      growth_max: GROWTH_MAX,
      judged: memory.isJudged,
    },
    left,
    findings: report.findings,
  };
}

function memoryText({ warmUpS, firstBytes, lastBytes, bytesPerMinute, growth, isJudged }: MemoryTrend): string {
  const perMinute = `${bytesPerMinute < 0 ? '-' : '+'}${formatSize(Math.abs(bytesPerMinute))} a minute`;
  const percent = (share: number) => `${(share * 100).toFixed(1)} %`;
  const bound = isJudged
    ? `${percent(growth)} in all; ${percent(GROWTH_MAX)} are accepted`
    : 'not judged: the run was too short';
  return `server's memory after ${number(warmUpS)} s: ${formatSize(firstBytes)}, at the end ${formatSize(lastBytes)}, ${perMinute} (${bound})`;
}

function threadsOf({ stackThreads, appThreads, isShared }: SoakReport): string {
  const of = (count: number, kind: string) => `${count} ${kind} thread${count === 1 ? '' : 's'}`;
  if (isShared) return `${of(appThreads, 'app')} that run the stacks`;
  return `${of(stackThreads, 'stack')}, ${of(appThreads, 'app')}`;
}

export function textReport(report: SoakReport): string {
  const { devices, troubles, findings, left } = report;
  const { tally, ends } = devices;
  const early = report.isStoppedEarly ? `, stopped before ${report.minutes} minutes were over` : '';
  const isExact = [left.server, left.devices].every((census) => Object.keys(census).length === 0);
  return [
    `${number(report.seconds)} s on ${number(report.connections)} devices, ${threadsOf(report)}${early}`,
    `connections: ${number(ends.opened)} opened; ${number(ends.finish)} finished, ${number(ends.close)} closed, ` +
      `${number(ends.cut)} cut, ${number(ends.abort)} aborted, ${number(ends.reset + ends.refused)} reset ` +
      `(${number(report.resetByServer)} were of app threads that died)`,
    `messages: ${number(tally.sent)} sent; ${number(tally.answered)} answered, ${number(tally.unavailable)} told that Redis was away ` +
      `(${number(tally.late)} while it was not), ${number(tally.forfeited)} forfeited, ${number(tally.lost)} lost, ` +
      `${number(tally.mismatched)} replies mismatched`,
    `troubles: ${number(troubles.redisRestarts)} restarts of Redis servers, ${number(troubles.reloads)} times rules read again, ` +
      `${number(troubles.deaths)} app threads died`,
    memoryText(report.memory),
    ...(isExact ? ['packets, slabs, blocks, records and rings at both ends: all as before the first connection'] : []),
    ...findings.map((finding) => `FOUND: ${finding}`),
    ...(findings.length === 0 ? ['every promise was kept'] : []),
  ].join('\n');
}
