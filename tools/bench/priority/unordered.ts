// `unordered`: devices far away: a frame needs 40 ms to the server, and one of a hundred is lost on that way. Each device sends a
// message every 4 ms, one of five high, so that ten are under way. With `unordered` a high message does not wait for what was
// lost before it. One that is lost itself has to be sent again in any case, and that is one of a hundred: p98 tells, p99 does not.
import { interleaved, medianOf, type Sample } from '../benchmark.js';
import { ms, type Part, type PartResult, quantileChart, quantileColumns } from './part.js';
import { hostIp, type Rig } from './rig.js';

const LOSS = 0.01;
const WAY_MS = 40;
const UNDER_WAY = 10;
const DEVICES = 20;
const HIGH_SHARE = 0.2;
/** A part of the capacity: what is measured is the wait for what was lost. */
const RATE_PER_S = (DEVICES * UNDER_WAY * 1_000) / WAY_MS;
const QUANTILES = ['p50', 'p90', 'p98', 'p99', 'max'];
const FIRST_PORT = 10_000;
const ADDRESS = '10.0.1.1';

async function lossy(rig: Rig, unordered: boolean): Promise<Sample> {
  const way = [
    `fault_rx_drop = ${LOSS}`,
    'fault_rx_delay = 1',
    `fault_delay = ${WAY_MS}ms`,
    `fault_delay_min = ${WAY_MS}ms`,
  ];
  const lines = ['framing = fixed 200', 'order = level', `unordered = ${unordered ? 1 : 0}`, ...way];
  const ports = Array.from({ length: DEVICES }, (_, index) => FIRST_PORT + index);
  const group = { name: 'devices', kind: 'paced', ports, highShare: HIGH_SHARE, ratePerS: RATE_PER_S } as const;
  const contest = { priorities: true, lines: [...lines, `fault_seed = ${rig.context.seed}`] };
  const { groups, timeouts } = await rig.devices(contest, { hostIp: hostIp(ADDRESS), groups: [group] });
  const { high, low } = groups.devices ?? { high: undefined, low: undefined };
  if (high === undefined || low === undefined) throw new Error('the devices say nothing of themselves');
  return {
    answered_per_s: (high.answered + low.answered) / rig.context.seconds,
    answered_share: (high.answered + low.answered) / (high.sent + low.sent),
    ...quantileColumns(high, QUANTILES),
    low_p50_ms: ms(low.p50_us),
    low_p99_ms: ms(low.p99_us),
    timeouts,
  };
}

async function measure(rig: Rig): Promise<PartResult> {
  const contenders = [
    { name: 'unordered', run: () => lossy(rig, true) },
    { name: 'in order', run: () => lossy(rig, false) },
  ];
  const rows = await interleaved(contenders, rig.context);
  const title = 'High messages behind a loss of 1 %, ten under way per connection';
  const chart = quantileChart('priority-unordered', title, rows, QUANTILES);
  const p98 = (name: string) => medianOf(rows, name, 'high_p98_ms');
  return {
    rows,
    aims: [
      {
        key: 'in_order_p98_ratio_to_unordered',
        what: 'p98 of high messages in order to that of unordered ones',
        ratio: p98('in order') / p98('unordered'),
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
