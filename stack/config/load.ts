// The configuration, from a `.conf`, an object and flags: the same keys everywhere, later sources override earlier ones.
// Out: settings, or all faults at once. Nothing is ever half accepted: one fault refuses the whole configuration.
import { plan } from '../../mempool/plan.js';
import { ruleFault } from '../classifier.js';
import { QstackError } from '../errors.js';
import { Checks, type Planner } from './checks.js';
import { didYouMean, type Entry, type Fault, formatFault } from './fault.js';
import { KEY_NAMES, KEYS, type Key, type KeyName, type Values } from './keys.js';
import { type Machine, thisMachine } from './machine.js';
import { completeSettings, type StackSettings } from './settings.js';
import { type Entries, entriesOfObject, readConfFile } from './text.js';

export interface Sources {
  /** What the program itself prefers where nobody says anything. */
  defaults?: Readonly<Record<string, unknown>>;
  file?: string;
  object?: Readonly<Record<string, unknown>>;
  /** From the command line: `where` is the flag. */
  flags?: readonly Entry[];
}

export interface Loaded {
  /** Absent when there are faults. */
  settings?: StackSettings;
  faults: Fault[];
  warnings: Fault[];
}

/** Judges a classify line: the sentence that says what is wrong, or undefined. */
export type RuleCheck = (text: string, levels: readonly string[] | undefined) => string | undefined;

export interface Judges {
  machine?: Machine;
  /** mempool/plan.ts, unless a test says otherwise. */
  planner?: Planner;
  /** stack/classifier.ts, unless a test says otherwise. */
  rule?: RuleCheck;
}

/** One source's entries by key, with its faults: unknown keys, and keys that stand there twice. */
function sortEntries(entries: readonly Entry[], faults: Fault[]): Map<KeyName, Entry[]> {
  const sorted = new Map<KeyName, Entry[]>();
  for (const entry of entries) {
    if (!Object.hasOwn(KEYS, entry.key)) {
      const fault = `unknown key${didYouMean(entry.key, KEY_NAMES)}`;
      faults.push({ where: entry.where, key: entry.key, fault, accepts: '' });
      continue;
    }
    const name = entry.key as KeyName;
    const before = sorted.get(name);
    if (before === undefined) sorted.set(name, [entry]);
    else if (KEYS[name].many) before.push(entry);
    else faults.push({ ...entry, fault: `stands there twice (first at ${before[0]?.where})`, accepts: 'one line' });
  }
  return sorted;
}

function readEntry(name: KeyName, entry: Entry, faults: Fault[]): { value: unknown } | undefined {
  const key: Key<unknown> = KEYS[name];
  const text = entry.text.trim();
  const read = text === '' ? { fault: 'has no value' } : key.read(text);
  if ('value' in read) return read;
  faults.push({ where: entry.where, key: name, fault: read.fault, accepts: key.accepts });
  return undefined;
}

function readAll(chosen: Map<KeyName, Entry[]>, faults: Fault[]): Values {
  const values: Record<string, unknown> = {};
  for (const [name, entries] of chosen) {
    const read = entries.map((entry) => readEntry(name, entry, faults)).filter((item) => item !== undefined);
    if (read.length === 0) continue;
    values[name] = KEYS[name].many ? read.map((item) => item.value) : read[0]?.value;
  }
  return values as Values;
}

function gather(sources: Sources, faults: Fault[]): Map<KeyName, Entry[]> {
  const file: Entries = sources.file === undefined ? { entries: [], faults: [] } : readConfFile(sources.file);
  faults.push(...file.faults);
  const chosen = new Map<KeyName, Entry[]>();
  const lists = [
    entriesOfObject(sources.defaults ?? {}, 'defaults'),
    file.entries,
    entriesOfObject(sources.object ?? {}, 'options'),
    sources.flags ?? [],
  ];
  for (const list of lists) {
    for (const [name, entries] of sortEntries(list, faults)) chosen.set(name, entries);
  }
  return chosen;
}

/** Values of entries of one source; faults are added. */
export function readValues(entries: readonly Entry[], faults: Fault[]): Values {
  return readAll(sortEntries(entries, faults), faults);
}

function plannedBytes(settings: StackSettings) {
  const { connectionsMax, levels, appThreads, packetsMax } = settings;
  return plan({ connections: connectionsMax, levels: levels?.length ?? 2, apps: appThreads, packets: packetsMax });
}

function checkRules(chosen: Map<KeyName, Entry[]>, values: Values, rule: RuleCheck, faults: Fault[]): void {
  for (const entry of chosen.get('classify') ?? []) {
    const wrong = rule(entry.text, values.levels);
    if (wrong !== undefined) faults.push({ where: entry.where, key: 'classify', fault: wrong, accepts: '' });
  }
}

export function loadSettings(sources: Sources, judges: Judges = {}): Loaded {
  const faults: Fault[] = [];
  const chosen = gather(sources, faults);
  const values = readAll(chosen, faults);
  checkRules(chosen, values, judges.rule ?? ruleFault, faults);
  const machine = judges.machine ?? thisMachine();
  const classify = (chosen.get('classify') ?? []).map(({ text, where }) => ({ text, where }));
  const settings = completeSettings(values, classify, machine.cores);
  const origin = (name: KeyName) => chosen.get(name)?.[0]?.where ?? sources.file ?? 'defaults';
  const checks = new Checks(settings, origin, machine);
  checks.link();
  checks.addresses();
  checks.times();
  checks.redis();
  checks.mirror();
  checks.threads(values.num_cores);
  checks.pins(values.pin);
  if (faults.length === 0) checks.memory(judges.planner ?? plannedBytes);
  faults.push(...checks.faults);
  return faults.length > 0
    ? { faults: inOrder(faults), warnings: checks.warnings }
    : { settings, faults, warnings: checks.warnings };
}

/** By place in the file, so that a person can walk through it once. */
export function inOrder(faults: Fault[]): Fault[] {
  const line = (fault: Fault) => Number(/:(\d+)$/.exec(fault.where)?.[1] ?? 0);
  return faults.sort((a, b) => line(a) - line(b));
}

/** For callers in code: settings, or one error that lists every fault. */
export function settingsOrThrow(sources: Sources, judges: Judges = {}): StackSettings {
  const { settings, faults } = loadSettings(sources, judges);
  if (settings !== undefined) return settings;
  throw new QstackError('QST_ERR_CONFIG_INVALID', faults.map(formatFault).join('\n'));
}

/** For programs: settings, or every fault on stderr and exit 2. Warnings go to stderr as well. */
export function settingsOrExit(sources: Sources, judges: Judges = {}): StackSettings {
  const { settings, faults, warnings } = loadSettings(sources, judges);
  for (const warning of warnings) process.stderr.write(`${formatFault(warning)} (warning)\n`);
  if (settings !== undefined) return settings;
  process.stderr.write(faults.map((fault) => `${formatFault(fault)}\n`).join(''));
  process.exit(2);
}
