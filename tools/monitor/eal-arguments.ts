// EAL's part of a command line, as DPDK programs have it: `-c fff -n3 -- -p1`. What stands before `--` is EAL's, but for flags
// that it does not have, which are ours.
// In: arguments, cores of the machine. Out: our arguments, and warnings about what EAL was asked for and cannot have here.

export interface SplitArguments {
  readonly own: readonly string[];
  readonly warnings: readonly string[];
}

/** With a value of its own, attached or as the next argument. */
const EAL_SHORT = /^-([cnlmrabS])(.*)$/;
const EAL_LONG_WITH_VALUE =
  /^--(lcores|main-lcore|socket-mem|file-prefix|vdev|proc-type|log-level|iova-mode|allow|block|huge-dir)$/;
const EAL_LONG =
  /^--(lcores|main-lcore|socket-mem|file-prefix|vdev|proc-type|log-level|iova-mode|allow|block|huge-dir|no-huge|in-memory|no-pci|legacy-mem|no-telemetry|no-shconf)(=.*)?$/;

function coresOfMask(mask: string): number[] {
  const bits = BigInt(`0x${mask.replace(/^0x/i, '')}`).toString(2);
  return [...bits].reverse().flatMap((bit, core) => (bit === '1' ? [core] : []));
}

function coreWarning(mask: string, cores: number): string | undefined {
  if (!/^(0x)?[\da-f]{1,64}$/i.test(mask)) return `-c: "${mask}" is no mask of cores; all cores are used`;
  const asked = coresOfMask(mask);
  const missing = asked.filter((core) => core >= cores).length;
  if (missing === 0) return undefined;
  return `-c: the mask ${mask} names ${asked.length} cores; this machine has ${cores}`;
}

export function splitEalArguments(argv: readonly string[], cores: number): SplitArguments {
  const at = argv.indexOf('--');
  if (at < 0) return { own: argv, warnings: [] };
  const own: string[] = [];
  const warnings: string[] = [];
  for (let i = 0; i < at; i += 1) {
    const argument = argv[i] as string;
    const [, letter = '', attached = ''] = EAL_SHORT.exec(argument) ?? [];
    if (letter !== '') {
      if (attached === '') i += 1;
      const value = attached === '' ? (argv[i] ?? '') : attached;
      const warning = letter === 'c' ? coreWarning(value, cores) : undefined;
      if (warning !== undefined) warnings.push(warning);
    } else if (EAL_LONG.test(argument)) {
      if (EAL_LONG_WITH_VALUE.test(argument)) i += 1;
    } else own.push(argument);
  }
  return { own: [...own, ...argv.slice(at + 1)], warnings };
}
