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
import { CONNECTIONS, HIGH_SHARE, Rig, type RigOptions, Stopped } from './priority/rig.js';
import { unordered } from './priority/unordered.js';

const PARTS: readonly Part[] = [load, overload, burst, unordered, harm];

const NOTES = [
  `${CONNECTIONS.toLocaleString('en-US')} connections and ${HIGH_SHARE * 100} % high messages in load, overload and burst`,
  'generator, server and Redis share the cores; latency counts from the intended send time',
];

function titled({ rows }: PartResult, part: string): Row[] {
  return rows.map((row) => ({ ...row, part }));
}

interface Measured {
  readonly results: readonly (readonly [Part, PartResult])[];
  readonly faults: readonly string[];
  readonly capacity: number | undefined;
  readonly mismatched: number;
}

/** Parts that share the same number of Redis servers, and the capacity that the first of them finds. */
function measureParts(context: Context, parts: readonly Part[], options: RigOptions): Promise<Measured> {
  const work = async (rig: Rig): Promise<Measured> => {
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
    const { capacity, mismatched } = rig;
    return { results, faults, capacity, mismatched };
  };
  return Rig.with(context, work, options);
}

async function measure(context: Context): Promise<Result> {
  const parts = PARTS.filter(({ name }) => context.parts.length === 0 || context.parts.includes(name));
  const measured: Measured[] = [];
  for (const servers of new Set(parts.map((part) => part.servers))) {
    const alike = parts.filter((part) => part.servers === servers);
    measured.push(await measureParts(context, alike, servers === undefined ? {} : { servers }));
  }
  const results = measured.flatMap((one) => one.results);
  const aims = results.flatMap(([, result]) => result.aims);
  const capacity = measured.find((one) => one.capacity !== undefined)?.capacity;
  const mismatched = measured.reduce((sum, one) => sum + one.mismatched, 0);
  return {
    rows: results.flatMap(([part, result]) => titled(result, `priority ${part.name}`)),
    values: { ...(capacity === undefined ? {} : { capacity_per_s: capacity }), ...aimValues(aims), mismatched },
    charts: results.flatMap(([, result]) => result.charts),
    notes: [...aims.map(aimText), ...NOTES],
    faults: measured.flatMap((one) => one.faults),
  };
}

export const priority: Benchmark = {
  name: 'priority',
  what: 'levels end to end against Redis: load, overload, burst, unordered receive, harm by others',
  parts: PARTS.map(({ name }) => name),
  measure,
};
