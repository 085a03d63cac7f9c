// `unordered`: one frame of a hundred is lost on its way to the server, every connection has ten messages under way, one of five
// high. With `unordered` a high message does not wait for what was lost before it.
import { interleaved, medianOf, type Sample } from '../benchmark.js';
import type { Chart } from '../svg.js';
import { type Part, type PartResult, QUANTILES } from './part.js';
import { hostIp, type Rig } from './rig.js';

const LOSS = 0.01;
const UNDER_WAY = 10;
const DEVICES = 20;
const HIGH_SHARE = 0.2;
const FIRST_PORT = 10_000;
const ADDRESS = '10.0.1.1';

async function lossy(rig: Rig, unordered: boolean): Promise<Sample> {
  const lines = ['framing = fixed 200', 'order = level', `unordered = ${unordered ? 1 : 0}`, `fault_rx_drop = ${LOSS}`];
  const ports = Array.from({ length: DEVICES }, (_, index) => FIRST_PORT + index);
  const group = { name: 'devices', kind: 'window', ports, highShare: HIGH_SHARE, window: UNDER_WAY } as const;
  const contest = { priorities: true, lines: [...lines, `fault_seed = ${rig.context.seed}`] };
  const report = await rig.devices(contest, { hostIp: hostIp(ADDRESS), groups: [group] });
  const { high, low } = report.devices ?? { high: undefined, low: undefined };
  if (high === undefined || low === undefined) throw new Error('the devices say nothing of themselves');
  return {
    answered_per_s: (high.answered + low.answered) / rig.context.seconds,
    answered_share: (high.answered + low.answered) / (high.sent + low.sent),
    ...Object.fromEntries(QUANTILES.map((name) => [`high_${name}_ms`, high[`${name}_us`] / 1_000])),
    low_p50_ms: low.p50_us / 1_000,
    low_p99_ms: low.p99_us / 1_000,
  };
}

async function measure(rig: Rig): Promise<PartResult> {
  const contenders = [
    { name: 'unordered', run: () => lossy(rig, true) },
    { name: 'in order', run: () => lossy(rig, false) },
  ];
  const rows = await interleaved(contenders, rig.context);
  const chart: Chart = {
    name: 'priority-unordered',
    title: 'High messages behind a loss of 1 %, ten under way per connection',
    x: 'messages of the high level',
    y: 'answered within, ms',
    logarithmicY: true,
    ticks: QUANTILES,
    series: rows.map(({ name }) => ({
      name,
      points: QUANTILES.map((quantile, index) => [index, medianOf(rows, name, `high_${quantile}_ms`)] as const),
    })),
  };
  const p99 = (name: string) => medianOf(rows, name, 'high_p99_ms');
  return {
    rows,
    aims: [
      {
        key: 'in_order_p99_ratio_to_unordered',
        what: 'p99 of high messages in order to that of unordered ones',
        ratio: p99('in order') / p99('unordered'),
        atLeast: 1,
      },
    ],
    charts: [chart],
  };
}

export const unordered: Part = {
  name: 'unordered',
  what: '1 % loss, ten messages under way per connection: high messages with and without unordered receive',
  measure,
};
