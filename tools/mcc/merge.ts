// Merge: one result of several generators that made their shares of one run at the same time: processes of one machine, or of
// many. In: what each of them says. Out: the same forms, as if one had made the whole. Counts are sums; histograms are added
// cell by cell, so the percentiles are those of all messages, by the rank that native/mcc/histogram.hh takes.
import { Histogram } from '../histogram/histogram.js';
import {
  type Hiccups,
  type LevelResult,
  type LevelView,
  PHASES,
  type PhaseName,
  type RunResult,
  type View,
} from './native.js';

function sum<Part>(parts: readonly Part[], of: (part: Part) => number): number {
  return parts.reduce((total, part) => total + of(part), 0);
}

function most<Part>(parts: readonly Part[], of: (part: Part) => number): number {
  return parts.reduce((largest, part) => Math.max(largest, of(part)), 0);
}

/** Highest value and count by turns, ascending. */
export function mergeCells(parts: readonly ArrayLike<number>[]): Float64Array {
  return Histogram.merge(parts.map((cells) => Histogram.of(cells))).cells();
}

function mergeCounts(parts: readonly LevelView[] | readonly LevelResult[]) {
  return {
    offered: sum<LevelView | LevelResult>(parts, (part) => part.offered),
    sent: sum<LevelView | LevelResult>(parts, (part) => part.sent),
    answered: sum<LevelView | LevelResult>(parts, (part) => part.answered),
    errors: sum<LevelView | LevelResult>(parts, (part) => part.errors),
    failed: sum<LevelView | LevelResult>(parts, (part) => part.failed),
    unsent: sum<LevelView | LevelResult>(parts, (part) => part.unsent),
  };
}

export function mergeLevel(parts: readonly LevelResult[]): LevelResult {
  const maxNs = most(parts, (part) => part.maxNs);
  const latency = Histogram.of(mergeCells(parts.map((part) => part.cells)), maxNs);
  const answering = parts.filter((part) => part.answered > 0);
  return {
    ...mergeCounts(parts),
    p50Ns: latency.percentileNs(0.5) ?? 0,
    p90Ns: latency.percentileNs(0.9) ?? 0,
    p99Ns: latency.percentileNs(0.99) ?? 0,
    p999Ns: latency.percentileNs(0.999) ?? 0,
    maxNs,
    sendDelayNs: most(parts, (part) => part.sendDelayNs),
    // All are silent together at most as long as the one that was silent the shortest.
    silenceNs: answering.length === 0 ? 0 : Math.min(...answering.map((part) => part.silenceNs)),
    cells: latency.cells(),
  };
}

/** The parts of level 0, of level 1 and so on. */
function byLevel<Level>(parts: readonly { readonly levels: readonly Level[] }[]): Level[][] {
  const count = Math.max(0, ...parts.map(({ levels }) => levels.length));
  return Array.from({ length: count }, (_, index) =>
    parts.map(({ levels }) => levels[index]).filter((level): level is Level => level !== undefined),
  );
}

/** Those of the worst. */
export function mergeHiccups(parts: readonly Hiccups[]): Hiccups {
  return { p99Ns: most(parts, (part) => part.p99Ns), maxNs: most(parts, (part) => part.maxNs) };
}

/** At least one part. */
export function mergeResults(parts: readonly RunResult[]): RunResult {
  return {
    levels: byLevel(parts).map(mergeLevel),
    bytesReceived: sum(parts, (part) => part.bytesReceived ?? 0),
    hiccupP99Ns: most(parts, (part) => part.hiccupP99Ns),
    hiccupMaxNs: most(parts, (part) => part.hiccupMaxNs),
  };
}

/** The whole is in the first of these phases that any part is in: it runs while one runs, and is ready when all are. */
const WHOLE_PHASES: readonly PhaseName[] = ['running', 'draining', 'connecting', 'closing', 'idle', 'ready', 'closed'];

export function mergePhases(phases: readonly number[]): number {
  const found = WHOLE_PHASES.find((name) => phases.includes(PHASES.indexOf(name)));
  return PHASES.indexOf(found ?? 'idle');
}

/** At least one part. Latencies of the interval are those of the slowest; `number` changes with each part's. */
export function mergeViews(parts: readonly View[]): View {
  return {
    number: sum(parts, (part) => part.number),
    phase: mergePhases(parts.map((part) => part.phase)),
    run: most(parts, (part) => part.run),
    elapsedNs: most(parts, (part) => part.elapsedNs),
    answeredNs: most(parts, (part) => part.answeredNs),
    connected: sum(parts, (part) => part.connected),
    retries: sum(parts, (part) => part.retries),
    reconnects: sum(parts, (part) => part.reconnects),
    renewals: sum(parts, (part) => part.renewals),
    mismatched: sum(parts, (part) => part.mismatched),
    late: sum(parts, (part) => part.late),
    unexpected: sum(parts, (part) => part.unexpected),
    inFlight: sum(parts, (part) => part.inFlight),
    waiting: sum(parts, (part) => part.waiting),
    levels: byLevel(parts).map((levels) => ({
      ...mergeCounts(levels),
      p50Ns: most(levels, (level) => level.p50Ns),
      p99Ns: most(levels, (level) => level.p99Ns),
      p999Ns: most(levels, (level) => level.p999Ns),
      maxNs: most(levels, (level) => level.maxNs),
    })),
  };
}

/** The part of `whole` that generator `index` of `count` makes: whole numbers that differ by one at most, and add up. */
export function shareOf(whole: number, index: number, count: number): number {
  return Math.floor((whole * (index + 1)) / count) - Math.floor((whole * index) / count);
}
