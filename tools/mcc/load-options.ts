// Which runs are made, and what floods beside them: --arrival, -b, -e, -d, --rate, --steps, --traffic-model, --phases, --flood.
// In: flags. Out: phases, one for each run, each with results of its own.
import { CONNECTIONS_MAX } from '../../stack/config/keys.js';
import type { FlagReader } from './flag-reader.js';
import type { ClosedLoop } from './modes.js';
import { PHASE_SYNTAX, type Phase, parsePhases } from './phases.js';
import { isRange, parseRange, ratesOf, STEPS_DEFAULT, STEPS_MAX, STEPS_SYNTAX } from './rate-steps.js';
import { readTrace } from './trace.js';

/** MCC's own. */
const DURATION_DEFAULT_MS = 1_000_000_000;
/** A flood alone is watched by a few messages a second: are connections served while it lasts? */
const WATCH_PER_S = 10;
const FLOOD_DEFAULT_PER_S = 1_000_000;
const ARRIVALS = ['wave', 'paced', 'poisson', 'replay'] as const;
type Arrival = (typeof ARRIVALS)[number];

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

/** Without --arrival the other flags say which it is. */
function readArrival(reader: FlagReader): Arrival {
  const isModel = reader.text('trafficModel') !== undefined;
  const isRate = reader.text('rate') !== undefined;
  const given = reader.text('arrival');
  if (given === undefined) return isModel ? 'replay' : isRate ? 'paced' : 'wave';
  const arrival = reader.choice('arrival', '--arrival', ARRIVALS) as Arrival;
  const needs: Record<Arrival, [boolean, string]> = {
    wave: [!isRate && !isModel, '-b and -e, neither --rate nor --traffic-model'],
    paced: [isRate && !isModel, '--rate, not --traffic-model'],
    poisson: [isRate && !isModel, '--rate, not --traffic-model'],
    replay: [isModel && !isRate, '--traffic-model, not --rate'],
  };
  const [fits, sentence] = needs[arrival] ?? [true, ''];
  if (!fits) reader.faults.push(`--arrival: ${arrival} goes with ${sentence}`);
  return arrival;
}

function readSteps(reader: FlagReader, kind: 'paced' | 'poisson', text: string): Phase[] {
  const steps = reader.count('steps', '--steps', 2, STEPS_MAX, STEPS_DEFAULT);
  const range = parseRange(text);
  if (range === undefined) {
    reader.refuse('--rate', text, STEPS_SYNTAX);
    return [];
  }
  if (range.stepMs === undefined && reader.text('duration') === undefined) {
    reader.faults.push(`--rate: ${text} says nothing of the length of a step; ${STEPS_SYNTAX}, or -d`);
  }
  const durationMs = range.stepMs ?? reader.seconds('duration', '-d', 1);
  return ratesOf(range, steps).map((ratePerS) => ({ kind, ratePerS, durationMs }));
}

/** Without -d one round. */
function readReplay(reader: FlagReader, port: number): Phase[] {
  const path = reader.text('trafficModel');
  if (path === undefined) return [];
  const trace = readTrace(path, port);
  if (typeof trace === 'string') {
    reader.faults.push(`--traffic-model: ${path}: ${trace}`);
    return [];
  }
  const round = trace.cycleNs / 1e6;
  const durationMs = reader.text('duration') === undefined ? round : reader.seconds('duration', '-d', 1);
  return [{ kind: 'replay', name: path, trace, durationMs }];
}

function readRate(reader: FlagReader, kind: 'paced' | 'poisson', durationMs: number): Phase[] {
  const text = reader.text('rate') ?? '';
  if (isRange(text)) return readSteps(reader, kind, text);
  if (reader.text('steps') !== undefined) reader.faults.push(`--steps: it goes with --rate ${STEPS_SYNTAX}`);
  return [{ kind, ratePerS: reader.rate('rate', '--rate'), durationMs }];
}

function readList(reader: FlagReader, list: string): Phase[] {
  for (const [name, flag] of [
    ['arrival', '--arrival'],
    ['trafficModel', '--traffic-model'],
    ['steps', '--steps'],
  ] as const) {
    if (reader.text(name) !== undefined) reader.faults.push(`${flag}: --phases says how each run is made`);
  }
  const phases = parsePhases(list, reader.text('capacity') !== undefined);
  if (typeof phases !== 'string') return phases;
  reader.faults.push(`--phases: ${phases}; a list of ${PHASE_SYNTAX}`);
  return [];
}

export function readPhases(reader: FlagReader, connections: number, floodAlone: boolean): Phase[] {
  const durationMs = reader.seconds('duration', '-d', 1, DURATION_DEFAULT_MS);
  const burst = reader.count('burst', '-b', 1, CONNECTIONS_MAX, 1);
  const epoch = reader.seconds('epoch', '-e', 0.001);
  const list = reader.text('phases');
  if (list !== undefined) return readList(reader, list);
  if (floodAlone) return [{ kind: 'paced', ratePerS: WATCH_PER_S, durationMs }];
  const arrival = readArrival(reader);
  if (arrival === 'replay') return readReplay(reader, reader.count('port', '--port', 1, 65_535, 80));
  if (arrival !== 'wave') return readRate(reader, arrival, durationMs);
  if (reader.text('steps') !== undefined) reader.faults.push(`--steps: it goes with --rate ${STEPS_SYNTAX}`);
  return [{ kind: 'wave', burst, intervalMs: epoch / Math.max(1, Math.ceil(connections / burst)), durationMs }];
}

/** A closed loop makes one run. */
export function closedLoopPhases(reader: FlagReader, loop: ClosedLoop): Phase[] {
  return [{ kind: 'closed', name: loop.name, durationMs: reader.seconds('duration', '-d', 1, DURATION_DEFAULT_MS) }];
}
