// Runs a command on one core. In: the core. Out: what stands before the command. And how people write several cores.
import { availableParallelism, cpus } from 'node:os';

export function onCore(core: number | undefined): readonly string[] {
  return core === undefined ? [] : ['taskset', '-c', String(core)];
}

/** `0,2-3`; undefined: it is no list of cores, or this machine has no such core. */
export function parseCores(
  text: string,
  cores = Math.max(cpus().length, availableParallelism()),
): number[] | undefined {
  const parts = text.split(',').map((part) => /^(\d+)(?:-(\d+))?$/.exec(part.trim()));
  if (parts.some((part) => part === null)) return undefined;
  const list = parts.flatMap((part) => {
    const [first, last] = [Number(part?.[1]), Number(part?.[2] ?? part?.[1])];
    return last < cores && first <= last ? Array.from({ length: last - first + 1 }, (_, i) => first + i) : [-1];
  });
  return list.includes(-1) ? undefined : list;
}
