// Exposition: metrics → the text format of Prometheus, version 0.0.4.
// In: families with samples, histograms in the cells of sojourn.ts. Out: text. Why no library: those keep registries of
// values that are counted one by one, and ours stand in shared memory, as histograms already.
import { CELLS, highestOf, US_PER_STAMP } from '../sojourn.js';

export const CONTENT_TYPE = 'text/plain; version=0.0.4; charset=utf-8';

export type MetricType = 'counter' | 'gauge' | 'histogram' | 'summary';
export type Labels = Readonly<Record<string, string>>;

export interface Sample {
  labels: Labels;
  value: number;
}

export interface Family {
  name: string;
  type: MetricType;
  help: string;
  samples: Sample[];
  histograms?: { labels: Labels; cells: Float64Array }[];
}

const S_PER_STAMP = US_PER_STAMP / 1e6;

/**
 * Upper bounds in stamps: powers of two, from a microsecond to 8.6 seconds. Cells end exactly there, so buckets are exact;
 * a rounder bound would lie within a cell.
 */
const BOUNDS = Array.from({ length: 24 }, (_, index) => 2 ** (index + 4));

export const bucketBounds = (): number[] => BOUNDS.map((stamps) => Number((stamps * S_PER_STAMP).toPrecision(12)));

const escapeHelp = (text: string) => text.replaceAll('\\', '\\\\').replaceAll('\n', '\\n');
const escapeLabel = (text: string) => escapeHelp(text).replaceAll('"', '\\"');

function labelText(labels: Labels): string {
  const parts = Object.entries(labels).map(([name, value]) => `${name}="${escapeLabel(value)}"`);
  return parts.length === 0 ? '' : `{${parts.join(',')}}`;
}

function line(name: string, labels: Labels, value: number): string {
  return `${name}${labelText(labels)} ${Number.isFinite(value) ? value : value > 0 ? '+Inf' : 'NaN'}`;
}

/** Seconds; the middle of a cell stands for what fell into it, so the sum is right within some 6 %. */
function sumSeconds(cells: Float64Array): number {
  let stamps = 0;
  for (let cell = 0; cell < CELLS; cell++) {
    const lowest = cell === 0 ? 0 : highestOf(cell - 1) + 1;
    stamps += ((cells[cell] as number) * (lowest + highestOf(cell))) / 2;
  }
  return Number((stamps * S_PER_STAMP).toPrecision(9));
}

function histogram(name: string, labels: Labels, cells: Float64Array): string[] {
  const lines: string[] = [];
  const bounds = bucketBounds();
  let count = 0;
  let cell = 0;
  BOUNDS.forEach((bound, index) => {
    for (; cell < CELLS && highestOf(cell) < bound; cell++) count += cells[cell] as number;
    lines.push(line(`${name}_bucket`, { ...labels, le: String(bounds[index]) }, count));
  });
  for (; cell < CELLS; cell++) count += cells[cell] as number;
  lines.push(line(`${name}_bucket`, { ...labels, le: '+Inf' }, count));
  lines.push(line(`${name}_sum`, labels, sumSeconds(cells)), line(`${name}_count`, labels, count));
  return lines;
}

export function exposition(families: readonly Family[]): string {
  const lines = families.flatMap(({ name, type, help, samples, histograms = [] }) => [
    `# HELP ${name} ${escapeHelp(help)}`,
    `# TYPE ${name} ${type}`,
    ...samples.map(({ labels, value }) => line(name, labels, value)),
    ...histograms.flatMap(({ labels, cells }) => histogram(name, labels, cells)),
  ]);
  return `${lines.join('\n')}\n`;
}
