// echo_server: echo on one port, files over HTTP/1.1 on another. The program that app threads import.
// In: bytes. Out: the same bytes, or files below one folder. Both keep a bounded amount per connection: what a peer does not
// read is not read from it (echo) or from the disk (files).
// Ports and folder stand in the module's own address, `server.js?echoPort=7&httpPort=80&root=/srv`: each thread reads them there.
import { realpathSync } from 'node:fs';
import type { Coroutine } from '../../coroutine/index.js';
import type { Column } from '../../stack/column.js';
import type { ConnectionId } from '../../stack/connection-table.js';
import { stream } from '../../stack/framing.js';
import type { Message } from '../../stack/message.js';
import { serve } from '../../stack/serve.js';
import { HeadReader } from './http.js';
import { answer } from './serve-file.js';

export interface EchoOptions {
  /** 0: no echo. */
  echoPort: number;
  /** 0: no files. */
  httpPort: number;
  root: string;
}

/** Bytes that are echoed before the stack is asked whether the peer reads: once per segment would be a trip for each. */
const ECHO_PIECE = 32 * 1024;

/** What the peer does not read is not read from it: at most ECHO_PIECE and what drain() leaves are under way. */
function echoHandler(sinceDrain: Column) {
  return function* echo(message: Message): Coroutine<void> {
    const { connection } = message;
    const bytes = sinceDrain.get(connection) + message.length;
    sinceDrain.set(connection, bytes < ECHO_PIECE ? bytes : 0);
    if (message.reply(message) && bytes >= ECHO_PIECE) yield* connection.drain();
  };
}

function fileServer(root: string) {
  const readers = new Map<ConnectionId, HeadReader>();
  return {
    *handler(message: Message): Coroutine<void> {
      const { connection } = message;
      const reader = readers.get(connection.id) ?? new HeadReader();
      readers.set(connection.id, reader);
      for (const request of reader.push(message.copy())) {
        if (yield* answer(connection, root, request)) continue;
        connection.close();
        return;
      }
    },
    forget: (id: ConnectionId) => {
      readers.delete(id);
    },
  };
}

export function echoServer({ echoPort, httpPort, root }: EchoOptions) {
  return serve({
    levels: ['normal'],
    setup(app) {
      if (echoPort > 0) app.listen({ port: echoPort, framing: stream }, echoHandler(app.column('sinceDrain', 'u32')));
      if (httpPort === 0) return;
      const files = fileServer(realpathSync(root));
      app.listen({ port: httpPort, framing: stream, onClose: ({ id }) => files.forget(id) }, files.handler);
    },
  });
}

function optionsOfAddress(address: string): EchoOptions {
  const { searchParams } = new URL(address);
  return {
    echoPort: Number(searchParams.get('echoPort') ?? 7),
    httpPort: Number(searchParams.get('httpPort') ?? 80),
    root: searchParams.get('root') ?? '.',
  };
}

export default echoServer(optionsOfAddress(import.meta.url));
