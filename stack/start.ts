// start(): a module on the air, with a stack thread and app threads, or, where the configuration says so, inline.
// In: the URL of a module whose default export is made by serve(), and a configuration. Out: a running Stack.

import type { StackSettings } from './config/settings.js';
import { Stack } from './control.js';
import { type ConfigObject, settingsOf } from './inline.js';
import { Log } from './log.js';
import type { RingDevice } from './native.js';
import { isServeDefinition, notADefinition, type ServeDefinition } from './serve.js';

export interface StartOptions {
  log?: Log;
  /** One end of a pair of stacks in this process, instead of the device of the configuration: for tests. */
  ring?: RingDevice;
  /** An app thread died too often; by default the process ends with exit 1. */
  onFatal?: () => void;
}

async function definitionOf(module: string): Promise<ServeDefinition> {
  const definition = ((await import(module)) as { default?: unknown }).default;
  if (isServeDefinition(definition)) return definition;
  throw notADefinition(`${module} has no default export made by serve()`);
}

export async function start(
  module: URL | string,
  config: ConfigObject | StackSettings,
  options: StartOptions = {},
): Promise<Stack> {
  if (!(module instanceof URL) && typeof module !== 'string') throw notADefinition('start() was given no module');
  const settings = settingsOf(config);
  const log = options.log ?? new Log({ level: settings.logLevel });
  const definition = await definitionOf(String(module));
  return Stack.start({ ...options, module: String(module), definition, settings, log });
}

/** SIGTERM and the first ^C stop the stack in order; a second one quits at once. Resolves when the stack is down. */
export function stopOnSignals(stack: Stack): Promise<void> {
  return new Promise((resolve) => {
    let signals = 0;
    const onSignal = () => {
      if (++signals > 1) process.exit(130);
      void stack.stop().then(() => {
        process.off('SIGINT', onSignal);
        process.off('SIGTERM', onSignal);
        resolve();
      });
    };
    process.on('SIGINT', onSignal);
    process.on('SIGTERM', onSignal);
  });
}
