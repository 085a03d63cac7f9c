// Latency against load: one line per run, for a test of several. In: the reports. Out: a table for a person.
import Table from 'cli-table3';
import { formatUs, type RunReport } from './report.js';

const count = (value: number) => value.toLocaleString('en-US');

export function formatSteps(runs: readonly RunReport[]): string {
  const levels = runs[0]?.levels.map(({ name }) => name) ?? [];
  const used = levels.filter((name) =>
    runs.some((run) => run.levels.some((level) => level.name === name && level.answered > 0)),
  );
  const head = [
    'run',
    'offered',
    'answered',
    'lost',
    ...used.flatMap((name) => [`${name} p50`, `${name} p99`, `${name} max`]),
  ];
  const table = new Table({
    head,
    colAligns: head.map((_, index) => (index === 0 ? ('left' as const) : ('right' as const))),
    style: { head: [], border: [], compact: true },
  });
  for (const run of runs) {
    const lost = run.levels.reduce((sum, level) => sum + (level.lost ?? 0), 0);
    const times = used.flatMap((name) => {
      const level = run.levels.find((other) => other.name === name);
      return [level?.p50_us ?? null, level?.p99_us ?? null, level?.max_us ?? null].map(formatUs);
    });
    table.push([run.phase, `${count(run.offered_per_s)}/s`, `${count(run.answered_per_s)}/s`, count(lost), ...times]);
  }
  return table.toString();
}
