// Limits of a run: what of a plan is left out, and how that is said on a command line.
// In: limits. Out: flags, the same for the native program and for `npm run sim`. The smaller the limits, the less happens.

/** What a plan may do beyond the plainest one; the order of native/sim/plan.hh, which a test compares. */
export const FEATURES = [
  ...['sack', 'timestamps', 'ecn', 'pacing', 'delayed_ack', 'nagle', 'levels', 'framing', 'ipv6', 'congestion'],
  ...['small_buffers', 'small_pools', 'cookies', 'small_mtu', 'resolution', 'coarse_turns', 'clock_wrap', 'time_wait'],
  ...['refusals', 'slow_readers', 'aborts', 'early_closes', 'small_writes', 'pauses', 'drains', 'same_ports'],
  ...[
    'slow_links',
    'classifiers',
    'icmp',
    'messages',
    'loss',
    'bursts',
    'reordering',
    'duplicates',
    'corruption',
    'jitter',
    'marks',
  ],
  ...['mtu_changes', 'outages', 'crashes', 'rewrites', 'policies', 'stacks', 'fragments'],
];

export const PLANTS = ['alter', 'forge_ack', 'keep_pieces'];

export interface Limits {
  readonly hosts?: number | undefined;
  /** Bytes of one direction of a transfer, at most. */
  readonly bytes?: number | undefined;
  readonly transfers?: readonly number[] | undefined;
  readonly faults?: readonly number[] | undefined;
  readonly without?: readonly string[] | undefined;
  readonly plant?: string | undefined;
}

function list(numbers: readonly number[]): string {
  return numbers.length === 0 ? 'none' : numbers.join(',');
}

export function flagsOf(limits: Limits): string[] {
  const flags: string[] = [];
  if (limits.hosts !== undefined) flags.push('--hosts', String(limits.hosts));
  if (limits.transfers !== undefined) flags.push('--transfers', list(limits.transfers));
  if (limits.faults !== undefined) flags.push('--faults', list(limits.faults));
  if (limits.bytes !== undefined) flags.push('--bytes', String(limits.bytes));
  if (limits.without !== undefined && limits.without.length > 0) flags.push('--without', limits.without.join(','));
  if (limits.plant !== undefined) flags.push('--plant', limits.plant);
  return flags;
}

export function commandOf(seed: number, limits: Limits): string {
  return ['npm run sim --', '--seed', seed, '--plans 1', ...flagsOf(limits)].join(' ');
}
