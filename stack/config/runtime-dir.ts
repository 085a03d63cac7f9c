// The folder for sockets of this user's own processes: mode 0700, never shared across users.
// Who can reach a memif or Redis socket is trusted like the process itself, so the folder is checked, not only made.
import { chmodSync, lstatSync, mkdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** `$XDG_RUNTIME_DIR/qstack`, or `/tmp/qstack-<uid>` where there is none. Nothing is made. */
export function runtimeDir(): string {
  const given = process.env.XDG_RUNTIME_DIR;
  return given ? join(given, 'qstack') : join(tmpdir(), `qstack-${process.getuid?.() ?? 0}`);
}

/** Makes the folder with mode 0700; throws when it belongs to someone else or is no folder. */
export function makePrivateDir(path: string): string {
  mkdirSync(path, { recursive: true, mode: 0o700 });
  const found = lstatSync(path);
  if (!found.isDirectory()) throw new Error(`${path} is not a folder: remove it, or name another one`);
  if (found.uid !== (process.getuid?.() ?? found.uid)) {
    throw new Error(`${path} belongs to user ${found.uid}: sockets are not kept in another user's folder`);
  }
  if ((found.mode & 0o077) !== 0) chmodSync(path, 0o700);
  return path;
}
