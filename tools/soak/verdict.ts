// The verdict on a long run. In: what the devices, the server and its log have said, and its memory. Out: a sentence for each
// thing that should not have been; none: all promises were kept.
import { formatSize } from '../../stack/config/units.js';
import { type Census, censusText } from './census.js';
import type { FleetState } from './devices.js';
import type { MemoryTrend } from './memory.js';
import type { DeathNotice } from './voice.js';

export interface Evidence {
  readonly devices: FleetState;
  /** In use when all connections were gone. */
  readonly leftAtDevices: Census;
  readonly leftAtServer: Census;
  readonly serverCounters: Readonly<Record<string, number>>;
  readonly memory: MemoryTrend;
  /** App threads that were told to die, that died, and that came back. */
  readonly deathsTold: number;
  readonly deaths: readonly DeathNotice[];
  readonly restarts: number;
  /** Of the server's log, and of troubles that did not go as they should. */
  readonly faults: readonly string[];
}

/** Behind the warm-up, of the server's memory: the longer the run, the smaller the leak that it finds. */
export const GROWTH_MAX = 0.05;
/** Of all messages; a Redis command has a second, and a busy machine may take longer away than that. */
const LATE_SHARE_MAX = 0.01;

const number = (value: number) => value.toLocaleString('en-US');

function ofMessages({ tally }: FleetState): string[] {
  const { sent, answered, unavailable, late, forfeited, mismatched, lost } = tally;
  const found: string[] = [];
  if (answered === 0) found.push('no message was answered: nothing was tried');
  if (mismatched > 0) found.push(`${number(mismatched)} replies were not what was asked for`);
  if (lost > 0) found.push(`${number(lost)} messages were lost`);
  const open = sent - answered - unavailable - forfeited - lost;
  if (open !== 0) found.push(`${number(open)} messages are accounted for by nothing`);
  if (late > sent * LATE_SHARE_MAX) {
    found.push(`${number(late)} messages found Redis away while all of its servers were there`);
  }
  return found;
}

function ofConnections({ ends }: FleetState, { deaths, deathsTold, restarts }: Evidence): string[] {
  const found: string[] = [];
  const byServer = deaths.reduce((sum, { reset }) => sum + reset, 0);
  const seen = ends.reset + ends.refused;
  if (seen > byServer) {
    const more = `${number(seen)} connections were reset, more than the ${number(byServer)} of app threads that died`;
    found.push(more);
  }
  if (deaths.length !== deathsTold) found.push(`${deathsTold} app threads were told to die, ${deaths.length} died`);
  if (restarts !== deaths.length) found.push(`${deaths.length} app threads died, ${restarts} came back`);
  return found;
}

function ofPools({ leftAtDevices, leftAtServer, serverCounters }: Evidence): string[] {
  const found: string[] = [];
  const left = (where: string, census: Census) => {
    if (Object.keys(census).length > 0)
      found.push(`when all connections were gone ${where} had: ${censusText(census)}`);
  };
  left('the server', leftAtServer);
  left('the devices', leftAtDevices);
  const { bad_records = 0 } = serverCounters;
  if (bad_records > 0) found.push(`${number(bad_records)} records of app threads named nothing sensible`);
  return found;
}

function ofMemory({ memory }: Evidence): string[] {
  if (!memory.isJudged || memory.growth <= GROWTH_MAX) return [];
  const { firstBytes, lastBytes, bytesPerMinute } = memory;
  return [
    `the server's memory grows by ${formatSize(bytesPerMinute)} a minute, from ${formatSize(firstBytes)} to ${formatSize(lastBytes)}`,
  ];
}

export function findingsOf(evidence: Evidence): string[] {
  const { devices, faults } = evidence;
  return [
    ...ofMessages(devices),
    ...devices.faults,
    ...ofConnections(devices, evidence),
    ...ofPools(evidence),
    ...ofMemory(evidence),
    ...faults,
  ];
}
