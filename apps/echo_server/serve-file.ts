// One answer of the file server: a request in, the file out in pieces, as fast as the peer reads.
// Invariant: whatever a file's size, at most one PIECE of it is in JavaScript and LOW_WATER bytes are unacknowledged beside it.
import type { FileHandle } from 'node:fs/promises';
import { type Coroutine, wait } from '../../coroutine/index.js';
import type { Connection } from '../../stack/connection.js';
import { type OpenFile, openBelow } from './files.js';
import { type Refusal, type Request, resolveRange, responseHead, statusResponse } from './http.js';

const PIECE = 64 * 1024;
const LOW_WATER = 128 * 1024;

function* sendBytes(connection: Connection, handle: FileHandle, first: number, last: number): Coroutine<boolean> {
  const piece = Buffer.allocUnsafe(Math.min(PIECE, last - first + 1));
  for (let at = first; at <= last; ) {
    const { bytesRead } = yield* wait(handle.read(piece, 0, Math.min(piece.length, last - at + 1), at));
    // A file that became shorter cannot be answered any more: the length has been sent.
    if (bytesRead === 0) return false;
    if (!connection.send(piece.subarray(0, bytesRead))) return false;
    yield* connection.drain({ lowWater: LOW_WATER });
    at += bytesRead;
  }
  return true;
}

function* sendFile(connection: Connection, request: Request, file: OpenFile): Coroutine<boolean> {
  const { size, type, handle } = file;
  const span = request.range === undefined ? { first: 0, last: size - 1 } : resolveRange(request.range, size);
  if (span === undefined) {
    connection.send(statusResponse(416, request.keepAlive, request.method === 'GET'));
    return request.keepAlive;
  }
  const { first, last } = span;
  const head = responseHead(request.range === undefined ? 200 : 206, {
    'Content-Type': type,
    'Content-Length': last - first + 1,
    'Accept-Ranges': 'bytes',
    ...(request.range === undefined ? {} : { 'Content-Range': `bytes ${first}-${last}/${size}` }),
    Connection: request.keepAlive ? 'keep-alive' : 'close',
  });
  if (!connection.send(head)) return false;
  const whole = request.method === 'HEAD' || (yield* sendBytes(connection, handle, first, last));
  return whole && request.keepAlive;
}

/** True: the connection waits for its next request. */
export function* answer(connection: Connection, root: string, request: Request | Refusal): Coroutine<boolean> {
  if ('refused' in request) {
    connection.send(statusResponse(request.refused, false, true));
    return false;
  }
  const file = yield* wait(openBelow(root, request.path));
  if (typeof file === 'number') {
    connection.send(statusResponse(file, request.keepAlive, request.method === 'GET'));
    return request.keepAlive;
  }
  try {
    return yield* sendFile(connection, request, file);
  } finally {
    file.handle.close().catch(() => {});
  }
}
