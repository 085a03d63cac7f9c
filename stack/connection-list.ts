// ConnectionList: connections of one app thread that a filter lets pass, with their state in the stack.
// In: a query. Out: at most `limit` lines. Invariant: the table is read in slices, between which the thread does its work, and
// the stack is asked about no more connections than LOOKED_AT_MAX: a listing of ten million costs what one of a thousand does.
import { setImmediate as breathe } from 'node:timers/promises';
import type { AppCore } from './app-core.js';
import { formatEndpoint } from './config/address.js';
import { type ConnectionFilter, passesEndpoints, passesState } from './connection-filter.js';
import { CLOSING, OPEN, SHUT } from './connection-table.js';

const SLICE = 4_096;
/** Connections whose state is asked for. */
const LOOKED_AT_MAX = 10_000;
/** Questions that wait in the app's line at once. */
const ASKED_AT_ONCE = 64;

export interface ConnectionQuery {
  filter: ConnectionFilter;
  limit: number;
}

export interface ConnectionLine {
  state: string;
  local: string;
  remote: string;
  app: number;
  slot: number;
  generation: number;
  /** Bytes that the app has not given back. */
  recv_q: number;
  /** Bytes that are not acknowledged, or not sent. */
  send_q: number;
  rtt_us: number | null;
  rttvar_us: number | null;
  cwnd: number;
  mss: number;
  retransmits: number;
  last_recv_ms: number;
  /** Messages whose handlers run or wait. */
  handlers: number;
  /** By level, of the messages whose records still stand in the rings. */
  levels: Record<string, number>;
}

export interface ConnectionsFound {
  lines: ConnectionLine[];
  /** There are others that nobody has looked at. */
  more: boolean;
}

/** Of connections that we have not begun to close; the app may learn of the peer's end later than the stack. */
const BEFORE_OUR_END = ['ESTABLISHED', 'SYN-RECEIVED', 'CLOSE-WAIT'];

/** What the app knows rules out some states. */
function maybePasses({ filter }: ConnectionQuery, flags: number): boolean {
  return (flags & (CLOSING | SHUT)) !== 0 || BEFORE_OUR_END.some((state) => passesState(filter, state));
}

/** Slots of connections whose addresses pass, in slices. */
async function* candidates(core: AppCore<string>, query: ConnectionQuery): AsyncGenerator<number> {
  const { table } = core;
  for (let slot = 0; slot < table.size; slot++) {
    if (slot % SLICE === SLICE - 1) await breathe();
    if (!table.has(slot, OPEN) || !maybePasses(query, table.flags(slot))) continue;
    if (passesEndpoints(query.filter, endpointsOf(core, slot))) yield slot;
  }
}

function endpointsOf(core: AppCore<string>, slot: number) {
  const { table } = core;
  const generation = table.generation(slot);
  // 0: IPv6, whose addresses lie elsewhere.
  const end = (ipv4: number | undefined, port: number | undefined, isRemote: boolean) => ({
    address: ipv4 === undefined || ipv4 === 0 ? core.addressText(slot, generation, isRemote, 0) : ipv4,
    port: port ?? 0,
  });
  return {
    local: end(table.localAddress(slot), table.localPort(slot), false),
    remote: end(table.remoteAddress(slot), table.remotePort(slot), true),
  };
}

async function lineOf(core: AppCore<string>, slot: number): Promise<ConnectionLine | null> {
  const generation = core.table.generation(slot);
  const { local, remote } = endpointsOf(core, slot);
  try {
    const info = await core.desk.info(slot, generation);
    return {
      state: info.state,
      local: formatEndpoint(local.address, local.port),
      remote: formatEndpoint(remote.address, remote.port),
      app: core.app,
      slot,
      generation,
      recv_q: info.unreadBytes,
      send_q: info.unackedBytes + info.notsentBytes,
      rtt_us: info.rttUs ?? null,
      rttvar_us: info.rttvarUs ?? null,
      cwnd: info.sndCwnd,
      mss: info.sndMss,
      retransmits: info.totalRetrans,
      last_recv_ms: info.lastRecvMs,
      handlers: core.table.inFlight(slot),
      levels: {},
    };
  } catch {
    return null; // It has ended meanwhile.
  }
}

export async function listConnections(core: AppCore<string>, query: ConnectionQuery): Promise<ConnectionsFound> {
  const lines: ConnectionLine[] = [];
  let batch: number[] = [];
  let looked = 0;
  const settle = async () => {
    const found = await Promise.all(batch.map((slot) => lineOf(core, slot)));
    batch = [];
    for (const line of found) if (line !== null && passesState(query.filter, line.state)) lines.push(line);
  };
  for await (const slot of candidates(core, query)) {
    if (lines.length + batch.length >= query.limit && batch.length > 0) await settle();
    if (lines.length >= query.limit || looked >= LOOKED_AT_MAX)
      return { lines: lines.slice(0, query.limit), more: true };
    batch.push(slot);
    looked++;
    if (batch.length >= ASKED_AT_ONCE) await settle();
  }
  await settle();
  return { lines: lines.slice(0, query.limit), more: lines.length > query.limit };
}
