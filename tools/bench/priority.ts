// `priority`: what levels are for, as figures: iotepserver against Redis, everything answered, with priorities and without.
// In: a context, which may name some of the parts. Out: a table and charts for each part, and the ratios that were aimed at,
// each with the sentence that says whether it was reached.
import type { Benchmark, Context, Result, Row } from './benchmark.js';
import { aimText, aimValues } from './priority/aim.js';
import { burst } from './priority/burst.js';
import { harm } from './priority/harm.js';
import { load } from './priority/load.js';
import { overload } from './priority/overload.js';
import type { Part, PartResult } from './priority/part.js';
import { CONNECTIONS, HIGH_SHARE, Rig, Stopped } from './priority/rig.js';
import { unordered } from './priority/unordered.js';

const PARTS: readonly Part[] = [load, overload, burst, unordered, harm];

const NOTES = [
  `${CONNECTIONS.toLocaleString('en-US')} connections and ${HIGH_SHARE * 100} % high messages in load, overload and burst`,
  'generator, server and Redis share the cores; latency counts from the intended send time',
];

function titled({ rows }: PartResult, part: string): Row[] {
  return rows.map((row) => ({ ...row, part }));
}

function measure(context: Context): Promise<Result> {
  const parts = PARTS.filter(({ name }) => context.parts.length === 0 || context.parts.includes(name));
  return Rig.with(context, async (rig) => {
    const results: [Part, PartResult][] = [];
    const faults: string[] = [];
    for (const part of parts) {
      context.say(`${part.name}: ${part.what}`);
      try {
        results.push([part, await part.measure(rig)]);
      } catch (error) {
        if (error instanceof Stopped) throw error;
        faults.push(`${part.name}: ${(error as Error).message}`);
      }
    }
    const aims = results.flatMap(([, result]) => result.aims);
    const { capacity, mismatched } = rig;
    return {
      rows: results.flatMap(([part, result]) => titled(result, `priority ${part.name}`)),
      values: { ...(capacity === undefined ? {} : { capacity_per_s: capacity }), ...aimValues(aims), mismatched },
      charts: results.flatMap(([, result]) => result.charts),
      notes: [...aims.map(aimText), ...NOTES],
      faults,
    };
  });
}

export const priority: Benchmark = {
  name: 'priority',
  what: 'levels end to end against Redis: load, overload, burst, unordered receive, harm by others',
  parts: PARTS.map(({ name }) => name),
  measure,
};
