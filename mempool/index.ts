// The door of the mempool room: arenas, views over them, and the plan of a stack's memory.
export { Arena } from './arena.js';
export { arenaBytes, formatPlan, type Plan, type PlanInput, packetsFor, plan } from './plan.js';
export { flowTableBytes, type PlanItem } from './plan-items.js';
export { RingConsumer, type RingPlace, RingProducer } from './ring.js';
export { ArenaView, type ByteSource, isByteSource, type Payload, Slice } from './view.js';
