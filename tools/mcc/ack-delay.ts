// Acknowledgements of the generator: whether they wait for a message to travel with.
// In: options. Out: ms, as TCP's delayed ACK has it (RFC 5681 4.2; RFC 9293 3.8.6.3). With many connections the next message of
// each is far away: an ACK that waited would leave alone all the same, only later, and at both ends a timer would have run.
import type { MccOptions } from './options.js';
import type { Run } from './phases.js';

const DELAY_MS = 40;
/** Of a phase that goes as fast as it is answered: more than any machine has shown. */
const FASTEST_PER_S = 1_000_000;

function ratePerS(phase: Run): number {
  if (phase.kind === 'wave') return (phase.burst / phase.intervalMs) * 1_000;
  return 'ratePerS' in phase ? phase.ratePerS : FASTEST_PER_S;
}

export function delayedAckMs({ connections, phases }: Pick<MccOptions, 'connections' | 'phases'>): number {
  const runs = phases.filter((phase) => phase.kind !== 'pause' && phase.kind !== 'flood');
  const fastest = Math.max(0, ...runs.map(ratePerS));
  return connections * 1_000 >= fastest * DELAY_MS ? 0 : DELAY_MS;
}
