// SnapshotText: a snapshot as text for a terminal, the most important first: a screen that is too low cuts off the rest.
// In: a snapshot. Out: lines. Sections are there where the program has the figures.
import { formatAge, formatBytes, formatCount, formatShare, formatUs } from '../../stack/dashboard/page/format.js';
import { wordsOf } from '../../stack/dashboard/page/words.js';
import type { Snapshot } from '../../stack/dashboard/snapshot.js';

/** Columns as wide as their widest cell, all but the first to the right. */
function columns(rows: readonly (readonly string[])[]): string[] {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => (row[column] ?? '').length)));
  return rows.map((row) =>
    row.map((cell, at) => (at === 0 ? cell.padEnd(widths[at] ?? 0) : cell.padStart(widths[at] ?? 0))).join('  '),
  );
}

function section(rows: readonly (readonly string[])[]): string[] {
  return rows.length > 1 ? ['', ...columns(rows)] : [];
}

function head({ program, at_ms, connections, more = {} }: Snapshot): string[] {
  const age = formatAge((at_ms - program.started_ms) / 1_000);
  const facts = [
    ...(connections === undefined
      ? []
      : [`connections ${formatCount(connections.open)} of ${formatCount(connections.capacity)}`]),
    ...(connections === undefined
      ? []
      : [`+${formatCount(connections.opened_per_s)}/s -${formatCount(connections.closed_per_s)}/s`]),
    ...(more.retransmits_per_s === undefined ? [] : [`retransmits ${formatCount(more.retransmits_per_s)}/s`]),
    ...(more.hiccup_p99_us === undefined ? [] : [`hiccup p99 ${formatUs(more.hiccup_p99_us)}`]),
    ...(more.resident_bytes === undefined ? [] : [`resident ${formatBytes(more.resident_bytes)}`]),
  ];
  return [`${program.name} ${program.about}, process ${program.pid}, up ${age}`, facts.join('   ')];
}

function levels({ program, rates = [], stages = [], latency_stage }: Snapshot): string[] {
  const { offered, answered } = wordsOf(program.name);
  const rows = rates.map(({ level, offered_per_s, answered_per_s, more }) => {
    const whole = stages.find((one) => one.stage === latency_stage && one.level === level);
    const times = [whole?.p50_us, whole?.p99_us, whole?.p999_us, whole?.max_us].map(formatUs);
    const rest = Object.values(more).map(formatCount);
    return [level, formatCount(offered_per_s), formatCount(answered_per_s), ...times, ...rest];
  });
  const kinds = Object.keys(rates[0]?.more ?? {}).map((name) => name.replace(/_per_s$/, '').replaceAll('_', ' '));
  return section([['level', `${offered}/s`, `${answered}/s`, 'p50', 'p99', 'p99.9', 'max', ...kinds], ...rows]);
}

function stages({ stages: all = [], interval_s, latency_stage }: Snapshot): string[] {
  const rows = all
    .filter(({ stage }) => stage !== latency_stage)
    .map(({ stage, level, count, p50_us, p99_us, p999_us, max_us }) => [
      `${stage} ${level}`,
      formatCount(count / interval_s),
      ...[p50_us, p99_us, p999_us, max_us].map(formatUs),
    ]);
  return section([['stage', 'a second', 'p50', 'p99', 'p99.9', 'max'], ...rows]);
}

function drops({ program, drops: all }: Snapshot): string[] {
  if (all === undefined) return [];
  const reasons = Object.entries(all).map(([reason, perS]) => `${reason} ${formatCount(perS)}/s`);
  return ['', `${wordsOf(program.name).dropped}: ${reasons.length === 0 ? 'none' : reasons.join(', ')}`];
}

function counts({ counts: all = [] }: Snapshot): string[] {
  const rows = all.map(({ what, per_s, total }) => [what.replaceAll('_', ' '), formatCount(per_s), formatCount(total)]);
  return section([['', 'a second', 'in all'], ...rows]);
}

function redis({ redis: all = [] }: Snapshot): string[] {
  const rows = all.map((shard) => [
    `${shard.server}${shard.connected ? '' : ' (away)'}`,
    formatCount(shard.replied_per_s),
    formatUs(shard.p50_us),
    formatUs(shard.p99_us),
    formatCount(shard.in_flight),
    formatCount(shard.waiting),
  ]);
  return section([['redis', 'replies/s', 'p50', 'p99', 'in flight', 'waiting'], ...rows]);
}

function cpu({ cores = [], threads = [] }: Snapshot): string[] {
  if (cores.length === 0) return [];
  const busiest = [...threads].sort((a, b) => b.busy - a.busy).slice(0, 6);
  return [
    '',
    `cores: ${cores.map(({ core, busy }) => `${core} ${formatShare(busy)}`).join('  ')}`,
    `threads: ${busiest.map(({ thread, busy }) => `${thread} ${formatShare(busy)}`).join('  ')}`,
  ];
}

export function snapshotText(snapshot: Snapshot): string {
  const parts = [head, levels, stages, drops, counts, redis, cpu].flatMap((part) => part(snapshot));
  return parts.join('\n');
}
