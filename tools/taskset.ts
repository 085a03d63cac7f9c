// Runs a command on one core. In: the core. Out: what stands before the command.
export function onCore(core: number | undefined): readonly string[] {
  return core === undefined ? [] : ['taskset', '-c', String(core)];
}
