// Which runs are made, and what floods beside them: -b, -e, -d, --rate, --phases, --flood. In: flags. Out: phases.
import { CONNECTIONS_MAX } from '../../stack/config/keys.js';
import type { FlagReader } from './flag-reader.js';
import { PHASE_SYNTAX, type Phase, parsePhases } from './phases.js';

/** A flood alone is watched by a few messages a second: are connections served while it lasts? */
const WATCH_PER_S = 10;
const FLOOD_DEFAULT_PER_S = 1_000_000;

export function readFlood(reader: FlagReader): { floodPerS: number; alone: boolean } {
  if (reader.text('flood') === undefined) {
    const rate = reader.text('floodRate');
    if (rate !== undefined) reader.refuse('--flood-rate', rate, 'it goes with --flood syn');
    return { floodPerS: 0, alone: false };
  }
  reader.choice('flood', '--flood', ['syn']);
  const given = reader.rate('floodRate', '--flood-rate');
  const alone = given === 0 && reader.text('phases') === undefined;
  const floodPerS = given || (alone ? reader.rate('rate', '--rate') : 0) || FLOOD_DEFAULT_PER_S;
  return { floodPerS, alone };
}

export function readPhases(reader: FlagReader, connections: number, floodAlone: boolean): Phase[] {
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
    return [{ kind: 'paced', ratePerS: reader.rate('rate', '--rate'), durationMs }];
  }
  return [{ kind: 'wave', burst, intervalMs: epoch / Math.max(1, Math.ceil(connections / burst)), durationMs }];
}
