// DropWatch: drops of the native stack as diagnostics events, once a second while anybody subscribes.
// In: the stack's counters. Out: an event for each reason that has grown. Without a subscriber nothing is read.
import { diagnostics } from './diagnostics.js';
import type { StackCounters } from './native.js';

const PERIOD_MS = 1_000;
/** From one look for a subscriber to the next. */
const UNWATCHED_MS = 2_500;

export class DropWatch {
  private readonly counters: () => StackCounters;
  private timer: NodeJS.Timeout | undefined;
  private before: StackCounters['counters'] | null = null;

  constructor(counters: () => StackCounters) {
    this.counters = counters;
    this.lookLater();
  }

  private lookLater(): void {
    const later = () => {
      this.look();
      this.lookLater();
    };
    this.timer = setTimeout(later, diagnostics.drop.hasSubscribers ? PERIOD_MS : UNWATCHED_MS).unref();
  }

  private look(): void {
    if (!diagnostics.drop.hasSubscribers) {
      this.before = null;
      return;
    }
    const { counters } = this.counters();
    const { before } = this;
    this.before = counters;
    if (before === null) return;
    for (const [name, count] of Object.entries(counters)) {
      const grown = count - (before[name] ?? 0);
      if (grown > 0 && name.startsWith('drop_')) diagnostics.drop.publish({ reason: name.slice(5), count: grown });
    }
  }

  stop(): void {
    clearTimeout(this.timer);
  }
}
