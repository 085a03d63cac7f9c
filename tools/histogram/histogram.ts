// Histogram: how often which latency was seen, as every native histogram of ours exports it.
//
// In: cells as native/mcc/histogram.hh gives them (`[highest value, count, highest value, count …]`, nanoseconds, of cells
// that are not empty). Out: percentiles, sums of several, what came since an earlier look. Values are immutable: a merge
// makes a new one. Percentiles are the highest value of the cell, by the rank that the native side takes (histogram.hh).

/** What a process sends to another one: plain numbers. */
export interface HistogramJson {
  /** Highest value and count by turns, ascending, nanoseconds. */
  readonly cells: readonly number[];
  readonly max_ns: number;
}

export class Histogram {
  static readonly empty = new Histogram(new Float64Array(), 0);
  readonly count: number;

  /** `values` ascending; `maxNs` is exact where who counted knows it. */
  private constructor(
    private readonly flat: Float64Array,
    readonly maxNs: number,
  ) {
    let count = 0;
    for (let i = 1; i < flat.length; i += 2) count += flat[i] as number;
    this.count = count;
  }

  /** Without `maxNs` the largest is the end of the last cell. Cells of any order, also the same one twice. */
  static of(cells: ArrayLike<number>, maxNs?: number): Histogram {
    const counts = new Map<number, number>();
    add(counts, cells, 1);
    return fromCounts(counts, maxNs);
  }

  static from(json: HistogramJson): Histogram {
    return Histogram.of(json.cells, json.max_ns);
  }

  static merge(parts: Iterable<Histogram>): Histogram {
    const counts = new Map<number, number>();
    let maxNs = 0;
    for (const part of parts) {
      add(counts, part.flat, 1);
      maxNs = Math.max(maxNs, part.maxNs);
    }
    return fromCounts(counts, maxNs);
  }

  /** For fromCounts alone: ascending, no empty cell. */
  static sorted(flat: Float64Array, maxNs: number): Histogram {
    return flat.length === 0 ? Histogram.empty : new Histogram(flat, maxNs);
  }

  /** What was recorded after `earlier`, which is the same histogram at an earlier time. */
  since(earlier: Histogram): Histogram {
    const counts = new Map<number, number>();
    add(counts, this.flat, 1);
    add(counts, earlier.flat, -1);
    return fromCounts(counts, this.maxNs > earlier.maxNs ? this.maxNs : undefined);
  }

  /** The value in nanoseconds that the share (0 … 1) of all values do not exceed; undefined when empty. */
  percentileNs(share: number): number | undefined {
    if (this.count === 0) return undefined;
    const rank = Math.min(this.count, Math.max(1, Math.round(share * this.count)));
    let seen = 0;
    let at = 0;
    for (; at < this.flat.length; at += 2) {
      seen += this.flat[at + 1] as number;
      if (seen >= rank) break;
    }
    return Math.min(this.flat[at] as number, this.maxNs);
  }

  /** `[highest value, count]` of each cell that is not empty, ascending. The last value is no higher than the maximum. */
  *[Symbol.iterator](): Generator<readonly [valueNs: number, count: number]> {
    for (let i = 0; i < this.flat.length; i += 2) {
      yield [Math.min(this.flat[i] as number, this.maxNs), this.flat[i + 1] as number];
    }
  }

  /** As the native side gives them: highest value and count by turns, ascending, of cells that are not empty. */
  cells(): Float64Array {
    return this.flat.slice();
  }

  toJSON(): HistogramJson {
    return { cells: [...this.flat], max_ns: this.maxNs };
  }
}

function add(counts: Map<number, number>, cells: ArrayLike<number>, times: 1 | -1): void {
  for (let i = 0; i + 1 < cells.length; i += 2) {
    const value = cells[i] as number;
    counts.set(value, (counts.get(value) ?? 0) + times * (cells[i + 1] as number));
  }
}

function fromCounts(counts: ReadonlyMap<number, number>, maxNs?: number): Histogram {
  const values = [...counts.keys()].filter((value) => (counts.get(value) as number) > 0).sort((a, b) => a - b);
  const flat = Float64Array.from(values.flatMap((value) => [value, counts.get(value) as number]));
  return Histogram.sorted(flat, Math.min(maxNs ?? Number.POSITIVE_INFINITY, values.at(-1) ?? 0));
}
