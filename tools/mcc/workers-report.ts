// The workers of a cluster in a report: a row for each, as JSON and as a table. In: what each did in a run. Out: counts of all its
// levels, and percentiles of all its messages; none of one that had said nothing of the run.
import Table from 'cli-table3';
import { mergeLevel } from './merge.js';
import type { LevelResult, RunResult, WorkerResult } from './native.js';
import { formatUs, type RunReport, us, type WorkerReport } from './report.js';

function workerReport(worker: WorkerResult, answeredAll: boolean): WorkerReport {
  const { name, host, state, why, connections, connected, notOffered, clockErrorUs, levels } = worker;
  const sum = (of: (level: LevelResult) => number, some = levels) =>
    some.reduce((total, level) => total + of(level), 0);
  const whole = levels.length === 0 ? undefined : mergeLevel(levels);
  const timed = whole !== undefined && whole.cells.length > 0;
  return {
    name,
    host,
    state,
    ...(why === undefined ? {} : { why }),
    connections,
    connected,
    offered: sum((level) => level.offered),
    sent: sum((level) => level.sent),
    answered: sum((level) => level.answered),
    lost: sum((level) => level.sent - level.answered - level.errors, answeredAll ? levels : levels.slice(0, 1)),
    not_offered: notOffered,
    p50_us: timed ? us(whole.p50Ns) : null,
    p99_us: timed ? us(whole.p99Ns) : null,
    clock_error_us: clockErrorUs,
  };
}

/** Nothing where there are no workers. */
export function workersReport({ workers: results }: Pick<RunResult, 'workers'>, answeredAll: boolean) {
  if (results === undefined) return {};
  const workers = results.map((result) => workerReport(result, answeredAll));
  return {
    workers,
    workers_lost: workers.filter(({ state }) => state !== 'done').length,
    not_offered: workers.reduce((sum, { not_offered: rest }) => sum + rest, 0),
  } satisfies Partial<RunReport>;
}

const count = (value: number) => value.toLocaleString('en-US');

export function formatWorkers(workers: readonly WorkerReport[]): string {
  const right = 'right' as const;
  const table = new Table({
    head: ['worker', 'connected', 'sent', 'answered', 'lost', 'p50', 'p99', 'not offered', 'state'],
    colAligns: ['left', right, right, right, right, right, right, right, 'left'],
    style: { head: [], border: [], compact: true },
  });
  for (const { name, connected, sent, answered, lost, p50_us, p99_us, not_offered: rest, state, why } of workers) {
    const counts = [connected, sent, answered, lost].map(count);
    table.push([
      name,
      ...counts,
      formatUs(p50_us),
      formatUs(p99_us),
      count(rest),
      why === undefined ? state : `${state}: ${why}`,
    ]);
  }
  return table.toString();
}
