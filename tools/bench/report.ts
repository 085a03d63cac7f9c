// What a benchmark says at its end: a table for people, one object of plain keys for programs, charts as files.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import Table from 'cli-table3';
import type { Result, Row } from './benchmark.js';
import { rounded, type Summary } from './statistics.js';
import { chartSvg } from './svg.js';

export interface Report {
  readonly name: string;
  readonly command: string;
  readonly runs: number;
  readonly seconds: number;
  readonly seed: number;
  readonly versions: Readonly<Record<string, string>>;
  readonly result: Result;
}

function cell({ median, min, max }: Summary): string {
  if (!Number.isFinite(median)) return '-';
  const spread = min === max ? '' : ` (${rounded(min, 3)} … ${rounded(max, 3)})`;
  return `${rounded(median, 3)}${spread}`;
}

function tableOf(title: string, rows: readonly Row[]): string {
  const columns = [...new Set(rows.flatMap(({ figures }) => Object.keys(figures)))];
  const table = new Table({
    head: [title, ...columns],
    colAligns: ['left', ...columns.map(() => 'right' as const)],
    style: { head: [], border: [], compact: true },
  });
  for (const row of rows) {
    table.push([row.name, ...columns.map((column) => (row.figures[column] ? cell(row.figures[column]) : '-'))]);
  }
  return table.toString();
}

function valueLines(key: string, value: Result['values'][string]): string[] {
  if (typeof value === 'number') return [`${key} ${value}`];
  return Object.entries(value).map(([name, one]) => `${key} ${name} ${one}`);
}

export function formatReport({ name, command, runs, seconds, seed, versions, result }: Report): string {
  const parts = [...new Set(result.rows.map(({ part }) => part))];
  const tables = parts.map((part) =>
    tableOf(
      part ?? name,
      result.rows.filter((row) => row.part === part),
    ),
  );
  const values = Object.entries(result.values).flatMap(([key, value]) => valueLines(key, value));
  const machine = Object.entries(versions).map(([key, value]) => `${key} ${value}`);
  return [
    ...tables,
    `median (smallest … largest) of ${runs} runs of ${seconds} s, seed ${seed}`,
    ...values,
    ...result.notes,
    machine.join(', '),
    command,
  ].join('\n');
}

/** Medians under plain keys first, everything that they come from behind. */
export function jsonReport({ name, result, ...facts }: Report): Record<string, unknown> {
  const { rows, values, charts, notes } = result;
  return { name, ...values, ...facts, notes, rows, charts };
}

/** Writes <chart>.svg into the folder; returns the paths. */
export function writeCharts({ result }: Report, folder: string): string[] {
  return result.charts.map((chart) => {
    mkdirSync(folder, { recursive: true });
    const path = join(folder, `${chart.name}.svg`);
    writeFileSync(path, chartSvg(chart));
    return path;
  });
}
