// Software: what has to be installed and built. In: what was found of it. Out: findings.
import { type Finding, type FindingId, ok, trouble } from './catalog.js';

export type PackageGroup = 'run' | 'build' | 'test';

export interface MissingPackages {
  readonly names: readonly string[];
  /** The command that installs them. */
  readonly install: string;
}

export interface Software {
  readonly node: string;
  /** Undefined: this is no relative of Debian, so nobody can say. */
  readonly missing: Readonly<Record<PackageGroup, MissingPackages>> | undefined;
  /** Why the addon cannot be loaded; undefined: it can. */
  readonly addonFault: string | undefined;
  readonly redisInstalled: boolean;
  /** Sockets of the servers that `qstack redis up` has started. */
  readonly redisRunning: readonly string[];
}

const NODE_WANTED: readonly [number, number] = [20, 19];

function node({ node: version }: Software): Finding {
  const [major = 0, minor = 0] = version.replace(/^v/, '').split('.').map(Number);
  const [wanted, least] = NODE_WANTED;
  if (major > wanted || (major === wanted && minor >= least)) return ok('node', version);
  return trouble('node', 'fail', version, `Node.js ${wanted}.${least} or later is needed`, `npx --yes n ${wanted}`);
}

const COSTS: Readonly<Record<PackageGroup, string>> = {
  run: 'nothing runs without them',
  build: 'what is built already runs; changes of the native code are not compiled',
  test: '`npm test`, the fuzzers and the interop runs leave out, or fail, what needs them',
};

function packages({ missing, addonFault }: Software, group: PackageGroup): Finding {
  const id: FindingId = `packages_${group}`;
  if (missing === undefined) {
    const cost = 'packages are looked up on Debian and its relatives only; deps/packages.json names what is needed';
    return trouble(id, 'note', 'unknown', cost);
  }
  const { names, install } = missing[group];
  if (names.length === 0) return ok(id, 'all there');
  const needed = group === 'run' || (group === 'build' && addonFault !== undefined);
  return trouble(id, needed ? 'fail' : 'note', `missing: ${names.join(', ')}`, COSTS[group], install);
}

function addon({ addonFault }: Software): Finding {
  if (addonFault === undefined) return ok('addon', 'loads');
  return trouble('addon', 'fail', addonFault, 'no stack can be made', 'npm run build');
}

function redis({ redisInstalled, redisRunning }: Software): Finding {
  const install = 'apt-get install -y --no-install-recommends redis-server';
  if (!redisInstalled)
    return trouble('redis', 'fail', 'redis-server is not there', 'iotepserver has no store', install);
  if (redisRunning.length > 0) return ok('redis', `${redisRunning.length} running: ${redisRunning.join(', ')}`);
  const cost = 'iotepserver answers requests with errors until one runs, or `redis` names others';
  return trouble('redis', 'note', 'none of ours runs', cost, 'qstack redis up -n 2');
}

export function softwareFindings(software: Software): Finding[] {
  const groups = (['run', 'build', 'test'] as const).map((group) => packages(software, group));
  return [node(software), ...groups, addon(software), redis(software)];
}
