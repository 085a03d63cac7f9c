// WaitingLine: who waits, the oldest first; anybody may leave from the middle. WaitingLines: one for each level.
// Linked through the members, so that waiting allocates nothing.
import { highestOf } from './policy.js';

export interface InLine<T> {
  before: T | null;
  after: T | null;
  /** It is in a line. */
  waits: boolean;
}

export class WaitingLine<T extends InLine<T>> {
  private first: T | null = null;
  private last: T | null = null;
  length = 0;

  get oldest(): T | null {
    return this.first;
  }

  push(op: T): void {
    op.waits = true;
    op.before = this.last;
    op.after = null;
    if (this.last === null) this.first = op;
    else this.last.after = op;
    this.last = op;
    this.length++;
  }

  remove(op: T): void {
    if (op.before === null) this.first = op.after;
    else op.before.after = op.after;
    if (op.after === null) this.last = op.before;
    else op.after.before = op.before;
    op.before = null;
    op.after = null;
    op.waits = false;
    this.length--;
  }
}

export class WaitingLines<T extends InLine<T> & { readonly level: number }> {
  private readonly lines: WaitingLine<T>[] = [];
  /** Bit L: somebody waits at level L. */
  private mask = 0;
  length = 0;

  push(op: T): void {
    while (this.lines.length <= op.level) this.lines.push(new WaitingLine());
    (this.lines[op.level] as WaitingLine<T>).push(op);
    this.mask |= 1 << op.level;
    this.length++;
  }

  remove(op: T): void {
    const line = this.lines[op.level] as WaitingLine<T>;
    line.remove(op);
    if (line.length === 0) this.mask &= ~(1 << op.level);
    this.length--;
  }

  /** Takes the oldest of the highest level with anybody in it. */
  shift(): T | null {
    if (this.mask === 0) return null;
    const next = (this.lines[highestOf(this.mask)] as WaitingLine<T>).oldest;
    if (next !== null) this.remove(next);
    return next;
  }
}
