// RedisCrowd: how many commands under way are enough.
// In: replies, turns. Out: a limit beyond which another handler would only wait behind others, with its memory in no cache:
// until then its message waits better in its ring, where a higher one passes it. The limit is four times what the servers
// hold at the pace of late with the fastest reply ever seen (Little's law; it is BBR's bandwidth-delay product), and never
// below a floor that keeps servers on this machine busy between two turns.
import { STAMP_SHIFT } from './abi.js';

const FLOOR = 512;
const MARGIN = 4;
const STAMPS_PER_MS = 1_000_000 / 2 ** STAMP_SHIFT;
const WINDOW = 100 * STAMPS_PER_MS;
/** Without replies for so long the servers are no measure. */
const SILENCE = 10 * STAMPS_PER_MS;

export class RedisCrowd {
  private limit = FLOOR;
  private fastest = Number.MAX_SAFE_INTEGER;
  private replies = 0;
  private windowStart = 0;
  private lastReply = 0;

  /** Stamps: now, and from the start of the op. */
  reply(stamp: number, elapsed: number): void {
    this.replies++;
    this.lastReply = stamp;
    if (elapsed < this.fastest) this.fastest = Math.max(1, elapsed);
  }

  /** Is this number of commands enough at present? */
  isCrowded(underWay: number, stamp: number): boolean {
    const passed = (stamp - this.windowStart) >>> 0;
    if (passed >= WINDOW) this.measure(stamp, passed);
    return underWay > this.limit && (stamp - this.lastReply) >>> 0 < SILENCE;
  }

  private measure(stamp: number, passed: number): void {
    const held = (this.replies / passed) * this.fastest;
    this.limit = this.replies === 0 ? FLOOR : Math.max(FLOOR, Math.ceil(MARGIN * held));
    this.replies = 0;
    this.windowStart = stamp;
  }
}
