// The line that a long run says of itself every few seconds.
import { formatSize } from '../../stack/config/units.js';
import type { FleetState } from './devices.js';
import type { TroubleCounts } from './troubles.js';

export interface Progress {
  readonly nowMs: number;
  readonly periodMs: number;
  readonly fleet: FleetState;
  /** At the line before. */
  readonly before: FleetState | undefined;
  readonly counts: TroubleCounts;
  /** By the server, of app threads that died. */
  readonly resets: number;
  readonly serverBytes: number;
}

const number = (value: number) => Math.round(value).toLocaleString('en-US');

export function progressText({ nowMs, periodMs, fleet, before, counts, resets, serverBytes }: Progress): string {
  const { tally, ends, open } = fleet;
  const perS = (now: number, then = 0) => number(((now - then) * 1_000) / periodMs);
  return [
    `${number(nowMs / 1_000)} s  ${number(open)} connections (${number(ends.opened)} opened, ${number(resets)} reset)`,
    `${perS(tally.sent, before?.tally.sent)} messages/s, ${perS(tally.answered, before?.tally.answered)} answered/s`,
    `${number(tally.mismatched)} mismatched, ${number(tally.lost)} lost`,
    `Redis ended ${counts.redisRestarts}, rules ${counts.reloads}, deaths ${counts.deaths}`,
    `server ${formatSize(serverBytes)}`,
  ].join(' | ');
}
