// Flags: every key of the configuration as a command-line flag, `max_concurrency` as `--max-concurrency`.
// In: a commander command. Out: entries that override a file's. `-f`, `-w` and `-i` are QStack's own short forms; a program that
// succeeds another one brings its own.
import { type Command, Option } from 'commander';
import type { Entry } from './fault.js';
import { KEY_NAMES, KEYS, type Key } from './keys.js';

function collect(value: string, before: string[] | undefined): string[] {
  return [...(before ?? []), value];
}

/** Keys with another flag before their own, as `-w, `. */
export type ShortFlags = Readonly<Partial<Record<string, string>>>;

/** `--connections` is what people look for. */
const SHORT: ShortFlags = { workers: '-w, ', payload_at: '-i, ', max_concurrency: '--connections, ' };

/** Adds `-f` and a flag for each key. The rarer ones are hidden from the short help but work the same. */
export function addConfigFlags(command: Command, shown: readonly string[] = [], short: ShortFlags = SHORT): Command {
  command.option('-f, --config <file>', 'configuration file of `key = value` lines');
  for (const name of KEY_NAMES) {
    const key: Key<unknown> = KEYS[name];
    const value = key.bare === undefined ? '<value>' : '[value]';
    const option = new Option(`${short[name] ?? ''}--${name.replaceAll('_', '-')} ${value}`, key.doc);
    if (KEYS[name].many) option.argParser(collect as (value: string, before: unknown) => unknown);
    if (shown.length > 0 && !shown.includes(name) && short[name] === undefined) option.hideHelp();
    command.addOption(option);
  }
  return command;
}

/** What stood on the command line, as entries whose place is the flag. */
export function flagEntries(command: Command): Entry[] {
  return KEY_NAMES.flatMap((key) => {
    const camel = key.replaceAll(/_(\w)/g, (_, letter: string) => letter.toUpperCase());
    if (command.getOptionValueSource(camel) !== 'cli') return [];
    const value = command.getOptionValue(camel) as string | string[] | true;
    const texts = value === true ? [(KEYS[key] as Key<unknown>).bare ?? ''] : Array.isArray(value) ? value : [value];
    return texts.map((text) => ({ key, text, where: `--${key.replaceAll('_', '-')}` }));
  });
}
