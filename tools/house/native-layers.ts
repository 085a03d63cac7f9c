// The order of the native rooms, checked on `#include` lines against the table of docs/ARCHITECTURE.md section 1.
// In: files by path, and the order of the rooms. Out: one sentence per violation: a room that includes a later one, a cycle of
// files, DPDK outside native/port, a clock or a source of randomness below native/stack.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** Text by path, such as `native/tcp/engine.cc`. */
export type Sources = ReadonlyMap<string, string>;

const CALLS = 'clock_gettime|gettimeofday|rte_rdtsc|rte_get_\\w*cycles|__rdtsc|getrandom|s?rand|time';
const NAMES = 'std::chrono|steady_clock|system_clock|random_device';
const CLOCK_OR_RANDOM = new RegExp(`(?<![\\w.>])((?:${CALLS})(?=\\s*\\()|(?:${NAMES})\\b)`);
const ENDS_PROCESS = /(?<![\w.:>])(?:std::|::)?_?exit\s*\(/;

/** Files that read a clock all the same, with the reason. */
export const CLOCK_EXCUSED: Readonly<Record<string, string>> = {
  'native/port/interrupt_gate.cc': "runs in EAL's own thread, to which nobody can pass a time",
};

/** Rooms in the order of the table's rows, without those of TypeScript. */
export function roomOrder(architecture: string): string[] {
  return [...architecture.matchAll(/^\| `native\/(\w+)` \|/gm)].map((match) => match[1] as string);
}

export function readNative(root: string): Sources {
  const folder = join(root, 'native');
  const names = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) => /\.(hh|cc|h)$/.test(name));
  return new Map(names.map((name) => [join('native', name), readFileSync(join(folder, name), 'utf8')]));
}

function roomOf(path: string): string {
  return path.split('/')[1] ?? '';
}

function includesOf(text: string): string[] {
  return [...text.matchAll(/^\s*#\s*include\s+["<]([^">]+)[">]/gm)].map((match) => match[1] as string);
}

/** Comments and string literals out of the way, so that words in them count for nothing. */
function codeOf(text: string): string {
  return text.replace(/\/\*[\s\S]*?\*\/|\/\/[^\n]*|"(?:[^"\\\n]|\\.)*"/g, '');
}

function orderFaults(path: string, text: string, order: readonly string[]): string[] {
  const own = order.indexOf(roomOf(path));
  if (own < 0) return [`${path}: native/${roomOf(path)} has no row in the table of docs/ARCHITECTURE.md`];
  return includesOf(text)
    .filter((name) => name.startsWith('native/') && order.indexOf(roomOf(name)) > own)
    .map((name) => `${path}: includes ${name}, and native/${roomOf(name)} comes after native/${roomOf(path)}`);
}

function deviceFaults(path: string, text: string): string[] {
  const dpdk = includesOf(text).filter((name) => /^(.*\/)?rte_/.test(name));
  return roomOf(path) === 'port' ? [] : dpdk.map((name) => `${path}: includes ${name}; only native/port knows DPDK`);
}

function determinismFaults(path: string, text: string, order: readonly string[]): string[] {
  if (order.indexOf(roomOf(path)) >= order.indexOf('stack')) return [];
  const code = codeOf(text);
  const clock = Object.hasOwn(CLOCK_EXCUSED, path) ? null : CLOCK_OR_RANDOM.exec(code);
  const end = ENDS_PROCESS.exec(code);
  return [
    ...(clock ? [`${path}: uses ${clock[1]}; below native/stack the time and every secret are passed in`] : []),
    ...(end ? [`${path}: ends the process; nothing on the packet's line may`] : []),
  ];
}

/** A path of files that include one another in a circle, if there is one. */
function cycleFrom(start: string, files: Sources, done: Set<string>): string[] | undefined {
  const trail: string[] = [];
  const walk = (path: string): string[] | undefined => {
    if (trail.includes(path)) return [...trail.slice(trail.indexOf(path)), path];
    if (done.has(path)) return undefined;
    trail.push(path);
    for (const next of includesOf(files.get(path) ?? '')) {
      const found = files.has(next) ? walk(next) : undefined;
      if (found !== undefined) return found;
    }
    trail.pop();
    done.add(path);
    return undefined;
  };
  return walk(start);
}

export function nativeFaults(files: Sources, order: readonly string[]): string[] {
  const faults = [...files].flatMap(([path, text]) => [
    ...orderFaults(path, text, order),
    ...deviceFaults(path, text),
    ...determinismFaults(path, text, order),
  ]);
  const done = new Set<string>();
  for (const path of files.keys()) {
    const cycle = cycleFrom(path, files, done);
    if (cycle !== undefined) return [...faults, `a cycle of includes: ${cycle.join(' → ')}`];
  }
  return faults;
}
