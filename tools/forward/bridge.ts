// Bridge: one kernel socket and one connection of ours, joined until both directions have ended.
// In: a socket that allows half open, a connection without a handler. Out: a promise: resolved when both sides have ended in
// order, rejected, with both sides reset, when one of them broke. Invariant: what one side does not read is not read from the
// other, so a bounded amount waits here; and an end travels on alone, the other direction goes on.
import type { Socket } from 'node:net';
import type { Connection } from '../../stack/connection.js';

/** Unacknowledged bytes towards the server while more is read from the socket. */
const LOW_WATER = 256 * 1024;
/** Bytes after which the stack is asked whether the server reads: asking for each would be a trip for each. */
const PIECE = 32 * 1024;

export interface Bytes {
  toServer: number;
  fromServer: number;
}

/** Socket to connection. */
async function carryOver(socket: Socket, connection: Connection, bytes: Bytes): Promise<void> {
  let sinceDrain = 0;
  for await (const chunk of socket.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
    if (!connection.send(chunk)) return; // it is gone, and its `closed` says why
    bytes.toServer += chunk.length;
    sinceDrain += chunk.length;
    if (sinceDrain < PIECE) continue;
    sinceDrain = 0;
    await connection.drain({ lowWater: LOW_WATER });
  }
  connection.end();
}

function roomIn(socket: Socket): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      socket.off('drain', done).off('close', done);
      resolve();
    };
    socket.on('drain', done).on('close', done);
  });
}

/** Connection to socket. */
async function carryBack(connection: Connection, socket: Socket, bytes: Bytes): Promise<void> {
  for await (const message of connection) {
    bytes.fromServer += message.length;
    if (!socket.write(message.copy())) await roomIn(socket);
  }
  socket.end();
}

/** Rejects when either side breaks; else it stays as it is. */
function broken(socket: Socket, connection: Connection): Promise<never> {
  return new Promise((_, reject) => {
    if (socket.errored !== null) reject(socket.errored);
    socket.once('error', reject);
    void connection.closed.then((reason) => {
      if (reason !== 'finished') reject(new Error(`the connection to the server is closed (${reason})`));
    });
  });
}

export async function bridge(socket: Socket, connection: Connection, bytes: Bytes): Promise<void> {
  const ways = [carryOver(socket, connection, bytes), carryBack(connection, socket, bytes)];
  try {
    await Promise.race([Promise.all(ways), broken(socket, connection)]);
  } catch (error) {
    connection.abort();
    socket.resetAndDestroy();
    throw error;
  }
  await connection.closed;
}
