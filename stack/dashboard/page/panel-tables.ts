// Panels that are tables of the last second. In: snapshots. Out: tables, drawn again.
import type { Count, Snapshot, StageFigures } from '../snapshot.js';
import { formatCount, formatShare, formatUs } from './format.js';
import { levelColor, part, perSecond, show } from './panel.js';
import { bar, dotted, showTable } from './tables.js';
import { color } from './theme.js';
import { wordsOf } from './words.js';

/** Logarithmic bars: from a microsecond to ten seconds. */
const DECADES_US = 7;

const logShare = (us: number) => Math.log10(Math.max(1, us)) / DECADES_US;

export function drawTables(current: Snapshot, shown: Snapshot[]): void {
  drawStages(current);
  drawOverload(current);
  drawCpu(current);
  drawQueues(current);
  drawDrops(current, shown);
  drawCounts(current);
  drawTalkers(current);
}

function drawStages(current: Snapshot): void {
  if (!show('stages', current.stages !== undefined)) return;
  showTable<StageFigures>(
    part('stages', '.table'),
    [
      { head: 'stage', kind: 'text', cell: ({ stage }) => stage },
      { head: 'level', kind: 'text', cell: ({ level }) => dotted(level, levelColor(current, level)) },
      { head: 'a second', cell: ({ count }) => formatCount(count / current.interval_s), optional: true },
      { head: 'p50', cell: ({ p50_us }) => formatUs(p50_us) },
      { head: 'p99', cell: ({ p99_us }) => formatUs(p99_us) },
      { head: 'p99.9', cell: ({ p999_us }) => formatUs(p999_us), optional: true },
      { head: '', kind: 'bar', cell: ({ p99_us, level }) => bar(logShare(p99_us), levelColor(current, level)) },
    ],
    current.stages ?? [],
    'No message in this second.',
  );
}

function drawOverload(current: Snapshot): void {
  const kinds = [...new Set(current.rates?.flatMap(({ more }) => Object.keys(more)) ?? [])];
  if (!show('overload', kinds.length > 0)) return;
  showTable(
    part('overload', '.table'),
    [
      { head: 'level', kind: 'text', cell: ({ level }) => dotted(level, levelColor(current, level)) },
      ...kinds.map((kind) => ({
        head: kind.replace('_per_s', '').replaceAll('_', ' '),
        cell: ({ more }: { more: Record<string, number> }) => perSecond(more[kind] ?? 0),
      })),
    ],
    current.rates ?? [],
    '',
  );
}

function drawCpu(current: Snapshot): void {
  if (!show('cpu', current.cores !== undefined)) return;
  const cores = (current.cores ?? []).map(({ core, busy, steal }) => ({
    name: `core ${core}`,
    where: steal > 0.005 ? `steal ${formatShare(steal)}` : '',
    busy,
    own: false,
  }));
  const threads = [...(current.threads ?? [])]
    .sort((a, b) => b.busy - a.busy)
    .slice(0, 12)
    .map(({ thread, busy, core }) => ({ name: thread, where: `on ${core}`, busy, own: true }));
  showTable(
    part('cpu', '.table'),
    [
      { head: '', kind: 'name', cell: ({ name }) => name },
      { head: '', cell: ({ where }) => where, optional: true },
      { head: 'busy', cell: ({ busy }) => formatShare(busy) },
      { head: '', kind: 'bar', cell: ({ busy, own }) => bar(busy, color(own ? 'accent' : 'dim')) },
    ],
    [...cores, ...threads],
    '',
  );
}

function drawQueues(current: Snapshot): void {
  if (!show('queues', current.queues !== undefined)) return;
  showTable(
    part('queues', '.table'),
    [
      { head: 'queue', kind: 'text', cell: ({ queue }) => queue },
      {
        head: 'level',
        kind: 'text',
        cell: ({ level }) => (level === '' ? '' : dotted(level, levelColor(current, level))),
      },
      { head: 'depth', cell: ({ depth }) => formatCount(depth) },
      { head: 'of', cell: ({ capacity }) => formatCount(capacity), optional: true },
      { head: '', kind: 'bar', cell: ({ depth, capacity }) => bar(depth / capacity, color('accent')) },
    ],
    current.queues ?? [],
    '',
  );
}

function drawDrops(current: Snapshot, shown: Snapshot[]): void {
  if (!show('drops', current.drops !== undefined)) return;
  const sums = new Map<string, number>();
  for (const { drops = {}, interval_s } of shown) {
    for (const [reason, perS] of Object.entries(drops)) sums.set(reason, (sums.get(reason) ?? 0) + perS * interval_s);
  }
  showTable(
    part('drops', '.table'),
    [
      { head: 'reason', kind: 'text', cell: ([reason]) => reason.replaceAll('_', ' ') },
      { head: 'now', cell: ([reason]) => perSecond(current.drops?.[reason] ?? 0) },
      { head: 'in all', cell: ([, sum]) => formatCount(Math.round(sum)) },
    ],
    [...sums].sort((a, b) => b[1] - a[1]),
    wordsOf(current.program.name).nothingDropped,
  );
}

function drawCounts({ counts = [] }: Snapshot): void {
  if (!show('counts', counts.length > 0)) return;
  showTable<Count>(
    part('counts', '.table'),
    [
      { head: '', kind: 'text', cell: ({ what }) => what.replaceAll('_', ' ') },
      { head: 'now', cell: ({ per_s }) => perSecond(per_s) },
      { head: 'in all', cell: ({ total }) => formatCount(total) },
    ],
    counts,
    '',
  );
}

function drawTalkers(current: Snapshot): void {
  if (show('busiest', current.busiest !== undefined)) {
    showTable(
      part('busiest', '.table'),
      [
        { head: 'peer', kind: 'name', cell: ({ remote }) => remote },
        {
          head: 'by level',
          kind: 'text',
          cell: ({ levels }) =>
            Object.entries(levels)
              .map(([level, n]) => `${level} ${n}`)
              .join(', '),
          optional: true,
        },
        { head: 'messages', cell: ({ messages }) => formatCount(messages) },
        { head: 'share', cell: ({ share }) => formatShare(share) },
      ],
      current.busiest ?? [],
      'No message in this second.',
    );
  }
  if (!show('slowest', current.slowest !== undefined)) return;
  showTable(
    part('slowest', '.table'),
    [
      { head: 'peer', kind: 'name', cell: ({ remote }) => remote },
      { head: 'level', kind: 'text', cell: ({ level }) => dotted(level, levelColor(current, level)) },
      { head: 'took', cell: ({ took_us }) => formatUs(took_us) },
    ],
    current.slowest ?? [],
    'No reply in this second.',
  );
}
