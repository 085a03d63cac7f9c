// `harm`: devices at both levels at a moderate rate, and beside them others that behave badly, all at the low level. The high
// level of the good ones is compared with what it is without the bad ones, in the server and as the devices see it: they are one
// program with the bad ones, which may be late itself. Whoever needs the slow Redis server is harmed, of course: the good devices
// need the other one only.
import type { StageSpectrum } from '../../../stack/dashboard/snapshot.js';
import { ProgramClient } from '../../qstack/program-client.js';
import { interleaved, medianOf, type Sample } from '../benchmark.js';
import type { Group } from '../ends/devices.js';
import { readStages, wayP99Ms } from '../stages.js';
import type { Aim } from './aim.js';
import { ms, type Part, type PartResult, quantileChart, quantileColumns } from './part.js';
import { hostIp, type Rig } from './rig.js';
import { classServer, stateServer } from './shard.js';
import { slowDown } from './slow-redis.js';

const SERVERS = 2;
const HEALTHY = 0;
const SLOW = 1;
const GOOD_DEVICES = 100;
const HIGH_PER_S = 1_000;
const LOW_PER_S = 4_000;
const GREEDY = 1;
const DEAF = 16;
const SLOW_DEVICES = 100;
const SLOW_WINDOW = 16;
/** Of the slow server: it does a fortieth of what it could. */
const SLOWNESS = { worksMs: 5, pausesMs: 200 };
/** Unharmed: as the high level under an overload, against half load. */
const UNHARMED = 2;

/** A device's class is looked up as well: the first address whose class is on the healthy server. */
function healthyAddress(): string {
  for (let last = 2; last < 255; last++) {
    const address = `10.0.1.${last}`;
    if (classServer(address, SERVERS) === HEALTHY) return address;
  }
  throw new Error('no address has its class on the first Redis server');
}

const ADDRESS = healthyAddress();

/** The first `n` ports from `first` on whose devices have their state on this server. */
function portsOn(server: number, n: number, first: number): number[] {
  const ports: number[] = [];
  for (let port = first; ports.length < n; port++) {
    if (stateServer(ADDRESS, port, SERVERS) === server) ports.push(port);
  }
  return ports;
}

const GOOD: readonly Group[] = [
  { name: 'high', kind: 'paced', ports: portsOn(HEALTHY, GOOD_DEVICES, 10_000), highShare: 1, ratePerS: HIGH_PER_S },
  { name: 'low', kind: 'paced', ports: portsOn(HEALTHY, GOOD_DEVICES, 20_000), highShare: 0, ratePerS: LOW_PER_S },
];

interface Trouble {
  readonly bad: readonly Group[];
  readonly slow?: boolean;
}

const CALM = 'calm';
const TROUBLES: Readonly<Record<string, Trouble>> = {
  [CALM]: { bad: [] },
  'a greedy connection': {
    bad: [{ name: 'bad', kind: 'greedy', ports: portsOn(HEALTHY, GREEDY, 30_000), highShare: 0 }],
  },
  'slow readers': { bad: [{ name: 'bad', kind: 'deaf', ports: portsOn(HEALTHY, DEAF, 30_000), highShare: 0 }] },
  'a slow Redis server': {
    bad: [
      { name: 'bad', kind: 'window', ports: portsOn(SLOW, SLOW_DEVICES, 30_000), highShare: 0, window: SLOW_WINDOW },
    ],
    slow: true,
  },
};

async function trouble(rig: Rig, { bad, slow = false }: Trouble): Promise<Sample> {
  const socket = rig.redis[SLOW]?.socket ?? '';
  const options = { hostIp: hostIp(ADDRESS), groups: [...GOOD, ...bad] };
  let pid = 0;
  let before: StageSpectrum[] = [];
  let after: StageSpectrum[] = [];
  const stages = () => readStages(new ProgramClient({ pid }));
  const meanwhile = () => {
    const fasten = slow ? slowDown(socket, SLOWNESS) : async () => {};
    return async () => {
      after = await stages();
      await fasten();
    };
  };
  const onWarm = async () => {
    before = await stages();
  };
  const onServer = ({ child }: { child: { pid: number } }) => {
    pid = child.pid;
  };
  const { groups } = await rig.devices({ priorities: true, onServer }, options, { meanwhile, onWarm });
  const [high, low, others] = [groups.high?.high, groups.low?.low, groups.bad?.low];
  if (high === undefined || low === undefined) throw new Error('the devices say nothing of themselves');
  return {
    high_answered_share: high.answered / high.sent,
    ...quantileColumns(high),
    high_server_p99_ms: wayP99Ms(before, after, 'high'),
    low_p99_ms: ms(low.p99_us),
    low_answered_share: low.answered / low.sent,
    bad_sent_per_s: (others?.sent ?? 0) / rig.context.seconds,
    bad_answered_per_s: (others?.answered ?? 0) / rig.context.seconds,
  };
}

async function measure(rig: Rig): Promise<PartResult> {
  const contenders = Object.entries(TROUBLES).map(([name, one]) => ({ name, run: () => trouble(rig, one) }));
  const rows = await interleaved(contenders, rig.context);
  const names = Object.keys(TROUBLES).filter((name) => name !== CALM);
  const of = (name: string, column: string) => medianOf(rows, name, column);
  const key = (name: string) => name.replace(/^an? /, '').toLowerCase().replaceAll(' ', '_');
  const aims = names.flatMap((name): Aim[] => [
    {
      key: `${key(name)}_server_p99_ratio_to_calm`,
      what: `p99 of the high level in the server beside ${name} to that without`,
      ratio: of(name, 'high_server_p99_ms') / of(CALM, 'high_server_p99_ms'),
      atMost: UNHARMED,
    },
    {
      key: `${key(name)}_p99_ratio_to_calm`,
      what: 'the same, as the devices see it',
      ratio: of(name, 'high_p99_ms') / of(CALM, 'high_p99_ms'),
      atMost: UNHARMED,
    },
    {
      key: `${key(name)}_answered_share`,
      what: `answered messages of the high level beside ${name} to those sent`,
      ratio: of(name, 'high_answered_share'),
      atLeast: 1,
    },
  ]);
  const chart = quantileChart('priority-harm', 'High level beside others that behave badly', rows);
  return { rows, aims, charts: [chart] };
}

export const harm: Part = {
  name: 'harm',
  what: 'the high level beside a greedy connection, slow readers, a slow Redis server',
  servers: SERVERS,
  measure,
};
