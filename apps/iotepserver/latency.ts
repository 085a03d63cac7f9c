// Latencies of one level in one interval: counts in cells of a sixteenth of an octave, no object and no clock per message.
// In: microseconds. Out: percentiles, correct to 6 %. For figures that are published, mcc and the monitor measure.
const PER_OCTAVE = 16;
const OCTAVES = 32;

function cellOf(us: number): number {
  if (us < PER_OCTAVE) return us < 0 ? 0 : us | 0;
  const octave = 31 - Math.clz32(us);
  return (octave - 3) * PER_OCTAVE + ((us >>> (octave - 4)) & (PER_OCTAVE - 1));
}

/** The largest value of a cell. */
function highest(cell: number): number {
  if (cell < PER_OCTAVE) return cell;
  const octave = Math.floor(cell / PER_OCTAVE) + 3;
  return (PER_OCTAVE + (cell % PER_OCTAVE) + 1) * 2 ** (octave - 4) - 1;
}

export class Latency {
  count = 0;
  maxUs = 0;
  private readonly cells = new Uint32Array(PER_OCTAVE * OCTAVES);

  record(us: number): void {
    const cell = cellOf(us);
    this.cells[cell] = (this.cells[cell] as number) + 1;
    this.count++;
    if (us > this.maxUs) this.maxUs = Math.round(us);
  }

  /** 0 when nothing was recorded. */
  quantileUs(quantile: number): number {
    const rank = Math.max(1, Math.ceil(quantile * this.count));
    let seen = 0;
    for (let cell = 0; cell < this.cells.length; cell++) {
      seen += this.cells[cell] as number;
      if (seen >= rank) return Math.round(Math.min(highest(cell), this.maxUs));
    }
    return 0;
  }

  clear(): void {
    this.cells.fill(0);
    this.count = 0;
    this.maxUs = 0;
  }
}
