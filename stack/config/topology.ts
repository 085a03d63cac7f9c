// Topology: the cores that this process may use, as the kernel describes them. In: /sys and /proc. Out: physical cores with their
// hyperthreads, by NUMA node. Tests pass a folder of their own.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** `threads`: its logical cores by their numbers, ascending, only those that may be used. */
export interface PhysicalCore {
  readonly node: number;
  readonly threads: readonly number[];
}

function textOf(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch {
    return undefined;
  }
}

/** `0,2-3`; undefined: it is no list of cores. */
export function coreList(text: string): number[] | undefined {
  const parts = text.split(',').map((part) => /^(\d{1,4})(?:-(\d{1,4}))?$/.exec(part.trim()));
  const list: number[] = [];
  for (const part of parts) {
    if (part === null) return undefined;
    const [first, last] = [Number(part[1]), Number(part[2] ?? part[1])];
    if (last < first) return undefined;
    for (let core = first; core <= last; core++) list.push(core);
  }
  return list;
}

/** `0,2-3` of 0, 2, 3. */
export function coresText(cores: readonly number[]): string {
  const runs: [first: number, last: number][] = [];
  for (const core of cores) {
    const run = runs.at(-1);
    if (run !== undefined && run[1] + 1 === core) run[1] = core;
    else runs.push([core, core]);
  }
  return runs.map(([first, last]) => (first === last ? `${first}` : `${first}-${last}`)).join(',');
}

function nodeOf(folder: string): number {
  const name = readdirSync(folder).find((entry) => /^node\d+$/.test(entry));
  return name === undefined ? 0 : Number(name.slice('node'.length));
}

/** The process's affinity; `root` is `/` but in tests. */
export function usableCores(root = '/'): number[] {
  const status = textOf(join(root, 'proc/self/status')) ?? '';
  return coreList(/^Cpus_allowed_list:\s+(\S+)$/m.exec(status)?.[1] ?? '') ?? [];
}

/** By node, then by number. A kernel that tells nothing of a core (a container without /sys) has it as one of its own, on node 0. */
export function topologyOf(root = '/'): PhysicalCore[] {
  const cores = new Map<string, { node: number; threads: number[] }>();
  for (const core of usableCores(root)) {
    const folder = join(root, `sys/devices/system/cpu/cpu${core}`);
    const siblings = textOf(join(folder, 'topology/thread_siblings_list')) ?? String(core);
    const known = cores.get(siblings);
    if (known !== undefined) known.threads.push(core);
    else cores.set(siblings, { node: textOf(join(folder, 'topology/core_id')) ? nodeOf(folder) : 0, threads: [core] });
  }
  return [...cores.values()].sort((a, b) => a.node - b.node || (a.threads[0] ?? 0) - (b.threads[0] ?? 0));
}
