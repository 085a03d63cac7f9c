// The door of the coroutine room: ops that a handler waits for, and the types of handlers.
export { all } from './all.js';
export { Inbox } from './inbox.js';
export { type Coroutine, context, currentTask, type Op, PooledOp, type Suspend, type Waiter } from './op.js';
export { OpTrace, type ReportForgotten } from './op-trace.js';
export { race } from './race.js';
export { Scheduler, type SchedulerOptions } from './scheduler.js';
export { type AcquireOptions, Permit, Semaphore } from './semaphore.js';
export type { WaitOptions } from './signal.js';
export { withSignal } from './signal.js';
export { sleep } from './sleep.js';
export { Child, type SpawnOptions, spawn } from './spawn.js';
export { Task, type TaskOwner, type TaskResource } from './task.js';
export { timeout } from './timeout.js';
export { wait } from './wait.js';
