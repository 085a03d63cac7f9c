// `burst`: QStack's wave: all messages of a second in one go. When has the high level been answered, beside the earliest that is
// possible: its last message has left the generator, and each of its messages takes the server's time for one message.

import type { RunReport } from '../../mcc/report.js';
import { interleaved, medianOf, type Row, type Sample } from '../benchmark.js';
import { median } from '../statistics.js';
import type { Aim } from './aim.js';
import { levelsOf, ms, type Part, type PartResult, quantileChart, quantileColumns } from './part.js';
import type { Rig } from './rig.js';

const WAVE = 20_000;
/** Of the length of a window: a wave a second, five of them in two seconds. */
const TIMES = 2.5;
/** Of each run, not counted: the server's JavaScript is still compiled, and packets are used that nobody has used before. */
const WARM_UP = 4;

const nameOf = (priorities: boolean) => `priorities ${priorities ? 'on' : 'off'}`;

function waveSample(run: RunReport, capacityPerS: number): Sample {
  const [high, low] = levelsOf(run);
  const arrivalMs = ms(high.send_delay_max_us);
  const workMs = (high.offered / capacityPerS) * 1_000;
  return {
    high_done_ms: ms(high.max_us),
    high_sent_ms: arrivalMs,
    high_work_ms: workMs,
    high_ratio_to_earliest: ms(high.max_us) / Math.max(arrivalMs, workMs),
    ...quantileColumns(high),
    low_done_ms: ms(low.max_us),
  };
}

/** A wave a second, each a phase of its own; of each figure the median over the waves. */
async function waves(rig: Rig, priorities: boolean, capacityPerS: number): Promise<Sample> {
  const count = Math.max(1, Math.round(rig.context.seconds * TIMES));
  const burst = rig.isSmall ? WAVE / 20 : WAVE;
  const warmUp = rig.isSmall ? 0 : WARM_UP;
  const phases = [rig.search(1), ...Array.from({ length: warmUp + count }, () => `wave:${burst}/1s/1s`)].join(',');
  const runs = (await rig.load({ priorities, phases })).slice(1 + warmUp);
  if (runs.length === 0) throw new Error('mcc was stopped before its first wave');
  const samples = runs.map((run) => waveSample(run, capacityPerS));
  const columns = Object.keys(samples[0] as Sample);
  return Object.fromEntries(columns.map((column) => [column, median(samples.map((one) => one[column] ?? Number.NaN))]));
}

function aimsOf(rows: readonly Row[]): Aim[] {
  const ratio = (name: string) => medianOf(rows, name, 'high_ratio_to_earliest');
  return [
    {
      key: 'burst_ratio_to_earliest',
      what: 'the high level of a wave done, to the later of its last message sent and its number times the service time',
      ratio: ratio(nameOf(true)),
      atMost: 1.25,
    },
  ];
}

async function measure(rig: Rig): Promise<PartResult> {
  const capacityPerS = await rig.capacityPerS();
  const contenders = [true, false].map((priorities) => ({
    name: nameOf(priorities),
    run: () => waves(rig, priorities, capacityPerS),
  }));
  const rows = await interleaved(contenders, rig.context);
  const title = `High level of a wave of ${WAVE.toLocaleString('en-US')} messages`;
  const chart = quantileChart('priority-burst', title, rows);
  return { rows, aims: aimsOf(rows), charts: [chart] };
}

export const burst: Part = {
  name: 'burst',
  what: 'a wave of 20,000 messages: the high level done, beside its arrival and its work, and beside priorities off',
  measure,
};
