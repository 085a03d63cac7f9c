// DeadlinePolicy: the earliest deadline goes first; the deadline of a message is its arrival plus the budget of its level.
// In: since when the head of each level waits. Out: the level of the earliest deadline, the higher one of two that are equal.
// Invariant: within a level the order is that of arrival, so heads alone are compared. Stamps wrap: deadlines lie less than
// 137 s from each other.
import { type Heads, highestOf, SchedulingPolicy, stampsOfMs } from './policy.js';

export class DeadlinePolicy extends SchedulingPolicy {
  private readonly heads: Heads;
  /** In stamps. */
  private readonly budgets: Uint32Array;

  constructor(heads: Heads, budgetsMs: readonly number[], burst: number) {
    super();
    this.burst = burst;
    this.heads = heads;
    this.budgets = Uint32Array.from(budgetsMs, stampsOfMs);
  }

  override next(mask: number): number {
    let earliest = highestOf(mask);
    let deadline = this.deadline(earliest);
    for (let rest = mask & (mask - 1); rest !== 0; rest &= rest - 1) {
      const level = highestOf(rest);
      const other = this.deadline(level);
      if (((other - deadline) | 0) >= 0) continue;
      earliest = level;
      deadline = other;
    }
    return earliest;
  }

  private deadline(level: number): number {
    return (this.heads.since(level) + (this.budgets[level] as number)) | 0;
  }
}
