// Pools of the generator: how many of everything it makes at the start. In: options. Out: counts, the same for the native
// generator and for `--plan`.
import type { MccOptions } from './options.js';

export interface MccPools {
  rxPackets: number;
  txPackets: number;
  /** Messages between their intended time and their answer. */
  pendingMax: number;
  /** Connections that are being opened at once. */
  connectingMax: number;
  /** Control blocks. */
  slots: number;
  /** Blocks of connections with something under way. */
  busy: number;
}

const RX_PACKETS = 32_768;
/** Of one connection on their way to a server that is too slow. */
const LATE_MESSAGES = 8;
const CONNECTING_MAX = 1_024;
/** As native/mcc/engine.cc. */
const CLOSING_MAX = 4_096;
const PENDING_MAX = 1_048_576;

/**
 * Packets for sends that are not acknowledged yet: a wave in flight, or what a server that is too slow defers. With fewer of
 * them an overload waits here, and not where its queues are measured.
 */
function txPackets(options: MccOptions): number {
  if (options.packets > 0) return options.packets;
  const wave = Math.max(0, ...options.phases.map((phase) => (phase.kind === 'wave' ? phase.burst : 0)));
  const wanted = Math.min(524_288, Math.max(131_072, wave * 2, options.connections * LATE_MESSAGES));
  return 2 ** Math.ceil(Math.log2(wanted));
}

/** Connections that close keep their slot for a while: reconnects need a few more than there are connections. */
function slotsFor(connections: number): number {
  return connections + Math.max(1_024, Math.floor(connections / 64));
}

export function poolsOf(options: MccOptions): MccPools {
  const packets = { rxPackets: RX_PACKETS, txPackets: txPackets(options) };
  const slots = slotsFor(options.connections);
  // A block for each packet that may be under way or unread, and for each connection that is being opened or closed: none is
  // ever missing, and no more than that are kept for connections on which nothing happens.
  const active = packets.rxPackets + packets.txPackets + CONNECTING_MAX + CLOSING_MAX;
  const busy = Math.min(slots, active);
  return { ...packets, pendingMax: PENDING_MAX, connectingMax: CONNECTING_MAX, slots, busy };
}
