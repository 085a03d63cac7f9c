// What a program that was stopped has left in its TMPDIR. In: that folder. Out: names of files, and of folders of its own; the
// runtime folder may stay, without a file.
import { readdirSync } from 'node:fs';

export function leftIn(folder: string): string[] {
  const entries = readdirSync(folder, { recursive: true, withFileTypes: true });
  const isLeft = (name: string) => !/^(qstack-\d+|control|memif)$/.test(name);
  return entries.filter((entry) => !entry.isDirectory() || isLeft(entry.name)).map(({ name }) => name);
}
