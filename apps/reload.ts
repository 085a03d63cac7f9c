// The configuration read again while a stack runs: its rules are put in place, everything else stays as it was.
// In: where the settings came from. Out: one text that says what was done, or why nothing was.
import { formatFault } from '../stack/config/fault.js';
import { loadSettings, type Sources } from '../stack/config/load.js';
import type { StackSettings } from '../stack/config/settings.js';
import { QstackError } from '../stack/errors.js';
import type { RuleHits } from '../stack/rule-set.js';

export interface Reloadable {
  readonly settings: StackSettings;
  classifyLines(lines: StackSettings['classify']): RuleHits[];
}

/** Settings other than the rules that differ; servers that the program found by itself are no difference. */
export function otherChanges(running: StackSettings, fresh: StackSettings): string[] {
  const same = (a: unknown, b: unknown) => JSON.stringify(a) === JSON.stringify(b);
  return (Object.keys(fresh) as (keyof StackSettings)[]).filter((name) => {
    if (name === 'classify' || (name === 'redis' && fresh.redis.length === 0)) return false;
    return !same(running[name], fresh[name]);
  });
}

export function reload(stack: Reloadable, sources: Sources): string {
  const { settings, faults } = loadSettings(sources);
  if (settings === undefined) {
    return `${sources.file}: the rules stay as they are:\n${faults.map(formatFault).join('\n')}`;
  }
  try {
    stack.classifyLines(settings.classify);
  } catch (error) {
    if (!(error instanceof QstackError)) throw error;
    return `${sources.file}: the rules stay as they are: ${error.message}`;
  }
  const done = `${sources.file}: ${settings.classify.length} rules are in place`;
  const others = otherChanges(stack.settings, settings);
  return others.length === 0
    ? done
    : `${done}; ${others.join(', ')} changed as well, which takes effect when the program is started again`;
}
