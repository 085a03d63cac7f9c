// Watch: what follows a run while it lasts. In: the runner's events. Out: progress on stderr, a table per run on stdout, files,
// and messages to the parent process where there is one (`fork`).
import type { Slice } from '../report/timeline.js';
import { Live } from './live.js';
import type { Hiccups } from './native.js';
import type { MccOptions } from './options.js';
import type { Output } from './outputs.js';
import { formatRun } from './report.js';
import type { Events } from './run.js';
import { formatWorkers } from './workers-report.js';

export function watch(options: MccOptions, outputs: readonly Output[], hiccups: () => Hiccups): Events {
  const live = new Live({
    quiet: options.quiet,
    periodMs: options.logMs,
    isTerminal: process.stderr.isTTY === true,
    connections: options.connections,
    levels: options.levels,
    write: (text) => process.stderr.write(text),
    nowMs: () => performance.now(),
    columns: () => process.stderr.columns,
    hiccups,
  });
  const takers = outputs.filter((output) => output.slice !== undefined);
  const forEach = (slice: Slice) => {
    for (const taker of takers) taker.slice?.(slice);
  };
  return {
    begin: (plan) => live.begin(plan),
    view: (view) => {
      live.show(view);
      for (const output of outputs) output.view?.(view);
      process.send?.({ type: 'view', view });
    },
    slice: takers.length === 0 ? undefined : forEach,
    run: (run, measured) => {
      live.leave();
      const workers = run.workers === undefined ? '' : `\n${formatWorkers(run.workers)}`;
      if (!options.json) process.stdout.write(`${formatRun(run)}${workers}\n\n`);
      for (const output of outputs) output.run?.(run, measured);
      process.send?.({ type: 'run', run });
    },
    note: (sentence) => {
      live.leave();
      if (!options.quiet) process.stderr.write(`${sentence}\n`);
    },
  };
}
