// `monitor merge`: one report of several monitors. In: what they printed with --json. Out: the same form: counts are sums,
// histograms are added cell by cell, the time is from the first start to the last end. Intervals are those of one monitor each,
// at different times, and have no histograms; they are left out.
import { readFileSync } from 'node:fs';
import { levelReport, type Report, resultOfReport } from './report.js';
import { addResults } from './results.js';

function sumOf<Part extends object>(parts: readonly Part[]): Part {
  const names = Object.keys(parts[0] ?? {}) as (keyof Part)[];
  return Object.fromEntries(
    names.map((name) => {
      const values = parts.map((part) => Number(part[name]));
      const isLargest = String(name).includes('max');
      return [name, isLargest ? Math.max(...values) : values.reduce((sum, value) => sum + value, 0)];
    }),
  ) as Part;
}

/** The report in a file, or an Error with one sentence. */
export function readReport(path: string): Report {
  let report: Partial<Report>;
  try {
    report = JSON.parse(readFileSync(path, 'utf8')) as Partial<Report>;
  } catch (error) {
    throw new Error(`${path} is no result of monitor --json: ${(error as Error).message}`);
  }
  const isReport = typeof report.monitors === 'number' && Array.isArray(report.levels) && report.counts !== undefined;
  if (!isReport) throw new Error(`${path} is no result of monitor --json: it has no monitors, levels and counts`);
  return report as Report;
}

export function mergeReports(reports: readonly Report[], command: string): Report {
  const [first] = reports;
  if (first === undefined) throw new Error('nothing to merge');
  const total = reports.map(resultOfReport).reduce(addResults);
  const endMs = Math.max(...reports.map(({ start, duration_s }) => Date.parse(start) + duration_s * 1_000));
  return {
    monitors: reports.reduce((sum, { monitors }) => sum + monitors, 0),
    source: reports.map(({ source }) => source).join(', '),
    start: new Date(total.startMs).toISOString(),
    duration_s: Math.round(endMs - total.startMs) / 1_000,
    capture: sumOf(reports.map(({ capture }) => capture)),
    counts: total.counts,
    levels: total.levels.map(levelReport),
    intervals: [],
    captured: reports.flatMap(({ captured }) => captured),
    versions: first.versions,
    command,
  };
}
