// What runs in a worker of offload.ts: imports the module of an errand, once, and calls its task.
export interface Errand {
  module: string;
  task: string;
  data: unknown;
}

/** `known`: the tasks of the module, where it has no such one. An error travels without what classes add to it. */
export type Outcome = { value: unknown } | { known: string[] };

export async function carryOut({ module, task, data }: Errand): Promise<Outcome> {
  const tasks = (await import(module)) as Record<string, unknown>;
  const run = tasks[task];
  if (typeof run === 'function') return { value: await run(data) };
  return { known: Object.keys(tasks).filter((name) => typeof tasks[name] === 'function') };
}
