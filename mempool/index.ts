// The door of the mempool room: arenas, views over them, and the plan of a stack's memory.
export { Arena } from './arena.js';
export {
  arenaBytes,
  flowTableBytes,
  formatPlan,
  type Plan,
  type PlanInput,
  type PlanItem,
  packetsFor,
  plan,
} from './plan.js';
export { RingConsumer, type RingPlace, RingProducer } from './ring.js';
export { ArenaView, type ByteSource, isByteSource, type Payload, Slice } from './view.js';
