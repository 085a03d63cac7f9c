// What runs in a worker of offload.ts: imports the module of an errand, once, and calls its task.
import { workerData } from 'piscina';

export interface Errand {
  module: string;
  task: string;
  data: unknown;
}

/** `known`: the tasks of the module, where it has no such one. An error travels without what classes add to it. */
export type Outcome = { value: unknown } | { known: string[] };

/** Where a worker runs; otherwise it would be where the app thread is that has made it. */
export interface Place {
  cores: readonly number[];
}

const place = workerData as Place | undefined;
if (place?.cores !== undefined) (await import('./native.js')).loadNative().pinThread({ cores: place.cores });

export async function carryOut({ module, task, data }: Errand): Promise<Outcome> {
  const tasks = (await import(module)) as Record<string, unknown>;
  const run = tasks[task];
  if (typeof run === 'function') return { value: await run(data) };
  return { known: Object.keys(tasks).filter((name) => typeof tasks[name] === 'function') };
}
