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
