// SnapshotReader: asks a running program for its snapshots once a second, as the live page does, until it is stopped.
// In: the program, and what else is asked for each second. Out: what came.
import { setTimeout as sleep } from 'node:timers/promises';
import type { Snapshot } from '../../stack/dashboard/snapshot.js';
import type { ProgramClient } from '../qstack/program-client.js';

export const PERIOD_MS = 1_000;

export class SnapshotReader {
  readonly came: Snapshot[] = [];
  private over = false;
  private readonly done: Promise<void>;

  constructor(
    private readonly client: ProgramClient,
    private readonly besides: () => Promise<unknown> = async () => {},
  ) {
    this.done = this.read();
    this.done.catch(() => {}); // stop() tells it
  }

  private async read(): Promise<void> {
    while (!this.over) {
      const next = sleep(PERIOD_MS);
      const after = this.came.at(-1)?.number ?? 0;
      this.came.push(...(await this.client.get<Snapshot[]>(`/api/snapshots?after=${after}`)));
      await this.besides();
      await next;
    }
  }

  async stop(): Promise<void> {
    this.over = true;
    await this.done;
  }
}

/** p99 in milliseconds of a level on all of its way through the server, from the snapshots that lie within; NaN: there is none. */
export function wayP99Ms(snapshots: readonly Snapshot[], level: string, fromMs: number, toMs: number): number {
  const counts = new Map<number, number>();
  for (const { at_ms, interval_s, spectrum = [] } of snapshots) {
    if (at_ms - 1_000 * interval_s < fromMs || at_ms > toMs) continue;
    const cells = spectrum.find((one) => one.level === level)?.cells ?? [];
    for (let at = 0; at + 1 < cells.length; at += 2) {
      const [us, count] = [cells[at] as number, cells[at + 1] as number];
      counts.set(us, (counts.get(us) ?? 0) + count);
    }
  }
  const sorted = [...counts].sort(([a], [b]) => a - b);
  let left = 0.99 * sorted.reduce((sum, [, count]) => sum + count, 0);
  for (const [us, count] of sorted) {
    left -= count;
    if (left <= 0) return us / 1_000;
  }
  return Number.NaN;
}
