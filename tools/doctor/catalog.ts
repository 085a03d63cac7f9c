// Catalog: everything that `qstack doctor` looks at, once. docs/doctor.md has the same names, which a test compares.
// In: an id. Out: its group and a name for people. A Finding is what was found of one of them on a machine.

export const GROUPS = ['cores', 'memory', 'limits', 'network', 'clock', 'software'] as const;
export type Group = (typeof GROUPS)[number];

export const CATALOG = {
  cpu: { group: 'cores', name: 'processor' },
  cores: { group: 'cores', name: 'cores for this process' },
  cpu_quota: { group: 'cores', name: 'CPU quota' },
  smt: { group: 'cores', name: 'SMT' },
  numa: { group: 'cores', name: 'NUMA' },
  governor: { group: 'cores', name: 'governor' },
  load: { group: 'cores', name: 'load of others' },
  autogroup: { group: 'cores', name: 'shares by session' },
  memory: { group: 'memory', name: 'memory' },
  thp: { group: 'memory', name: 'transparent huge pages' },
  hugepages: { group: 'memory', name: 'reserved huge pages' },
  overcommit: { group: 'memory', name: 'overcommit' },
  nofile: { group: 'limits', name: 'open files' },
  memlock: { group: 'limits', name: 'locked memory' },
  capabilities: { group: 'limits', name: 'capabilities' },
  runtime_folder: { group: 'limits', name: 'runtime folder' },
  dpdk_drivers: { group: 'network', name: 'DPDK drivers' },
  dpdk_devices: { group: 'network', name: 'network cards' },
  af_xdp: { group: 'network', name: 'AF_XDP in the kernel' },
  tun: { group: 'network', name: '/dev/net/tun' },
  rss: { group: 'network', name: 'receive queues (RSS)' },
  offloads: { group: 'network', name: 'offloads' },
  clock: { group: 'clock', name: 'clock source' },
  steal: { group: 'clock', name: 'stolen time' },
  hiccups: { group: 'clock', name: 'hiccups' },
  node: { group: 'software', name: 'Node.js' },
  packages_run: { group: 'software', name: 'packages to run' },
  packages_build: { group: 'software', name: 'packages to build' },
  packages_test: { group: 'software', name: 'packages to test' },
  addon: { group: 'software', name: 'native addon' },
  redis: { group: 'software', name: 'Redis' },
} as const satisfies Record<string, { group: Group; name: string }>;

export type FindingId = keyof typeof CATALOG;

/** ok; note: good to know; warn: it costs speed or a capability; fail: iotepserver and mcc over memif cannot run. */
export type State = 'ok' | 'note' | 'warn' | 'fail';

export interface Finding {
  readonly id: FindingId;
  readonly state: State;
  /** What is there. */
  readonly found: string;
  /** What it costs, where the state is not ok. */
  readonly cost?: string;
  /** The command that mends it, where there is one. */
  readonly mend?: string;
}

export function ok(id: FindingId, found: string): Finding {
  return { id, state: 'ok', found };
}

export function trouble(
  id: FindingId,
  state: Exclude<State, 'ok'>,
  found: string,
  cost: string,
  mend?: string,
): Finding {
  return { id, state, found, cost, ...(mend === undefined ? {} : { mend }) };
}
