// makePolicy: the policy object of one place. In: the options, the place's heads, its unit of work. Out: an object of its own.
import { DeadlinePolicy } from './deadline-policy.js';
import { type Heads, type PolicyOptions, QUANTUM, type SchedulingPolicy } from './policy.js';
import { StrictPolicy } from './strict-policy.js';
import { WeightedPolicy } from './weighted-policy.js';

/**
 * `quantum`: for `weighted`, the work that the smallest weight may do in one round, in the place's unit. `burst`: entries
 * between two looks at deadlines or at work; a starved level's quantum under `strict` is always QUANTUM.
 */
export function makePolicy(options: PolicyOptions, heads: Heads, quantum: number, burst = QUANTUM): SchedulingPolicy {
  switch (options.kind) {
    case 'strict':
      return new StrictPolicy(heads, options.levels, options.starvationBoundMs);
    case 'weighted':
      return new WeightedPolicy(options.weights, quantum, burst);
    case 'deadline':
      return new DeadlinePolicy(heads, options.budgetsMs, burst);
  }
}
