// Summary: what a forwarder has done, for a person and as JSON. In: counts by pair. Out: text, numbers in bytes.
import { formatSize } from '../../stack/config/units.js';
import type { PairCounts } from './forwarder.js';
import { formatPair, type Pair } from './pairs.js';

function facts(counts: PairCounts): string[] {
  const failed = Object.entries(counts.failed).map(([code, count]) => `${count} failed (${code})`);
  const rare = (count: number, what: string) => (count > 0 ? [`${count} ${what}`] : []);
  return [
    `${counts.accepted} connections`,
    `${formatSize(counts.toServer)} to the server`,
    `${formatSize(counts.fromServer)} from it`,
    ...rare(counts.open, 'open at the end'),
    ...rare(counts.reset, 'reset'),
    ...rare(counts.refused, 'refused'),
    ...failed,
  ];
}

export function summaryText(counts: ReadonlyMap<Pair, PairCounts>): string {
  return [...counts].map(([pair, of]) => `${formatPair(pair)}: ${facts(of).join(', ')}`).join('\n');
}

export function summaryJson(counts: ReadonlyMap<Pair, PairCounts>): object {
  const pairs = [...counts].map(([pair, of]) => {
    const [listen, target] = formatPair(pair).split(' -> ');
    const { accepted, open, finished, reset, refused, failed, toServer, fromServer } = of;
    const counted = { accepted, open, finished, reset, refused, failed };
    return { listen, target, ...counted, bytes_to_server: toServer, bytes_from_server: fromServer };
  });
  return { pairs };
}
