// WeightedPolicy: every level that has work gets its share of the work, by deficit round robin (Shreedhar and Varghese 1995).
// In: what was done for each level, told afterwards. Out: the level whose turn it is. Invariant: in one round a level is
// credited one quantum times its weight; it goes while it has credit, and a debt is paid in the rounds that follow, so shares
// hold although nobody knows beforehand how long a handler will take. A level without work saves nothing up.
import { SchedulingPolicy } from './policy.js';

export class WeightedPolicy extends SchedulingPolicy {
  override readonly measures = true;
  /** Credit per round. */
  private readonly quanta: Float64Array;
  private readonly credit: Float64Array;
  private turn = 0;

  /** `quantum`: work of the smallest weight in one round. */
  constructor(weights: readonly number[], quantum: number, burst: number) {
    super();
    this.burst = burst;
    const smallest = Math.min(...weights);
    this.quanta = Float64Array.from(weights, (weight) => (weight / smallest) * quantum);
    this.credit = Float64Array.from(this.quanta);
  }

  override next(mask: number): number {
    const { credit } = this;
    if ((mask & (mask - 1)) === 0) return this.alone(31 - Math.clz32(mask));
    if ((mask & (1 << this.turn)) !== 0 && (credit[this.turn] as number) > 0) return this.turn;
    this.skipRounds(mask);
    do this.passOn(mask);
    while ((mask & (1 << this.turn)) === 0 || (credit[this.turn] as number) <= 0);
    return this.turn;
  }

  /** Nobody else waits: there is nobody to whom it could owe anything. */
  private alone(level: number): number {
    this.credit[level] = Math.max(0, this.credit[level] as number);
    return level;
  }

  /** The next level in the circle, credited for this round. */
  private passOn(mask: number): void {
    const { credit, quanta } = this;
    this.turn = (this.turn + 1) % quanta.length;
    const quantum = quanta[this.turn] as number;
    const most = (mask & (1 << this.turn)) === 0 ? 0 : quantum;
    credit[this.turn] = Math.min(most, (credit[this.turn] as number) + quantum);
  }

  /** Rounds in which everybody would only pay debts are passed over at once. */
  private skipRounds(mask: number): void {
    const { credit, quanta } = this;
    let rounds = Number.POSITIVE_INFINITY;
    for (let level = 0; level < quanta.length; level++) {
      if ((mask & (1 << level)) === 0) continue;
      rounds = Math.min(rounds, Math.floor(-(credit[level] as number) / (quanta[level] as number)));
    }
    if (rounds <= 0) return;
    for (let level = 0; level < quanta.length; level++) {
      credit[level] = Math.min(0, (credit[level] as number) + rounds * (quanta[level] as number));
    }
  }

  override charge(level: number, work: number): void {
    this.credit[level] = (this.credit[level] as number) - work;
  }
}
