// Device: one place among the devices of a long run: connection after connection, each with a life of its own: it asks in bursts
// for a while and then parts, in order or not. In: the fleet, a seed. Out: what the fleet's ledger and ends are told.
// How a life may end, and what that says about its messages:
//   finish  FIN behind the last message; the server answers all of them and closes
//   close   all answers are there, then FIN
//   cut     FIN behind a last burst, whose answers are not read any more
//   abort   RST in the middle of it
//   reset   by the server, whose app thread has died: the one end that nobody here has asked for
import { setTimeout as sleep } from 'node:timers/promises';
import { IOT_REPLY_BYTES, MESSAGE_MIN } from '../../apps/iotepserver/wire.js';
import type { App } from '../../stack/app.js';
import type { CloseReason } from '../../stack/close-reason.js';
import type { Connection } from '../../stack/connection.js';
import { fixed } from '../../stack/framing.js';
import type { Message } from '../../stack/message.js';
import { type Ledger, Line } from './ledger.js';

export const PARTINGS = ['finish', 'close', 'cut', 'abort'] as const;
export type Parting = (typeof PARTINGS)[number];

export interface Ends extends Record<Parting, number> {
  opened: number;
  /** By the server, once they were open. */
  reset: number;
  /** By the server, before. */
  refused: number;
}

export interface Fleet {
  readonly app: App<'normal'>;
  readonly server: string;
  readonly ledger: Ledger;
  readonly ends: Ends;
  /** Of one device, on average. */
  readonly burstEveryMs: number;
  readonly lifeMs: number;
  /** How long an end, or answers, are waited for. */
  readonly patienceMs: number;
  /** No new lives; those that are go on to a good end. */
  readonly isOver: boolean;
  /** False: the message is one that is planted as lost. */
  readonly isSent: () => boolean;
  readonly onReply: (line: Line, reply: Message<'normal'>) => void;
}

type Device = Connection<'normal'>;

const PORT = 80;
/** Of a burst. */
const MESSAGES_MAX = 3;
const WAITING_MAX = 32;
const MESSAGE_BYTES_MAX = 1_400;
/** Of messages: most are short. */
const LONG_SHARE = 0.2;
const SHORT_BYTES = 200;
const REQUEST_SHARE = 0.3;
/** In order, as most devices go. */
const ORDERLY_SHARE = 0.6;
const LOOK_MS = 10;
const TRY_AGAIN_MS = 50;

const ENDED_BY_SERVER = new Set(['ECONNRESET', 'ECONNREFUSED']);

/** What one connection is while it lives. */
interface Life {
  readonly connection: Device;
  readonly line: Line;
  /** Why it is gone; undefined: it is not. */
  reason: CloseReason | undefined;
}

/** undefined: it takes longer than the patience of a device. */
async function patiently<T>(promise: Promise<T>, limitMs: number): Promise<T | undefined> {
  const enough = new AbortController();
  const limit = sleep(limitMs, undefined, { signal: enough.signal }).catch(() => undefined);
  try {
    return await Promise.race([promise, limit]);
  } finally {
    enough.abort();
  }
}

export class DevicePlace {
  private readonly message = new Uint8Array(MESSAGE_BYTES_MAX);

  constructor(
    private readonly fleet: Fleet,
    private readonly random: () => number,
  ) {}

  private exponential(meanMs: number): number {
    return Math.min(5 * meanMs, -Math.log(1 - this.random()) * meanMs);
  }

  async run(): Promise<void> {
    while (!this.fleet.isOver) {
      const life = await this.open();
      if (life === undefined) await sleep(TRY_AGAIN_MS);
      else await this.live(life);
    }
  }

  private async open(): Promise<Life | undefined> {
    const { app, server, ends, ledger, onReply } = this.fleet;
    const line = new Line();
    try {
      const target = { address: server, port: PORT, framing: fixed(IOT_REPLY_BYTES) };
      const connection = await app.connect(target, (reply) => onReply(line, reply));
      ends.opened++;
      const life: Life = { connection, line, reason: undefined };
      void connection.closed.then((reason) => {
        life.reason = reason;
      });
      return life;
    } catch (error) {
      const { code = '', message } = error as Error & { code?: string };
      if (ENDED_BY_SERVER.has(code)) ends.refused++;
      else ledger.fault(`a connection could not be opened: ${message}`);
      return undefined;
    }
  }

  private async live(life: Life): Promise<void> {
    const { fleet } = this;
    const untilMs = performance.now() + this.exponential(fleet.lifeMs);
    while (life.reason === undefined && !fleet.isOver && performance.now() < untilMs) {
      this.burst(life);
      await sleep(this.exponential(fleet.burstEveryMs));
    }
    if (life.reason !== undefined) this.endedBy(life, life.reason, 'while it was in use');
    else await this.part(life, this.parting());
  }

  private parting(): Parting {
    const isOrderly = this.random() < ORDERLY_SHARE || this.fleet.isOver;
    const isFirst = this.random() < 0.5;
    return isOrderly ? (isFirst ? 'finish' : 'close') : isFirst ? 'cut' : 'abort';
  }

  private burst({ connection, line }: Life): void {
    for (let n = 1 + Math.floor(this.random() * MESSAGES_MAX); n > 0 && line.waiting < WAITING_MAX; n--) {
      const isLong = this.random() < LONG_SHARE;
      const most = isLong ? MESSAGE_BYTES_MAX : SHORT_BYTES;
      const message = this.message.subarray(0, MESSAGE_MIN + Math.floor(this.random() * (most - MESSAGE_MIN + 1)));
      this.fleet.ledger.write(line, message, this.random() >= REQUEST_SHARE, performance.now());
      if (this.fleet.isSent()) connection.send(message);
    }
  }

  private async part(life: Life, parting: Parting): Promise<void> {
    const { connection, line } = life;
    this.burst(life);
    const closed = connection.closed;
    if (parting === 'finish') connection.end();
    if (parting === 'abort') connection.abort();
    if (parting === 'cut') connection.close();
    if (parting === 'close') {
      await this.answers(life);
      connection.close();
    }
    const { ends, ledger, patienceMs } = this.fleet;
    const reason = await patiently(closed, patienceMs);
    if (reason === undefined) {
      ledger.fault(`a connection was not gone ${patienceMs / 1_000} s after "${parting}"`);
      ledger.settle(line, 'did not end');
      return;
    }
    if (parting === 'cut' || parting === 'abort') {
      ends[parting]++;
      ledger.forfeit(line);
    } else if (reason === 'finished') {
      ends[parting]++;
      ledger.settle(line, 'ended in order');
    } else this.endedBy(life, reason, `after "${parting}"`);
  }

  /** Until all are there, or no more will come. */
  private async answers(life: Life): Promise<void> {
    const untilMs = performance.now() + this.fleet.patienceMs;
    while (life.line.waiting > 0 && life.reason === undefined && performance.now() < untilMs) await sleep(LOOK_MS);
  }

  private endedBy({ line }: Life, reason: CloseReason, when: string): void {
    const { ends, ledger } = this.fleet;
    if (reason === 'reset') ends.reset++;
    else ledger.fault(`a connection ended by itself ${when} (${reason})`);
    ledger.forfeit(line);
  }
}
