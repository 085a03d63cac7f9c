// Results: what all shards have counted, by tick, by interval and in all.
// In: ticks of shards as the native side hands them over, each shard's in order. Out: whole ticks in the order of their time,
// and intervals when they are over. A tick is whole when every shard has sent its part of it.
import { Histogram } from '../histogram/histogram.js';
import {
  type Capture,
  COUNT_NAMES,
  type CountName,
  type Counts,
  type NativeBurst,
  type NativeTail,
  type NativeTick,
} from './native.js';

export interface LevelResult {
  readonly name: string;
  readonly requests: number;
  readonly responses: number;
  readonly unanswered: number;
  readonly leastNs: number;
  readonly sumNs: number;
  readonly latency: Histogram;
}

/** Of any span of time. */
export interface Result {
  readonly startMs: number;
  readonly counts: Counts;
  readonly levels: readonly LevelResult[];
}

export interface WholeTick extends Result {
  readonly number: number;
  /** Connections in the tables of all shards at its end. */
  readonly followed: number;
  readonly bursts: readonly NativeBurst[];
  readonly tails: readonly NativeTail[];
}

/** Everything counted up to the end of a tick. */
export interface Sums {
  /** That have passed since the first frame. */
  readonly ticks: number;
  readonly total: Result;
  readonly capture: Capture;
  /** Connections in the tables of all shards. */
  readonly followed: number;
}

const NO_COUNTS = Object.fromEntries(COUNT_NAMES.map((name) => [name, 0])) as Record<CountName, number>;

export function noResult(names: readonly string[], startMs = 0): Result {
  const levels = names.map((name) => ({
    name,
    requests: 0,
    responses: 0,
    unanswered: 0,
    leastNs: 0,
    sumNs: 0,
    latency: Histogram.empty,
  }));
  return { startMs, counts: { ...NO_COUNTS }, levels };
}

function addLevels(a: LevelResult, b: LevelResult): LevelResult {
  const measured = [a, b].filter((level) => level.responses > 0);
  return {
    name: a.name,
    requests: a.requests + b.requests,
    responses: a.responses + b.responses,
    unanswered: a.unanswered + b.unanswered,
    leastNs: measured.length === 0 ? 0 : Math.min(...measured.map((level) => level.leastNs)),
    sumNs: a.sumNs + b.sumNs,
    // Most ticks of a long capture may be empty.
    latency: b.responses === 0 ? a.latency : Histogram.merge([a.latency, b.latency]),
  };
}

/** Levels by name: those that only one of the two has are kept as they are. */
export function addResults(a: Result, b: Result): Result {
  const counts = Object.fromEntries(COUNT_NAMES.map((name) => [name, a.counts[name] + b.counts[name]]));
  const both = a.levels.map((level) => {
    const other = b.levels.find(({ name }) => name === level.name);
    return other === undefined ? level : addLevels(level, other);
  });
  const only = b.levels.filter(({ name }) => !a.levels.some((level) => level.name === name));
  const starts = [a.startMs, b.startMs].filter((ms) => ms > 0);
  return {
    startMs: starts.length === 0 ? 0 : Math.min(...starts),
    counts: counts as Counts,
    levels: [...both, ...only],
  };
}

function resultOf(tick: NativeTick, names: readonly string[]): Result {
  const levels = tick.levels.map((level, index) => ({
    name: names[index] ?? String(index),
    requests: level.requests,
    responses: level.responses,
    unanswered: level.unanswered,
    leastNs: level.leastNs,
    sumNs: level.sumNs,
    latency: Histogram.of(level.cells, level.mostNs),
  }));
  return { startMs: tick.startMs, counts: tick.counts, levels };
}

/** Puts the shards' parts of each tick together. */
export class TickCollector {
  private readonly parts = new Map<number, NativeTick[]>();

  constructor(
    private readonly shards: number,
    private readonly names: readonly string[],
  ) {}

  /** Those that have become whole, in order. */
  add(ticks: readonly NativeTick[]): WholeTick[] {
    for (const tick of ticks) {
      const list = this.parts.get(tick.number) ?? [];
      list.push(tick);
      this.parts.set(tick.number, list);
    }
    const whole = [...this.parts].filter(([, parts]) => parts.length === this.shards).sort(([a], [b]) => a - b);
    return whole.map(([number, parts]) => {
      this.parts.delete(number);
      const sum = parts.map((part) => resultOf(part, this.names)).reduce(addResults);
      return {
        ...sum,
        number,
        followed: parts.reduce((connections, part) => connections + part.followed, 0),
        bursts: parts.flatMap((part) => part.bursts),
        tails: parts.flatMap((part) => part.tails).sort((a, b) => Number(a.timeNs - b.timeNs)),
      };
    });
  }
}

export interface Interval extends Result {
  readonly durationMs: number;
}

/** Sums of ticks: of the interval that is under way, and of all. */
export class Results {
  total: Result;
  private current: { number: number; ticks: number; result: Result } | undefined;

  constructor(
    private readonly names: readonly string[],
    private readonly ticksPerInterval: number,
    private readonly tickMs: number,
    private readonly over: (interval: Interval) => void,
  ) {
    this.total = noResult(names);
  }

  add(tick: WholeTick): void {
    const number = Math.floor(tick.number / this.ticksPerInterval);
    if (this.current !== undefined && this.current.number !== number) this.close(this.ticksPerInterval);
    if (this.current === undefined) {
      const startMs = tick.startMs - (tick.number % this.ticksPerInterval) * this.tickMs;
      this.current = { number, ticks: 0, result: noResult(this.names, startMs) };
    }
    this.current.ticks = (tick.number % this.ticksPerInterval) + 1;
    this.current.result = addResults(this.current.result, tick);
    this.total = addResults(this.total, tick);
  }

  /** The capture is over: the last interval may be a short one. */
  end(): void {
    if (this.current !== undefined) this.close(this.current.ticks);
  }

  private close(ticks: number): void {
    if (this.current === undefined) return;
    this.over({ ...this.current.result, durationMs: ticks * this.tickMs });
    this.current = undefined;
  }
}
