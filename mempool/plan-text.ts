// A memory plan as lines for a person. In: items. Out: a table and its sums.
import type { PlanItem } from './plan-items.js';

export function humanBytes(bytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB'];
  let value = bytes;
  let unit = 0;
  for (; value >= 1024 && unit < units.length - 1; unit++) value /= 1024;
  return `${value >= 100 || unit === 0 ? Math.round(value) : value.toFixed(1)} ${units[unit]}`;
}

function pad(text: string, width: number, right: boolean): string {
  return right ? text.padStart(width) : text.padEnd(width);
}

function memoryOf(item: PlanItem): string {
  if (item.bytes === 0) return '(in the arena)';
  return item.atStart ? humanBytes(item.bytes) : `+ ${humanBytes(item.bytes)}`;
}

/** `bytes`: of everything; `startBytes`: of what is taken from the start on. */
export function formatItems(items: readonly PlanItem[], bytes: number, startBytes: number): string {
  const rows = items.map((item) => [
    item.name,
    item.count.toLocaleString('en-US'),
    `${item.bytesEach.toLocaleString('en-US')} B`,
    memoryOf(item),
    item.why,
  ]);
  const table = [['what', 'count', 'each', 'memory', 'why'], ...rows];
  const widths = [0, 1, 2, 3].map((column) => Math.max(...table.map((row) => (row[column] as string).length)));
  const line = (row: string[]) =>
    row
      .map((cell, column) => pad(cell, widths[column] ?? 0, column > 0 && column < 4))
      .join('  ')
      .trimEnd();
  const later = bytes - startBytes;
  const more = later === 0 ? '' : `; what is marked + comes when it is used, ${humanBytes(later)} at most`;
  return [...table.map(line), `total ${humanBytes(startBytes)} from the start on${more}`].join('\n');
}
