// The rules of style that a program can check. In: files by path. Out: one sentence per breach.
// Checked: names of files, the opening comment, words that a file must not hold, the length of functions.
import { readdirSync, readFileSync } from 'node:fs';
import { extname, join } from 'node:path';

const FOLDERS = ['stack', 'coroutine', 'mempool', 'apps', 'tools', 'native', 'deps', 'bin', 'test'];
const SKIPPED = new Set(['node_modules', 'build', 'dist']);
const FUNCTION_LINES_MAX = 70;
const CODE = new Set(['.ts', '.mjs', '.cc', '.hh']);
const KEBAB = /^[a-z0-9]+(-[a-z0-9]+)*(\.test)?$/;
const SNAKE = /^[a-z0-9]+(_[a-z0-9]+)*$/;
const EMPTY_NAMES = /^(utils?|managers?|helpers?|misc|common)$/;
// Written in two halves, so that this file does not hold them itself.
const UNWANTED: [RegExp, string][] = [
  [/\b(TO[D]O|FIX[M]E|XX[X])\b/, 'holds a note of unfinished work: finish it, or open an issue'],
  [/["'`( ]\/(home|wo[r]k)\//, 'names a path of one machine'],
  [/@auth[o]r|Copyri[g]ht \(c\)/i, 'names an author: the history does that'],
];

export type Files = ReadonlyMap<string, string>;

function filesBelow(root: string, folder: string): string[] {
  return readdirSync(join(root, folder), { withFileTypes: true }).flatMap((entry) => {
    if (SKIPPED.has(entry.name)) return [];
    const path = join(folder, entry.name);
    return entry.isDirectory() ? filesBelow(root, path) : CODE.has(extname(entry.name)) ? [path] : [];
  });
}

export function readSources(root: string): Files {
  const paths = FOLDERS.flatMap((folder) => filesBelow(root, folder));
  return new Map(paths.map((path) => [path, readFileSync(join(root, path), 'utf8')]));
}

function nameFaults(path: string): string[] {
  const extension = extname(path);
  const name = path.slice(path.lastIndexOf('/') + 1, -extension.length);
  const native = extension === '.cc' || extension === '.hh';
  if (EMPTY_NAMES.test(name)) return [`${path}: a name that says nothing`];
  return (native ? SNAKE : KEBAB).test(name) ? [] : [`${path}: files are ${native ? 'snake_case' : 'kebab-case'}`];
}

/** A file opens with what comes in, what goes out and the invariant; a test's name may be enough. */
function openingFaults(path: string, text: string, files: Files): string[] {
  // A header tells for its .cc as well.
  if (path.endsWith('.cc') && files.has(path.replace(/cc$/, 'hh'))) return [];
  const first = text.replace(/^#!.*\n/, '').split('\n', 1)[0] ?? '';
  const excused = path.startsWith('test/') && /\b(test|suite|TEST_CASE)\b/.test(text);
  return excused || /^\/[/*]/.test(first) ? [] : [`${path}: does not open with a comment`];
}

function wordFaults(path: string, text: string): string[] {
  const unwanted = UNWANTED.filter(([pattern]) => pattern.test(text)).map(([, why]) => `${path}: ${why}`);
  const shared = path.startsWith('native/') && /^\s*[^/\n]*\bvolatile\b/m.test(text);
  return shared ? [...unwanted, `${path}: volatile does not synchronise; use std::atomic`] : unwanted;
}

const OPENS =
  /^(\s*)(?!(?:\} else|if|for|while|switch|namespace|struct|class|enum|extern|do|else|return)\b)(?!\/).*\).*\{$/;

/** Functions by their first line, measured up to the brace in the same column: what the formatters make sure of. */
export function functionLengths(text: string): { line: number; length: number }[] {
  const lines = text.split('\n');
  return lines.flatMap((opening, index) => {
    const indent = OPENS.exec(opening)?.[1];
    if (indent === undefined) return [];
    // The first line that is not further in; of a condition over several lines that is no brace.
    const end = lines.findIndex((line, at) => at > index && line !== '' && !line.startsWith(`${indent} `));
    return end < 0 || !lines[end]?.startsWith(`${indent}}`) ? [] : [{ line: index + 1, length: end - index - 1 }];
  });
}

function lengthFaults(path: string, text: string): string[] {
  return functionLengths(text)
    .filter(({ length }) => length > FUNCTION_LINES_MAX)
    .map(({ line, length }) => `${path}:${line}: a function of ${length} lines; at most ${FUNCTION_LINES_MAX}`);
}

export function styleFaults(files: Files): string[] {
  return [...files].flatMap(([path, text]) => [
    ...nameFaults(path),
    ...openingFaults(path, text, files),
    ...wordFaults(path, text),
    ...lengthFaults(path, text),
  ]);
}
