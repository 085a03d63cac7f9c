// The text of a `.conf`: `key = value` lines, `#` comments, order free.
// In: a file's text. Out: entries with `path:line`, and a fault for each line that is neither. Keys are judged elsewhere.
import { readFileSync } from 'node:fs';
import type { Entry, Fault } from './fault.js';

const LINE = 'write `key = value`, or `#` before a comment';
const FILE_BYTES_MAX = 1_048_576;

export interface Entries {
  entries: Entry[];
  faults: Fault[];
}

/** A `#` opens a comment at the start of a line or after white space, so that a value may hold one. */
function withoutComment(line: string): string {
  return line.replace(/(^|\s)#.*$/, '').trim();
}

export function parseConfText(text: string, path: string): Entries {
  const entries: Entry[] = [];
  const faults: Fault[] = [];
  const lines = text.replace(/^\uFEFF/, '').split(/\r\n|\n|\r/);
  lines.forEach((raw, index) => {
    const line = withoutComment(raw);
    const where = `${path}:${index + 1}`;
    if (line === '') return;
    const match = /^([\w-]+)\s*=\s*(.*)$/.exec(line);
    if (match === null) faults.push({ where, key: '', fault: `"${line.slice(0, 60)}" is no setting`, accepts: LINE });
    else entries.push({ key: (match[1] ?? '').replaceAll('-', '_'), text: match[2] ?? '', where });
  });
  return { entries, faults };
}

function readError(path: string, error: unknown): Fault {
  const code = (error as NodeJS.ErrnoException).code ?? String(error);
  const why: Record<string, string> = {
    ENOENT: 'there is no such file',
    EACCES: 'this user may not read it',
    EISDIR: 'it is a folder',
  };
  return {
    where: path,
    key: '',
    fault: `cannot be read: ${why[code] ?? code}`,
    accepts: 'give a configuration file with -f',
  };
}

export function readConfFile(path: string): Entries {
  try {
    const bytes = readFileSync(path);
    if (bytes.length <= FILE_BYTES_MAX && !bytes.includes(0)) return parseConfText(bytes.toString('utf8'), path);
    const fault = { where: path, key: '', fault: 'is no configuration file', accepts: `text of at most 1 MiB` };
    return { entries: [], faults: [fault] };
  } catch (error) {
    return { entries: [], faults: [readError(path, error)] };
  }
}

/** Entries of an object: keys in either spelling, lists for what may be repeated. */
export function entriesOfObject(values: Readonly<Record<string, unknown>>, where: string): Entry[] {
  return Object.entries(values).flatMap(([key, value]) =>
    (Array.isArray(value) ? value : [value])
      .filter((item) => item !== undefined)
      .map((item) => ({ key: snakeCase(key), text: textOf(item), where })),
  );
}

function snakeCase(key: string): string {
  return key.replaceAll('-', '_').replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

function textOf(value: unknown): string {
  if (typeof value === 'boolean') return value ? '1' : '0';
  return typeof value === 'object' ? JSON.stringify(value) : String(value);
}
