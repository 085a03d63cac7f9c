// What control groups leave of a machine (a container, a slice of systemd). In: /proc/self/cgroup and the hierarchies below
// /sys/fs/cgroup, of version 2 and 1. Out: the tightest limit on the way from this process to the root.
import { numberIn, type Source, wordIn } from './source.js';

const ROOT = '/sys/fs/cgroup';

/** Folders of this process in one controller, from its own up to the root; what a container cannot see is not there. */
function foldersOf(source: Source, controller: string): string[] {
  const lines = (source.read('/proc/self/cgroup') ?? '').split('\n');
  const paths = lines.flatMap((line) => {
    const [, id, names = '', path = '/'] = /^(\d+):([^:]*):(.*)$/.exec(line) ?? [];
    if (id === '0' && names === '') return [{ root: ROOT, path }];
    return names.split(',').includes(controller) ? [{ root: `${ROOT}/${controller}`, path }] : [];
  });
  return paths.flatMap(({ root, path }) => {
    const parts = path.split('/').filter(Boolean);
    return Array.from({ length: parts.length + 1 }, (_, i) => [root, ...parts.slice(0, parts.length - i)].join('/'));
  });
}

function least(numbers: readonly (number | undefined)[]): number | undefined {
  const known = numbers.filter((number) => number !== undefined);
  return known.length === 0 ? undefined : Math.min(...known);
}

/** Bytes; undefined: no limit. Version 1 writes "none" as a number beyond any memory. */
export function memoryLimit(source: Source): number | undefined {
  const limit = least(
    foldersOf(source, 'memory').flatMap((folder) => [
      numberIn(source, `${folder}/memory.max`, /^(\d+)$/m),
      numberIn(source, `${folder}/memory.limit_in_bytes`, /^(\d+)$/m),
    ]),
  );
  return limit !== undefined && limit < 2 ** 60 ? limit : undefined;
}

function quotaOf(source: Source, folder: string): number | undefined {
  const [, quota, period] = /^(\d+) (\d+)/.exec(source.read(`${folder}/cpu.max`) ?? '') ?? [];
  if (quota !== undefined) return Number(quota) / Number(period);
  const old = Number(wordIn(source, `${folder}/cpu.cfs_quota_us`) ?? -1);
  return old > 0 ? old / Number(wordIn(source, `${folder}/cpu.cfs_period_us`) ?? 100_000) : undefined;
}

/** Cores' worth of time; undefined: no limit. */
export function cpuQuota(source: Source): number | undefined {
  return least(foldersOf(source, 'cpu').map((folder) => quotaOf(source, folder)));
}

/** Whether a control group below the root has a weight of its own in the processor's time; version 2 gives its root none. */
export function hasCpuGroup(source: Source): boolean {
  return foldersOf(source, 'cpu').some(
    (folder) =>
      source.read(`${folder}/cpu.weight`) !== undefined ||
      (folder !== `${ROOT}/cpu` && source.read(`${folder}/cpu.shares`) !== undefined),
  );
}
