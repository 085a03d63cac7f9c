// Examine: everything that the doctor looks at, read once, and judged by pure functions of it.
// In: a Source. Out: findings in the order of the catalog, or what this very machine is.
import { lstatSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { defaultRedis, formatRedis } from '../../stack/config/redis-check.js';
import { runtimeDir } from '../../stack/config/runtime-dir.js';
import { completeSettings } from '../../stack/config/settings.js';
import { loadNative } from '../../stack/native.js';
import { planOf } from '../../stack/native-options.js';
import { redisStatus } from '../redis/servers.js';
import type { Finding } from './catalog.js';
import { clockFindings } from './clock.js';
import { coreFindings } from './cores.js';
import { type FolderState, limitFindings, type Self } from './limits.js';
import { memoryFindings } from './memory.js';
import { networkFindings } from './network.js';
import type { Probe } from './probe.js';
import { type MissingPackages, type PackageGroup, type Software, softwareFindings } from './software.js';
import type { Source } from './source.js';

/** Node with its heap, DPDK, and an empty Redis. */
const BESIDE_THE_PLAN = 256 * 2 ** 20;

export interface Patient {
  readonly source: Source;
  readonly probe: Probe;
  readonly self: Self;
  readonly software: Software;
  /** Memory of a server of the default configuration. */
  readonly neededBytes: number;
}

export function findingsOf({ source, probe, self, software, neededBytes }: Patient): Finding[] {
  return [
    ...coreFindings(source),
    ...memoryFindings(source, neededBytes),
    ...limitFindings(source, self),
    ...networkFindings(source),
    ...clockFindings(source, probe),
    ...softwareFindings(software),
  ];
}

function folderState(path: string): FolderState | undefined {
  const found = lstatSync(path, { throwIfNoEntry: false });
  if (found === undefined) return undefined;
  return { path, mode: found.mode & 0o7777, uid: found.uid, isFolder: found.isDirectory() };
}

function selfNow(): Self {
  return { uid: process.getuid?.() ?? 0, execPath: process.execPath, runtimeFolder: folderState(runtimeDir()) };
}

/** deps/ lies at the package's root and is not compiled: it works before anything is installed. */
async function missingNow(): Promise<Software['missing']> {
  const check: typeof import('../../deps/check.mjs') = await import(
    new URL('../../../deps/check.mjs', import.meta.url).href
  );
  const missing = (group: PackageGroup): MissingPackages => {
    const found = check.missingPackages([group]);
    return { names: found.map(({ name }) => name), install: check.installCommand(found) };
  };
  try {
    return { run: missing('run'), build: missing('build'), test: missing('test') };
  } catch {
    return undefined;
  }
}

function addonFault(): string | undefined {
  try {
    loadNative();
    return undefined;
  } catch (error) {
    return (error as Error).message;
  }
}

async function softwareNow(source: Source): Promise<Software> {
  const sockets = redisStatus().map(({ socket }) => socket);
  return {
    node: process.version,
    missing: await missingNow(),
    addonFault: addonFault(),
    redisInstalled: source.run('redis-server', ['--version']) !== undefined,
    redisRunning: sockets.length > 0 ? sockets : defaultRedis().map(formatRedis),
  };
}

export async function examine(source: Source, probe: Probe): Promise<Finding[]> {
  const neededBytes = planOf(completeSettings({}, [], availableParallelism()), 2).bytes + BESIDE_THE_PLAN;
  return findingsOf({ source, probe, self: selfNow(), software: await softwareNow(source), neededBytes });
}
