// Source: where the doctor reads. The machine's own /proc and /sys, and a few commands; tests have a machine of text.
// In: paths. Out: texts, names, targets of links; undefined and empty lists for what is not there.
import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

export interface Source {
  read(path: string): string | undefined;
  list(path: string): string[];
  /** Last part of what a link points to. */
  link(path: string): string | undefined;
  /** Output of a command that ended well. */
  run(command: string, args: readonly string[]): string | undefined;
}

function tried<T>(ask: () => T): T | undefined {
  try {
    return ask();
  } catch {
    return undefined;
  }
}

export const thisMachine: Source = {
  read: (path) => tried(() => readFileSync(path, 'utf8')),
  list: (path) => tried(() => readdirSync(path).sort()) ?? [],
  link: (path) =>
    tried(() => readlinkSync(path))
      ?.split('/')
      .pop(),
  run(command, args) {
    const { status, stdout } = spawnSync(command, args, { encoding: 'utf8', timeout: 5_000 });
    return status === 0 ? stdout : undefined;
  },
};

/** The first group of a pattern in a file, as a number. */
export function numberIn(source: Source, path: string, pattern: RegExp): number | undefined {
  const match = pattern.exec(source.read(path) ?? '');
  return match?.[1] === undefined ? undefined : Number(match[1]);
}

export function wordIn(source: Source, path: string): string | undefined {
  return source.read(path)?.trim();
}
