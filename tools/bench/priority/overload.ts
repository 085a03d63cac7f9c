// `overload`: what twice the capacity does to the high level, to all that is answered, and, where the high level alone is more
// than the capacity, to the low one, which only the starvation bound keeps alive.
import { interleavedSurveys, medianOf, type Row, type Sample } from '../benchmark.js';
import type { Aim } from './aim.js';
import { levelsOf, loadSample, type Part, type PartResult } from './part.js';
import type { Rig } from './rig.js';

const HALF = 50;
const TWICE = 200;
/** The default of `starvation_bound`. */
const BOUND_MS = 20;
const CROWDING_SHARE = 0.9;
/** Places have a bound each, so that what one of them passes on may just miss the turn of the next. */
const BOUNDS_MOST = 2;
const CROWD = 'on, 200 %, nine of ten high';

async function twin(rig: Rig, name: 'on' | 'off', capacityPerS: number): Promise<Record<string, Sample>> {
  const loads = [HALF, TWICE].map((percent) => rig.paced((capacityPerS * percent) / 100));
  const [, half, twice] = await rig.load({ priorities: name === 'on', phases: [rig.search(1), ...loads].join(',') });
  return { [`${name}, ${HALF} %`]: loadSample(half), [`${name}, ${TWICE} %`]: loadSample(twice) };
}

async function crowd(rig: Rig, capacityPerS: number): Promise<Record<string, Sample>> {
  const phases = [rig.search(1), rig.paced((capacityPerS * TWICE) / 100)].join(',');
  const lines = ['policy = strict', `starvation_bound = ${BOUND_MS}ms`];
  const [, run] = await rig.load({ priorities: true, lines, phases, highShare: CROWDING_SHARE });
  const [, low] = levelsOf(run);
  return { [CROWD]: { ...loadSample(run), low_silence_ms: (low.silence_max_us ?? Number.NaN) / 1_000 } };
}

function aimsOf(rows: readonly Row[], capacityPerS: number): Aim[] {
  const of = (name: string, column: string) => medianOf(rows, name, column);
  const [half, twice, off] = [`on, ${HALF} %`, `on, ${TWICE} %`, `off, ${TWICE} %`];
  return [
    {
      key: 'high_p99_ratio_to_half_load',
      what: 'p99 of the high level at 200 % to its p99 at 50 %',
      ratio: of(twice, 'high_p99_ms') / of(half, 'high_p99_ms'),
      atMost: 2,
    },
    {
      key: 'high_p99_times_below_off',
      what: 'p99 of the high level at 200 % with priorities off to that with priorities',
      ratio: of(off, 'high_p99_ms') / of(twice, 'high_p99_ms'),
      atLeast: 100,
    },
    {
      key: 'high_answered_share',
      what: 'answered messages of the high level at 200 % to those offered',
      ratio: of(twice, 'high_answered_share'),
      atLeast: 1,
    },
    {
      key: 'goodput_ratio_to_capacity',
      what: 'answers a second at 200 % to the capacity without priorities',
      ratio: of(twice, 'answered_per_s') / capacityPerS,
      atLeast: 0.9,
    },
    {
      key: 'low_silence_in_bounds',
      what: `longest time without an answer to the low level, high alone being 180 %, to the starvation bound of ${BOUND_MS} ms`,
      ratio: of(CROWD, 'low_silence_ms') / BOUND_MS,
      atMost: BOUNDS_MOST,
    },
  ];
}

async function measure(rig: Rig): Promise<PartResult> {
  const capacityPerS = await rig.capacityPerS();
  const surveys = [
    { name: 'on', run: () => twin(rig, 'on', capacityPerS) },
    { name: 'off', run: () => twin(rig, 'off', capacityPerS) },
    { name: CROWD, run: () => crowd(rig, capacityPerS) },
  ];
  const rows = await interleavedSurveys(surveys, rig.context);
  return { rows, aims: aimsOf(rows, capacityPerS), charts: [] };
}

export const overload: Part = {
  name: 'overload',
  what: 'at 200 %: the high level beside 50 % and beside priorities off, all that is answered, the starvation bound',
  measure,
};
