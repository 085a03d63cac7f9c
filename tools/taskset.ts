// Runs a command on one core. In: the core. Out: what stands before the command. And how people write several cores.
import { availableParallelism, cpus } from 'node:os';
import { coreList } from '../stack/config/topology.js';

export function onCore(core: number | undefined): readonly string[] {
  return core === undefined ? [] : ['taskset', '-c', String(core)];
}

/** `0,2-3`; undefined: it is no list of cores, or this machine has no such core. */
export function parseCores(
  text: string,
  cores = Math.max(cpus().length, availableParallelism()),
): number[] | undefined {
  const list = coreList(text);
  return list?.every((core) => core < cores) ? list : undefined;
}
