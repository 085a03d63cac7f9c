// `load`: latency by level against offered load, under each policy and with priorities off. Every contender gets the same loads:
// shares of what is answered without priorities.
import { interleavedSurveys, medianOf, type Row, type Sample } from '../benchmark.js';
import type { Chart } from '../svg.js';
import { loadSample, type Part, type PartResult } from './part.js';
import type { Contest, Rig } from './rig.js';

const LOADS = [10, 50, 80, 100, 150, 200, 300] as const;
const SMALL_LOADS = [10, 200];

/** The same shares for both policies that have numbers: four times as much for the high level, a twentieth of its time. */
const POLICIES: Readonly<Record<string, Contest>> = {
  strict: { priorities: true, lines: ['policy = strict'] },
  weighted: { priorities: true, lines: ['policy = weighted', 'weights = high 4, low 1'] },
  deadline: { priorities: true, lines: ['policy = deadline', 'deadlines = high 5ms, low 100ms'] },
  off: { priorities: false },
};

const nameOf = (policy: string, percent: number) => `${policy}, ${percent} %`;

async function survey(rig: Rig, policy: string, capacityPerS: number, loads: readonly number[]) {
  const phases = [rig.search(1), ...loads.map((percent) => rig.paced((capacityPerS * percent) / 100))].join(',');
  const [, ...runs] = await rig.load({ ...(POLICIES[policy] as Contest), phases });
  return Object.fromEntries(
    loads.map((percent, index): [string, Sample] => [nameOf(policy, percent), loadSample(runs[index])]),
  );
}

function chart(
  rows: readonly Row[],
  loads: readonly number[],
  column: string,
  facts: Omit<Chart, 'x' | 'series'>,
): Chart {
  const series = Object.keys(POLICIES).map((policy) => ({
    name: policy === 'off' ? 'priorities off' : policy,
    points: loads.map((percent) => [percent, medianOf(rows, nameOf(policy, percent), column)] as const),
  }));
  return { ...facts, x: 'offered load, % of the capacity without priorities', series };
}

async function measure(rig: Rig): Promise<PartResult> {
  const capacityPerS = await rig.capacityPerS();
  const loads = rig.isSmall ? SMALL_LOADS : LOADS;
  const surveys = Object.keys(POLICIES).map((name) => ({ name, run: () => survey(rig, name, capacityPerS, loads) }));
  const rows = await interleavedSurveys(surveys, rig.context);
  const latency = { y: 'p99, ms', logarithmicY: true };
  return {
    rows,
    aims: [],
    charts: [
      chart(rows, loads, 'high_p99_ms', { name: 'priority-load-high', title: 'High level', ...latency }),
      chart(rows, loads, 'low_p99_ms', { name: 'priority-load-low', title: 'Low level', ...latency }),
      chart(rows, loads, 'answered_per_s', {
        name: 'priority-load-answered',
        title: 'Both levels',
        y: 'answers a second, up to the last',
      }),
    ],
  };
}

export const load: Part = {
  name: 'load',
  what: 'latency by level at 10 to 300 % of the capacity: strict, weighted, deadline, priorities off',
  measure,
};
