// The folder for sockets of this user's own processes: mode 0700, never shared across users.
// Who can reach a memif or Redis socket is trusted like the process itself, so the folder is checked, not only made.
import { lstatSync, mkdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** `$XDG_RUNTIME_DIR/qstack`, or `/tmp/qstack-<uid>` where there is none. Nothing is made. */
export function runtimeDir(): string {
  const given = process.env.XDG_RUNTIME_DIR;
  return given ? join(given, 'qstack') : join(tmpdir(), `qstack-${process.getuid?.() ?? 0}`);
}

/**
 * Makes the folder, with mode 0700, and checks one that was there: it must be a folder of this user's, into which nobody else
 * may write. What others own or may write to is refused and left as it is.
 */
export function makePrivateDir(path: string): string {
  const runtime = runtimeDir();
  if (path.startsWith(`${runtime}/`)) makePrivateDir(runtime);
  mkdirSync(path, { recursive: true, mode: 0o700 });
  const found = lstatSync(path);
  if (!found.isDirectory()) throw new Error(`${path} is not a folder: remove it, or name another one`);
  if (found.uid !== (process.getuid?.() ?? found.uid)) {
    throw new Error(`${path} belongs to user ${found.uid}: sockets are not kept in another user's folder`);
  }
  if ((found.mode & 0o022) !== 0) {
    const mode = (found.mode & 0o7777).toString(8);
    throw new Error(
      `${path} is open to other users (mode ${mode}): sockets are kept in a folder of their own, mode 0700`,
    );
  }
  return path;
}
