// Clock: what a reading costs, and whether the cores are ours when we want them. In: a Source, a probe. Out: findings.
import { formatDuration } from '../../stack/config/units.js';
import { type Finding, ok, trouble } from './catalog.js';
import type { Probe } from './probe.js';
import { type Source, wordIn } from './source.js';

const QUICK = new Set(['tsc', 'kvm-clock', 'hyperv_clocksource_tsc_page', 'arch_sys_counter']);
const FOLDER = '/sys/devices/system/clocksource/clocksource0';
/** Shares of the probe, and gaps in milliseconds, from which on tails are the machine's. */
const STEAL_MAX = 0.01;
const HICCUP_P99_MS = 0.2;
const HICCUP_MAX_MS = 10;

function clockSource(source: Source): Finding {
  const now = wordIn(source, `${FOLDER}/current_clocksource`) ?? 'unknown';
  if (QUICK.has(now)) return ok('clock', now);
  const quicker = (wordIn(source, `${FOLDER}/available_clocksource`) ?? '').split(' ').find((name) => QUICK.has(name));
  const cost = 'a reading of the clock is a call into the kernel, up to 1 us instead of 25 ns';
  const mend = quicker === undefined ? undefined : `echo ${quicker} > ${FOLDER}/current_clocksource`;
  return trouble('clock', 'warn', now, cost, mend);
}

function steal({ stealShare }: Probe): Finding {
  const found = `${(100 * stealShare).toFixed(1)} % of the probe`;
  if (stealShare <= STEAL_MAX) return ok('steal', found);
  const cost =
    'the host gives our cores to others: threads stop without knowing, and latencies have tails of milliseconds';
  return trouble('steal', 'warn', found, cost);
}

function hiccups({ gapP99Ms, gapMaxMs, seconds }: Probe): Finding {
  const found = `p99 ${formatDuration(gapP99Ms)}, longest ${formatDuration(gapMaxMs)} in ${formatDuration(seconds * 1_000)}`;
  if (gapP99Ms <= HICCUP_P99_MS && gapMaxMs <= HICCUP_MAX_MS) return ok('hiccups', found);
  const cost = 'a polling thread is interrupted for so long: no latency measured here is better';
  return trouble('hiccups', 'warn', found, cost, 'ps -eo pcpu,pid,comm --sort=-pcpu | head');
}

export function clockFindings(source: Source, probe: Probe): Finding[] {
  return [clockSource(source), steal(probe), hiccups(probe)];
}
