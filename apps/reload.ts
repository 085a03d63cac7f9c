// The configuration read again while a stack runs: its rules and its policy are put in place, everything else stays as it was.
// In: where the settings came from. Out: one text that says what was done, or why nothing was.
import { formatFault } from '../stack/config/fault.js';
import { loadSettings, type Sources } from '../stack/config/load.js';
import type { PolicyPart, StackSettings } from '../stack/config/settings.js';
import { QstackError } from '../stack/errors.js';

export interface Reloadable {
  readonly settings: StackSettings;
  /** Throws a QstackError, and changes nothing, where rules or policy do not fit the program. */
  configure(settings: StackSettings): void;
}

const IN_PLACE: readonly (keyof StackSettings)[] = [
  'classify',
  ...(['policy', 'starvationBoundMs', 'maxAgesMs', 'weights', 'deadlinesMs'] as const satisfies (keyof PolicyPart)[]),
];

/** Settings other than those that are put in place; servers that the program found by itself are no difference. */
export function otherChanges(running: StackSettings, fresh: StackSettings): string[] {
  const same = (a: unknown, b: unknown) => JSON.stringify(a) === JSON.stringify(b);
  return (Object.keys(fresh) as (keyof StackSettings)[]).filter((name) => {
    if (IN_PLACE.includes(name) || (name === 'redis' && fresh.redis.length === 0)) return false;
    return !same(running[name], fresh[name]);
  });
}

export function reload(stack: Reloadable, sources: Sources): string {
  const { settings, faults } = loadSettings(sources);
  if (settings === undefined) {
    return `${sources.file}: rules and policy stay as they are:\n${faults.map(formatFault).join('\n')}`;
  }
  try {
    stack.configure(settings);
  } catch (error) {
    if (!(error instanceof QstackError)) throw error;
    return `${sources.file}: rules and policy stay as they are: ${error.message}`;
  }
  const done = `${sources.file}: ${settings.classify.length} rules and the policy are in place`;
  const others = otherChanges(stack.settings, settings);
  return others.length === 0
    ? done
    : `${done}; ${others.join(', ')} changed as well, which takes effect when the program is started again`;
}
