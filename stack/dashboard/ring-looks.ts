// RingLooks: what a third party reads off the rings between stacks and app threads.
// In: the arena. Out: how full each ring is, and from the records that passed last who sends most and who waits longest.
// Invariant: nobody on the packet's line does anything for it, and its cost does not grow with the connections: records of
// rings stay where they are until their producer comes round again, and at most LOOKS of each ring are read a second.
import { Arena } from '../../mempool/arena.js';
import type { RingWindow } from '../../mempool/ring.js';
import {
  EVENT_RECORD_GENERATION_U32,
  EVENT_RECORD_LOCAL_PORT_U16,
  EVENT_RECORD_REMOTE_ADDRESS_U32,
  EVENT_RECORD_SLOT_U32,
  EVENT_TYPE_MESSAGE,
  RING_EMPTY,
  RING_EVENT,
  RING_RELEASE,
  RING_SEND,
  SEND_RECORD_GENERATION_U32,
  SEND_RECORD_RX_STAMP_U32,
  SEND_RECORD_SEND_STAMP_U32,
  SEND_RECORD_SLOT_U32,
  SEND_TYPE_SEND,
} from '../abi.js';
import { formatEndpoint } from '../config/address.js';
import { formatIpv6 } from '../config/ipv6.js';
import { connectionId } from '../connection-table.js';
import { US_PER_STAMP } from '../sojourn.js';
import type { BusyConnection, QueueDepth, SlowConnection } from './snapshot.js';

/** Records of one ring that are looked at a second. */
const LOOKS = 256;
const LISTED = 10;

interface Seen {
  slot: number;
  generation: number;
  /** 0: IPv6. */
  ipv4: number;
  port: number;
  messages: number;
  levels: Record<string, number>;
}

/** Connections that were seen in the last second, by their keys. */
export type SeenConnections = ReadonlyMap<number, Seen>;

const keyOf = (slot: number, generation: number): number => connectionId(slot, generation);

export const connectionKey = ({ slot, generation }: { slot: number; generation: number }): number =>
  keyOf(slot, generation);

interface LevelRing {
  window: RingWindow;
  app: number;
  level: number;
  /** Its running number when it was looked at last. */
  seen: number;
}

export class RingLooks {
  private readonly arena: Arena;
  private readonly levels: readonly string[];
  private readonly events: LevelRing[] = [];
  private readonly sends: LevelRing[] = [];

  constructor(buffer: ArrayBuffer, levels: readonly string[]) {
    this.arena = new Arena(buffer);
    this.levels = levels;
    for (const [stack, app] of this.sets()) {
      for (let level = 0; level < levels.length; level++) {
        this.events.push(this.ring(stack, app, RING_EVENT + level, level));
        this.sends.push(this.ring(stack, app, RING_SEND + level, level));
      }
    }
  }

  /** Who is at the two ends of each set of rings. */
  private sets(): [stack: number, app: number][] {
    const { stacks, apps } = this.arena;
    return Array.from({ length: stacks * apps }, (_, set) => [Math.floor(set / apps), set % apps]);
  }

  private ring(stack: number, app: number, ring: number, level: number): LevelRing {
    const window = this.arena.window(stack, app, ring);
    return { window, app, level, seen: window.tailCount };
  }

  /** All rings, those of several threads added up. */
  depths(): QueueDepth[] {
    const named = (rings: readonly LevelRing[], queue: string) =>
      this.levels.map((name, level) => {
        const mine = rings.filter((ring) => ring.level === level).map(({ window }) => window);
        return { queue, level: name, ...sumOf(mine) };
      });
    const sets = this.sets();
    const single = (queue: string, ring: number) => ({
      queue,
      level: '',
      ...sumOf(sets.map(([stack, app]) => this.arena.window(stack, app, ring))),
    });
    return [
      ...named(this.events, 'events'),
      ...named(this.sends, 'sends'),
      single('releases', RING_RELEASE),
      single('empty packets', RING_EMPTY),
    ];
  }

  /** Word indices of what has passed each ring since the last look, as far as it is read. */
  private *passed(rings: readonly LevelRing[]): Generator<[at: number, level: number]> {
    for (const ring of rings) {
      const tail = ring.window.tailCount;
      const passed = (tail - ring.seen) >>> 0;
      ring.seen = tail;
      for (const at of ring.window.latest(tail, Math.min(passed, LOOKS))) yield [at, ring.level];
    }
  }

  /** The connections of which most messages came, among the last ones. */
  busiest(): { busiest: BusyConnection[]; known: SeenConnections } {
    const seen = new Map<number, Seen>();
    let all = 0;
    for (const [at, level] of this.passed(this.events)) {
      const { u32 } = this.arena;
      if (((u32[at] as number) & 0xff) !== EVENT_TYPE_MESSAGE) continue;
      all++;
      const entry = this.entryOf(seen, at);
      const name = this.levels[level] as string;
      entry.messages++;
      entry.levels[name] = (entry.levels[name] ?? 0) + 1;
    }
    const busiest = [...seen.values()]
      .sort((a, b) => b.messages - a.messages)
      .slice(0, LISTED)
      .map((one) => ({
        remote: this.remoteOf(one),
        messages: one.messages,
        share: one.messages / all,
        levels: one.levels,
      }));
    return { busiest, known: seen };
  }

  /** Messages by level of these connections, among those whose records still stand in the rings. */
  levelCounts(keys: ReadonlySet<number>): Map<number, Record<string, number>> {
    const counts = new Map<number, Record<string, number>>();
    const { u32 } = this.arena;
    for (const { window, level } of this.events) {
      const tail = window.tailCount;
      // What was never written is all zeros, and no message.
      for (const at of window.latest(tail, window.capacity)) {
        if (((u32[at] as number) & 0xff) !== EVENT_TYPE_MESSAGE) continue;
        const [slot, generation] = [u32[at + EVENT_RECORD_SLOT_U32], u32[at + EVENT_RECORD_GENERATION_U32]];
        const key = keyOf(slot as number, generation as number);
        if (!keys.has(key)) continue;
        const mine = counts.get(key) ?? {};
        const name = this.levels[level] as string;
        counts.set(key, { ...mine, [name]: (mine[name] ?? 0) + 1 });
      }
    }
    return counts;
  }

  private entryOf(seen: Map<number, Seen>, at: number): Seen {
    const { u32 } = this.arena;
    const slot = u32[at + EVENT_RECORD_SLOT_U32] as number;
    const generation = u32[at + EVENT_RECORD_GENERATION_U32] as number;
    const key = keyOf(slot, generation);
    const known = seen.get(key);
    if (known !== undefined) return known;
    const port = (u32[at + (EVENT_RECORD_LOCAL_PORT_U16 >>> 1)] as number) & 0xffff;
    const ipv4 = u32[at + EVENT_RECORD_REMOTE_ADDRESS_U32] as number;
    const made = { slot, generation, ipv4, port, messages: 0, levels: {} };
    seen.set(key, made);
    return made;
  }

  /** Only of those that are listed: a text costs more than all the rest. */
  private remoteOf({ slot, generation, ipv4, port }: Seen): string {
    if (ipv4 !== 0) return formatEndpoint(ipv4, port);
    const bytes = this.arena.addressOf(slot, generation, true);
    return formatEndpoint(bytes === undefined ? '::' : formatIpv6(bytes), port);
  }

  /** The connections whose replies took longest, among the last ones. `known`: from busiest(). */
  slowest(known: SeenConnections): SlowConnection[] {
    const worst = new Map<number, SlowConnection & { key: number }>();
    const { u32 } = this.arena;
    for (const [at, level] of this.passed(this.sends)) {
      const rx = u32[at + SEND_RECORD_RX_STAMP_U32] as number;
      if (((u32[at] as number) & 0xff) !== SEND_TYPE_SEND || rx === 0) continue;
      const stamps = ((u32[at + SEND_RECORD_SEND_STAMP_U32] as number) - rx) | 0;
      const took_us = Math.round(Math.max(0, stamps) * US_PER_STAMP * 10) / 10;
      const [slot, generation] = [u32[at + SEND_RECORD_SLOT_U32], u32[at + SEND_RECORD_GENERATION_U32]];
      const key = keyOf(slot as number, generation as number);
      if ((worst.get(key)?.took_us ?? -1) >= took_us) continue;
      worst.set(key, { key, remote: '', level: this.levels[level] as string, took_us });
    }
    return [...worst.values()]
      .sort((a, b) => b.took_us - a.took_us)
      .slice(0, LISTED)
      .map(({ key, level, took_us }) => {
        const seen = known.get(key);
        return { remote: seen === undefined ? `connection ${key >>> 0}` : this.remoteOf(seen), level, took_us };
      });
  }
}

function sumOf(windows: readonly RingWindow[]): { depth: number; capacity: number } {
  return {
    depth: windows.reduce((sum, window) => sum + window.depth, 0),
    capacity: windows.reduce((sum, window) => sum + window.capacity, 0),
  };
}
