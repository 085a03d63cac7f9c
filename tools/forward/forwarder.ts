// Forwarder: kernel listeners, an active open for each socket that they accept, and a bridge between the two.
// In: pairs, an app whose stack is on the air. Out: counts by pair. Invariant: at most `connectionsMax` sockets are held at a
// time; what cannot be carried on is reset, so that a client never takes a loss for an end.
import { createServer, type Server, type Socket } from 'node:net';
import type { App } from '../../stack/app.js';
import { formatEndpoint, formatIp } from '../../stack/config/address.js';
import type { Connection } from '../../stack/connection.js';
import { stream } from '../../stack/framing.js';
import type { Log } from '../../stack/log.js';
import { type Bytes, bridge } from './bridge.js';
import type { Link } from './link.js';
import { formatPair, type Pair } from './pairs.js';

export interface PairCounts extends Bytes {
  accepted: number;
  open: number;
  /** Ended in order, both ways. */
  finished: number;
  /** Broke while they were open. */
  reset: number;
  /** Too many at once. */
  refused: number;
  /** The server could not be reached, by code. */
  failed: Record<string, number>;
}

export interface ForwarderOptions {
  pairs: readonly Pair[];
  connectionsMax: number;
  /** For the server's link and its answer, together. */
  connectTimeoutMs: number;
  link: Link;
  log: Log;
}

const HINTS: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'nothing listens there',
  EHOSTUNREACH: 'no such address answers on this link',
  ETIMEDOUT: 'no answer within --connect-timeout',
  ENOLINK: 'the server did not come within --connect-timeout',
};

function codeOf(error: unknown): string {
  const { code, name } = error as { code?: unknown; name?: unknown };
  return typeof code === 'string' ? code : String(name);
}

export class Forwarder {
  readonly counts: ReadonlyMap<Pair, PairCounts>;
  private readonly servers: Server[] = [];
  private readonly stopping = new AbortController();
  private readonly connections = new Set<Connection>();
  private open = 0;

  constructor(
    private readonly app: App<'normal'>,
    private readonly options: ForwarderOptions,
  ) {
    const none = { accepted: 0, open: 0, finished: 0, reset: 0, refused: 0, toServer: 0, fromServer: 0 };
    this.counts = new Map(options.pairs.map((pair) => [pair, { ...none, failed: {} }]));
  }

  /** Rejects when an address is not to be had. */
  async listen(): Promise<void> {
    for (const [pair, counts] of this.counts) {
      const { address, port } = pair.listen;
      const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
        void this.accept(socket, pair, counts);
      });
      this.servers.push(server);
      await new Promise<void>((resolve, reject) => {
        server.once('error', reject).listen(port, formatIp(address), resolve);
      });
    }
  }

  private async accept(socket: Socket, pair: Pair, counts: PairCounts): Promise<void> {
    counts.accepted += 1;
    // Whoever leaves before the server has answered; later the bridge listens as well.
    socket.on('error', () => {});
    if (this.open >= this.options.connectionsMax) return this.refuse(socket, counts);
    this.open += 1;
    counts.open += 1;
    try {
      const connection = await this.reach(pair, counts);
      if (connection === undefined) socket.resetAndDestroy();
      else await this.join(socket, connection, counts);
    } finally {
      this.open -= 1;
      counts.open -= 1;
    }
  }

  private refuse(socket: Socket, counts: PairCounts): void {
    counts.refused += 1;
    const { connectionsMax, log } = this.options;
    log.warn('FORWARD_FULL', `${connectionsMax} connections are open, more are refused: see --connections`);
    socket.resetAndDestroy();
  }

  /** The active open; undefined, counted and said, when it failed. */
  private async reach(pair: Pair, counts: PairCounts): Promise<Connection | undefined> {
    const { link, connectTimeoutMs } = this.options;
    const { address, port } = pair.target;
    const signal = AbortSignal.any([AbortSignal.timeout(connectTimeoutMs), this.stopping.signal]);
    try {
      await link.whenUp(signal);
      return await this.app.connect({ address: formatIp(address), port, framing: stream, halfOpen: true, signal });
    } catch (error) {
      if (!this.stopping.signal.aborted) this.failed(signal.aborted ? 'late' : codeOf(error), pair, counts);
      return undefined;
    }
  }

  private failed(code: string, pair: Pair, counts: PairCounts): void {
    const { link, log } = this.options;
    const name = code !== 'late' ? code : link.isDown ? 'ENOLINK' : 'ETIMEDOUT';
    counts.failed[name] = (counts.failed[name] ?? 0) + 1;
    const { address, port } = pair.target;
    const why = HINTS[name] ?? 'the connection could not be opened';
    log.warn(
      `FORWARD_${name}`,
      `${formatEndpoint(address, port)}: ${why} (${name})`,
      {},
      `${name} ${formatPair(pair)}`,
    );
  }

  private async join(socket: Socket, connection: Connection, counts: PairCounts): Promise<void> {
    this.connections.add(connection);
    try {
      await bridge(socket, connection, counts);
      counts.finished += 1;
    } catch {
      counts.reset += 1;
    } finally {
      this.connections.delete(connection);
    }
  }

  /** The server is gone, and what it knew of its connections as well. */
  resetAll(): void {
    for (const connection of this.connections) connection.abort();
  }

  /** Accepts no more, and resets what is open. */
  stop(): void {
    for (const server of this.servers) server.close();
    this.stopping.abort(new Error('stopped'));
    this.resetAll();
  }
}
