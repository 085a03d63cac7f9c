// Capacity: how many messages a second a server answers when it always has some to answer.
// In: views of a run, about one a second. Out: the median of what was answered a second.
import { PHASES, type View } from './native.js';

/** A span of views that is shorter says little. */
const CAPACITY_SPAN_NS = 5e8;

function answeredOf(view: View): number {
  return view.levels.reduce((sum, level) => sum + level.answered, 0);
}

/** Median of the answers a second (views come once a second) while messages were due. */
export function capacityOf(views: readonly View[]): number | undefined {
  const running = views.filter((view) => PHASES[view.phase] === 'running');
  const rates = running.slice(1).flatMap((view, index) => {
    const before = running[index] as View;
    const ns = view.elapsedNs - before.elapsedNs;
    return ns < CAPACITY_SPAN_NS ? [] : [(answeredOf(view) - answeredOf(before)) / (ns / 1e9)];
  });
  rates.sort((a, b) => a - b);
  const middle = (rates[Math.floor((rates.length - 1) / 2)] ?? 0) + (rates[Math.floor(rates.length / 2)] ?? 0);
  return rates.length === 0 ? undefined : Math.round(middle / 2);
}
