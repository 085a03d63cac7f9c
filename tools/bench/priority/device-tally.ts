// DeviceTally: which messages a program of devices has sent in its window, and how long their answers took.
// In: one call per message and per reply. Out: figures by group and level. A message is named by a counter, which its reply
// brings back; so many may be under way at once as there are places, and a later message takes an old one's place.
export interface LevelTimes {
  /** Of the window. */
  sent: number;
  answered: number;
  errors: number;
  /** null: nothing was answered. */
  p50_us: number | null;
  p90_us: number | null;
  p98_us: number | null;
  p99_us: number | null;
  max_us: number | null;
}

/** What is read of a reply: its counter as eight hexadecimal digits, and the first digit of its status. */
export interface Reply {
  u8(offset: number): number;
}

const COUNTER_AT = 126;
const DIGITS = 8;
const STATUS_AT = 9;
const OK = '2'.charCodeAt(0);

export function counterOf(reply: Reply): number {
  let counter = 0;
  for (let i = 0; i < DIGITS; i++) {
    const digit = reply.u8(COUNTER_AT + i);
    counter = (counter << 4) | (digit < 58 ? digit - 48 : digit - 87);
  }
  return counter >>> 0;
}

const PLACES = 1 << 20;
const CLASS_AT = 5;
const LEVELS = ['high', 'low'] as const;

interface Counted {
  /** Sent, in the window or not, and not answered yet. */
  underWay: number;
  sent: number;
  errors: number;
  latenciesUs: number[];
}

function quantile(sorted: readonly number[], share: number): number {
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? Number.NaN;
}

function timesOf({ sent, errors, latenciesUs }: Counted): LevelTimes {
  const sorted = [...latenciesUs].sort((a, b) => a - b);
  const us = (share: number) => (sorted.length === 0 ? null : Math.round(quantile(sorted, share) * 100) / 100);
  const parts = { p50_us: us(0.5), p90_us: us(0.9), p98_us: us(0.98), p99_us: us(0.99), max_us: us(1) };
  return { sent, answered: sorted.length, errors, ...parts };
}

/** mulberry32: a number from 0 to 1 at each call. */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

export class DeviceTally {
  private readonly since = new Float64Array(PLACES);
  /** Twice the number of group and level plus 1, and 1 if it is of the window; 0: nobody waits for it. */
  private readonly owner = new Uint16Array(PLACES);
  private readonly counted: Counted[] = [];
  private readonly groups = new Map<string, number>();
  private readonly random: () => number;
  private counter = 0;
  private counts = false;

  constructor(seed: number) {
    this.random = seededRandom(seed);
  }

  begin(): void {
    this.counts = true;
  }

  /** Answers to what was sent before are still counted. */
  end(): void {
    this.counts = false;
  }

  /** Makes `message` the next one of this group. */
  write(message: Uint8Array, group: string, highShare: number, sinceMs: number): void {
    const level = this.random() < highShare ? 0 : 1;
    const counter = ++this.counter;
    new DataView(message.buffer, message.byteOffset).setUint32(0, counter, true);
    message[CLASS_AT] = level === 0 ? 1 : 0;
    const place = counter & (PLACES - 1);
    const number = this.numberOf(group) + level;
    const counted = this.counted[number] as Counted;
    this.since[place] = sinceMs;
    this.owner[place] = 2 * (number + 1) + (this.counts ? 1 : 0);
    counted.underWay++;
    if (this.counts) counted.sent++;
  }

  private numberOf(group: string): number {
    let number = this.groups.get(group);
    if (number !== undefined) return number;
    number = this.counted.length;
    this.groups.set(group, number);
    for (const _ of LEVELS) this.counted.push({ underWay: 0, sent: 0, errors: 0, latenciesUs: [] });
    return number;
  }

  answered(reply: Reply): void {
    const place = counterOf(reply) & (PLACES - 1);
    const owner = this.owner[place] as number;
    if (owner === 0) return;
    this.owner[place] = 0;
    const counted = this.counted[(owner >>> 1) - 1] as Counted;
    counted.underWay--;
    if ((owner & 1) === 0) return;
    if (reply.u8(STATUS_AT) !== OK) counted.errors++;
    else counted.latenciesUs.push((performance.now() - (this.since[place] as number)) * 1_000);
  }

  /** Messages of these groups that are still to be answered. */
  awaited(groups: readonly string[]): number {
    const open = ({ sent, errors, latenciesUs }: Counted) => sent - errors - latenciesUs.length;
    return groups.reduce((sum, group) => sum + this.of(group).reduce((part, one) => part + open(one), 0), 0);
  }

  /** Messages of this group that are not answered yet, of the window or not. */
  underWay(group: string): number {
    return this.of(group).reduce((sum, { underWay }) => sum + underWay, 0);
  }

  private of(group: string): [Counted, Counted] {
    const number = this.numberOf(group);
    return [this.counted[number] as Counted, this.counted[number + 1] as Counted];
  }

  report(groups: readonly string[]): Record<string, { high: LevelTimes; low: LevelTimes }> {
    return Object.fromEntries(
      groups.map((group) => {
        const [high, low] = this.of(group);
        return [group, { high: timesOf(high), low: timesOf(low) }];
      }),
    );
  }
}
