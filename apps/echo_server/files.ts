// Files below one folder, and nothing else: where a request's path leads, with every symbolic link followed first.
// In: the root (a real path) and a percent-encoded path. Out: an open file, or the status that says why not.
import { constants } from 'node:fs';
import { type FileHandle, open, realpath } from 'node:fs/promises';
import { extname, join, sep } from 'node:path';

const TYPES: Readonly<Record<string, string>> = {
  '.css': 'text/css',
  '.html': 'text/html; charset=utf-8',
  '.ico': 'image/x-icon',
  '.jpg': 'image/jpeg',
  '.js': 'text/javascript',
  '.json': 'application/json',
  '.md': 'text/markdown; charset=utf-8',
  '.png': 'image/png',
  '.svg': 'image/svg+xml',
  '.txt': 'text/plain; charset=utf-8',
  '.wasm': 'application/wasm',
};

export interface OpenFile {
  handle: FileHandle;
  size: number;
  type: string;
}

function decode(path: string): string | undefined {
  try {
    const text = decodeURIComponent(path);
    return text.startsWith('/') && !text.includes('\0') ? text : undefined;
  } catch {
    return undefined;
  }
}

function statusOf(error: unknown): number {
  const { code } = error as NodeJS.ErrnoException;
  if (code === 'EACCES' || code === 'EPERM') return 403;
  return code === 'ENOENT' || code === 'ENOTDIR' || code === 'ELOOP' || code === 'ENAMETOOLONG' ? 404 : 500;
}

async function openReal(path: string): Promise<OpenFile | number> {
  // What was resolved is opened without following another link, and without waiting for the writer of a pipe.
  const handle = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  const found = await handle.stat();
  if (found.isFile()) return { handle, size: found.size, type: TYPES[extname(path)] ?? 'application/octet-stream' };
  await handle.close();
  return found.isDirectory() ? 404 : 403;
}

/** `root` is a real path, see realpath(3). The caller closes the handle. */
export async function openBelow(root: string, path: string): Promise<OpenFile | number> {
  const decoded = decode(path);
  if (decoded === undefined) return 400;
  const name = decoded.endsWith('/') ? `${decoded}index.html` : decoded;
  try {
    const real = await realpath(join(root, name));
    const inside = root === sep ? sep : root + sep;
    return real.startsWith(inside) ? await openReal(real) : 404;
  } catch (error) {
    return statusOf(error);
  }
}
