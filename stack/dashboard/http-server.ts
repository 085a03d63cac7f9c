// HttpServer: the doors of the dashboard, one over TCP and one over a unix socket, with bounds on what a client may do.
// In: a service. Out: a listening server. Invariant: no client holds more than a connection of MAX_CONNECTIONS, a few
// kilobytes of headers and some seconds; none can keep the process alive or end it.
import { createServer, type Server } from 'node:http';
import type { ListenOptions } from 'node:net';
import { answer, type Service } from './routes.js';

const LIMITS = {
  maxHeaderSize: 8 * 1024,
  headersTimeout: 5_000,
  requestTimeout: 10_000,
  keepAliveTimeout: 5_000,
  connectionsCheckingInterval: 1_000,
};
const HEADERS_MAX = 64;
const CONNECTIONS_MAX = 64;
/** A client that does not take its answer. */
const SILENT_MS = 30_000;

/** `trusted`: whoever reaches the door may do everything. */
export async function listen(service: Service, at: ListenOptions, trusted: boolean): Promise<Server> {
  const server = createServer(LIMITS, (request, response) => void answer(service, request, response, trusted));
  server.maxHeadersCount = HEADERS_MAX;
  server.maxConnections = CONNECTIONS_MAX;
  server.setTimeout(SILENT_MS, (socket) => socket.destroy());
  server.on('clientError', (_error, socket) => {
    if (socket.writable) socket.end('HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n');
    else socket.destroy();
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(at, () => {
      server.off('error', reject);
      resolve();
    });
  });
  server.unref();
  return server;
}

export async function close(server: Server): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  server.closeAllConnections();
  await closed;
}
