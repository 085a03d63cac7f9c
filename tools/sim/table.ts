// The table of throughputs: loss × round-trip time × congestion control, measured by the simulation.
// In: cells. Out: Mbit/s of payload in each, as Markdown (test/sim/throughput.md), and which cells differ from it.
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { programOf, ROOT } from './program.js';

export const TABLE_FILE = join(ROOT, 'test/sim/throughput.md');
export const CONGESTION = ['newreno', 'cubic', 'dctcp'] as const;
const LOSS_PERCENT = [0, 0.1, 0.5, 1, 2, 5];
const RTT_MS = [1, 10, 50, 100, 200];
/** Loss is drawn anew with each seed; a cell is the mean. */
const SEEDS = [1, 2, 3];

/** A cell may differ by this part, or by as many Mbit/s where there is next to nothing. */
export const TOLERANCE = 0.2;
export const TOLERANCE_MBIT = 0.1;

export interface Cell {
  readonly congestion: string;
  readonly lossPercent: number;
  readonly rttMs: number;
}

export function cells(): Cell[] {
  return CONGESTION.flatMap((congestion) =>
    LOSS_PERCENT.flatMap((lossPercent) => RTT_MS.map((rttMs) => ({ congestion, lossPercent, rttMs }))),
  );
}

const keyOf = ({ congestion, lossPercent, rttMs }: Cell) => `${congestion} ${lossPercent} ${rttMs}`;

const run = promisify(execFile);

async function measureOnce({ congestion, lossPercent, rttMs }: Cell, seed: number): Promise<number> {
  const cell = `${congestion},${Math.round(lossPercent * 10_000)},${rttMs * 1_000}`;
  const { stdout } = await run(programOf('release'), ['--seed', String(seed), '--cell', cell]);
  return ((JSON.parse(stdout) as { bytes_per_second: number }).bytes_per_second * 8) / 1e6;
}

/** Mbit/s. Without loss every seed gives the same. */
export async function measure(cell: Cell): Promise<number> {
  const seeds = cell.lossPercent === 0 ? SEEDS.slice(0, 1) : SEEDS;
  let sum = 0;
  for (const seed of seeds) sum += await measureOnce(cell, seed);
  return sum / seeds.length;
}

export type Table = ReadonlyMap<string, number>;

export function tableOf(values: readonly (readonly [Cell, number])[]): Table {
  return new Map(values.map(([cell, mbit]) => [keyOf(cell), mbit]));
}

export function markdown(table: Table): string {
  const sections = CONGESTION.map((congestion) => {
    const rows = LOSS_PERCENT.map((lossPercent) => {
      const row = RTT_MS.map((rttMs) =>
        (table.get(keyOf({ congestion, lossPercent, rttMs })) ?? Number.NaN).toFixed(2),
      );
      return `| ${lossPercent} % | ${row.join(' | ')} |`;
    });
    const head = `| loss | ${RTT_MS.map((rttMs) => `${rttMs} ms`).join(' | ')} |`;
    return [`## ${congestion}`, '', head, `|${' ---: |'.repeat(RTT_MS.length + 1)}`, ...rows].join('\n');
  });
  return `# Throughput by loss, round-trip time and congestion control

Mbit/s of payload that one connection delivers within 30 s, from its SYN on, over a simulated link of 50 Mbit/s.
Loss is random and hits data only; the queue holds what is on its way, 64 KB at least (dctcp: marks from a quarter on).
Made by \`npm run sim -- --table\`; a test compares each cell, ${TOLERANCE * 100} % or ${TOLERANCE_MBIT} Mbit/s may differ.

${sections.join('\n\n')}
`;
}

/** The committed table. Throws where a line is not understood. */
export function readTable(text = readFileSync(TABLE_FILE, 'utf8')): Table {
  const table = new Map<string, number>();
  let congestion = '';
  for (const line of text.split('\n')) {
    const section = /^## (\w+)$/.exec(line);
    if (section) congestion = section[1] ?? '';
    const row = /^\| ([\d.]+) % \|(.*)\|$/.exec(line);
    if (!row) continue;
    const values = (row[2] ?? '').split('|').map(Number);
    for (const [index, mbit] of values.entries()) {
      if (Number.isNaN(mbit)) throw new Error(`${TABLE_FILE}: not a number in ${line}`);
      table.set(keyOf({ congestion, lossPercent: Number(row[1]), rttMs: RTT_MS[index] ?? 0 }), mbit);
    }
  }
  return table;
}

/** One sentence for each cell that differs by more than the tolerance. */
export function differences(measured: Table, committed: Table): string[] {
  return [...measured].flatMap(([key, mbit]) => {
    const known = committed.get(key);
    if (known === undefined) return [`${key}: not in the committed table`];
    const most = Math.max(known * TOLERANCE, TOLERANCE_MBIT);
    const text = `${key}: ${mbit.toFixed(2)} Mbit/s, committed ${known.toFixed(2)}`;
    return Math.abs(mbit - known) <= most ? [] : [text];
  });
}
