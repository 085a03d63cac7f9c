// Ledger: what the devices of a long run have asked, and what they were told.
// In: one call for each message that is sent, each reply, each end of a connection. Out: counts, and a sentence for each fault:
// a reply with other bytes than it should have, that nobody asked for, of another connection, or out of order; a message that
// was never answered although its connection ended well. Heartbeats of a connection are answered in their order: their level is
// the lowest under any rules. Requests are not looked at for it: rules that are read again may give two of them two levels.
import { CLASS_AT, MESSAGE_MIN, makeReplies } from '../../apps/iotepserver/wire.js';
import { counterOf, type Reply } from '../bench/priority/device-tally.js';
import type { Outages } from './outages.js';

/** What the ledger reads of a reply. */
export interface ReplyBytes extends Reply {
  equals(bytes: Uint8Array): boolean;
}

/** One connection's part. */
export class Line {
  /** Counters of messages that are not answered yet. */
  readonly asked = new Set<number>();
  /** Those of heartbeats, in their order. */
  readonly heartbeats: number[] = [];

  /** Messages that are not answered yet. */
  get waiting(): number {
    return this.asked.size;
  }
}

export interface Tally {
  sent: number;
  /** By what Redis said. */
  answered: number;
  /** Because Redis was away. */
  unavailable: number;
  /** The same, although no Redis server was away: by a time-out of a second, on a busy machine. */
  late: number;
  /** Nobody waits for them any more: the device has aborted, or the app thread has died. */
  forfeited: number;
  mismatched: number;
  lost: number;
}

interface Asked {
  readonly line: Line;
  readonly isHeartbeat: boolean;
  readonly sentMs: number;
}

const FAULTS_KEPT = 10;
/** A command's time-out is a second: what failed sooner did not fail by it. */
const TIMEOUT_MS = 900;
const MESSAGE_LABEL_AT = 6;
const MESSAGE_LABEL = 2;

export class Ledger {
  readonly tally: Tally = { sent: 0, answered: 0, unavailable: 0, late: 0, forfeited: 0, mismatched: 0, lost: 0 };
  /** The first ones, in words. */
  readonly faults: string[] = [];
  private readonly asked = new Map<number, Asked>();
  private readonly replies = makeReplies('iot');
  private counter = 0;

  constructor(private readonly outages: Outages) {}

  /** Makes `message` the next one of this connection. */
  write(line: Line, message: Uint8Array, isHeartbeat: boolean, nowMs: number): void {
    this.counter = (this.counter + 1) >>> 0;
    new DataView(message.buffer, message.byteOffset).setUint32(0, this.counter, true);
    message[CLASS_AT] = isHeartbeat ? 0 : 1;
    if (message.length > MESSAGE_MIN) message[MESSAGE_LABEL_AT] = MESSAGE_LABEL;
    this.asked.set(this.counter, { line, isHeartbeat, sentMs: nowMs });
    line.asked.add(this.counter);
    if (isHeartbeat) line.heartbeats.push(this.counter);
    this.tally.sent++;
  }

  reply(line: Line, reply: ReplyBytes, nowMs: number): void {
    const counter = counterOf(reply);
    const isDone = reply.equals(this.replies.done.with(counter));
    if (!isDone && !reply.equals(this.replies.unavailable.with(counter))) {
      this.mismatch(`a reply, by its counter to message ${counter}, has other bytes than any reply`);
      return;
    }
    const asked = this.asked.get(counter);
    if (asked === undefined) this.mismatch(`a reply to message ${counter}, which was not awaited any more`);
    else if (asked.line !== line) this.mismatch(`the reply to message ${counter} came on another connection`);
    else this.take(counter, asked, isDone, nowMs);
  }

  private take(counter: number, { line, isHeartbeat, sentMs }: Asked, isDone: boolean, nowMs: number): void {
    this.asked.delete(counter);
    line.asked.delete(counter);
    const place = isHeartbeat ? line.heartbeats.indexOf(counter) : 0;
    if (isHeartbeat) line.heartbeats.splice(place, 1);
    if (place > 0) this.mismatch(`heartbeat ${counter} was answered before an earlier one of its connection`);
    if (isDone) this.tally.answered++;
    else this.failed(counter, sentMs, nowMs);
  }

  private failed(counter: number, sentMs: number, nowMs: number): void {
    this.tally.unavailable++;
    if (this.outages.overlap(sentMs, nowMs)) return;
    this.tally.late++;
    const tookMs = Math.round(nowMs - sentMs);
    if (tookMs >= TIMEOUT_MS) return;
    this.fault(`message ${counter} was refused after ${tookMs} ms for want of Redis, all of whose servers were there`);
  }

  /** The connection is gone, and it was not to be expected that all was answered. */
  forfeit(line: Line): void {
    this.tally.forfeited += this.strike(line);
  }

  /** The connection has ended well: all must have been answered. */
  settle(line: Line, what: string): void {
    const lost = this.strike(line);
    this.tally.lost += lost;
    if (lost > 0) this.fault(`${lost} messages were never answered, on a connection that ${what}`);
  }

  private strike(line: Line): number {
    const { waiting } = line;
    for (const counter of line.asked) this.asked.delete(counter);
    line.asked.clear();
    line.heartbeats.length = 0;
    return waiting;
  }

  private mismatch(sentence: string): void {
    this.tally.mismatched++;
    this.fault(sentence);
  }

  fault(sentence: string): void {
    if (this.faults.length < FAULTS_KEPT) this.faults.push(sentence);
  }
}
