// Pods: which core each thread of a server has. A pod is a stack thread, its share of the app threads and their workers, on
// neighbouring physical cores of one NUMA node, one thread a core; QStack's layout, for any machine.
// In: cores, and how many threads there are. Out: a core for each, and those that are best for Redis; nothing is pinned here.
import { coreList, coresText, type PhysicalCore } from './topology.js';

export interface Threads {
  readonly stacks: number;
  readonly apps: number;
  readonly workersPerApp: number;
}

/** Logical cores by their numbers. */
export interface Pins {
  /** Of each stack thread. */
  readonly stacks: readonly number[];
  /** Of each app thread; empty: they run where the process may. */
  readonly apps: readonly number[];
  /** Of the workers of each app thread together; empty: there are none. */
  readonly workers: readonly (readonly number[])[];
  /** Hyperthreads beside app threads and workers, and whole cores that are left: nobody polls there. */
  readonly redis: readonly number[];
}

/** What somebody has written: nothing, or a core for each thread. */
export type PinChoice =
  | { readonly kind: 'any' | 'auto' }
  | { readonly kind: 'cores'; readonly stacks: number[]; readonly apps: number[]; readonly workers: number[] };

const firstThread = ({ threads }: PhysicalCore): number => threads[0] as number;
const allThreads = (cores: readonly PhysicalCore[]): number[] => cores.flatMap(({ threads }) => [...threads]);

/** Takes so many cores of one node, or, where none has so many, the next ones; undefined: there are not so many. */
function take(free: PhysicalCore[], size: number): PhysicalCore[] | undefined {
  const roomy = free.find(({ node }) => free.filter((core) => core.node === node).length >= size)?.node;
  const from = roomy === undefined ? free : free.filter(({ node }) => node === roomy);
  if (from.length < size) return undefined;
  const taken = from.slice(0, size);
  for (const core of taken) free.splice(free.indexOf(core), 1);
  return taken;
}

/** App thread a belongs to pod a % stacks. */
function appsOf(pod: number, { stacks, apps }: Threads): number[] {
  return Array.from({ length: apps }, (_, app) => app).filter((app) => app % stacks === pod);
}

function plan(cores: readonly PhysicalCore[], threads: Threads): Pins | undefined {
  const { stacks, apps, workersPerApp } = threads;
  const free = [...cores];
  const pins = {
    stacks: [] as number[],
    apps: new Array<number>(apps),
    workers: Array.from({ length: workersPerApp === 0 ? 0 : apps }, (): number[] => []),
    redis: [] as number[],
  };
  for (let pod = 0; pod < stacks; pod++) {
    const members = appsOf(pod, threads);
    const taken = take(free, 1 + members.length * (1 + workersPerApp));
    if (taken === undefined) return undefined;
    const [stack, ...rest] = taken;
    pins.stacks.push(firstThread(stack as PhysicalCore));
    pins.redis.push(...rest.flatMap(({ threads: [, ...siblings] }) => siblings));
    const next = rest.map(firstThread);
    for (const app of members) pins.apps[app] = next.shift() as number;
    if (workersPerApp > 0) for (const app of members) pins.workers[app] = next.splice(0, workersPerApp);
  }
  pins.redis.push(...allThreads(free));
  pins.redis.sort((a, b) => a - b);
  return pins;
}

/** What workers share that have no core each: `cores`, or all. They must not stay where the thread is that makes them. */
function shared(cores: readonly number[], all: readonly PhysicalCore[], { apps, workersPerApp }: Threads): number[][] {
  const some = [...(cores.length > 0 ? cores : allThreads(all))];
  return Array.from({ length: workersPerApp === 0 ? 0 : apps }, () => some);
}

/** The first of them that have at most so many threads together. */
export function firstCores(cores: readonly PhysicalCore[], threadsMax: number): PhysicalCore[] {
  let threads = 0;
  return cores.filter((core) => {
    threads += core.threads.length;
    return threads <= threadsMax;
  });
}

/**
 * A core for each thread. Where there are not so many, workers share the cores on which nobody polls; undefined: stack and app
 * threads alone are too many.
 */
export function planPins(cores: readonly PhysicalCore[], threads: Threads): Pins | undefined {
  const whole = plan(cores, threads);
  if (whole !== undefined || threads.workersPerApp === 0) return whole;
  const without = plan(cores, { ...threads, workersPerApp: 0 });
  return without && { ...without, workers: shared(without.redis, cores, threads) };
}

/** `any`, `auto`, or `stack=0,8 app=1,9 workers=2-5,10-13`, of which app and workers may be left out; a string says what is wrong. */
export function parsePins(text: string): PinChoice | string {
  if (text === 'any' || text === 'auto') return { kind: text };
  const lists: Record<string, number[]> = {};
  for (const part of text.split(/\s+/)) {
    const [, name = '', list = ''] = /^(stack|app|workers)=(\S+)$/.exec(part) ?? [];
    const cores = coreList(list);
    if (name === '' || cores === undefined) return `"${part}" names no cores`;
    if (lists[name] !== undefined) return `"${name}" stands there twice`;
    lists[name] = cores;
  }
  const { stack, app = [], workers = [] } = lists;
  return stack === undefined ? 'no core is named for the stack' : { kind: 'cores', stacks: stack, apps: app, workers };
}

/** `choice` for these threads on these cores; a string says what is wrong with it. */
export function chosenPins(
  choice: PinChoice & { kind: 'cores' },
  threads: Threads,
  cores: readonly PhysicalCore[],
): Pins | string {
  const { stacks, apps, workersPerApp } = threads;
  const lists = [
    ['stack', choice.stacks, stacks],
    ['app', choice.apps, apps],
    ['workers', choice.workers, apps * workersPerApp],
  ] as const;
  const usable = new Set(allThreads(cores));
  for (const [name, list, most] of lists) {
    if (list.length === 0 && name !== 'stack') continue;
    if (list.length !== most) return `${name} names ${list.length} cores for ${most} threads`;
    const strange = list.find((core) => !usable.has(core));
    if (strange !== undefined) return `${name} names core ${strange}, which this process may not use`;
  }
  const named = new Set([...choice.stacks, ...choice.apps, ...choice.workers]);
  const redis = [...usable].filter((core) => !named.has(core)).sort((a, b) => a - b);
  const own = Array.from({ length: apps }, (_, app) =>
    choice.workers.slice(app * workersPerApp, (app + 1) * workersPerApp),
  );
  const workers = choice.workers.length > 0 ? own : shared(redis, cores, threads);
  return { stacks: choice.stacks, apps: choice.apps, workers, redis };
}

/** One sentence for people. */
export function pinsText({ stacks, apps, workers, redis }: Pins): string {
  const parts = [
    ['stack', stacks],
    ['app', apps],
    ['workers', [...new Set(workers.flat())]],
    ['left, for Redis', redis],
  ] as const;
  const some = parts.filter(([, cores]) => cores.length > 0).map(([name, cores]) => `${name} ${coresText(cores)}`);
  return `cores: ${some.join('; ')}`;
}
