// Folders that results go to, made before anything is measured: what cannot be written is told then, and not after hours.
import { accessSync, constants, mkdirSync } from 'node:fs';

/** Throws an Error that names the flag. */
export function makeFolder(flag: string, path: string): void {
  try {
    mkdirSync(path, { recursive: true });
    accessSync(path, constants.W_OK);
  } catch (error) {
    throw new Error(
      `${flag}: ${path} cannot be written (${(error as NodeJS.ErrnoException).code}); name another folder`,
    );
  }
}
