// Line charts as SVG text, without a browser: series of points, both axes with round numbers, x optionally logarithmic.
import { roundStep } from '../plot/axis.js';
import { escaped } from '../plot/text.js';

export interface Series {
  readonly name: string;
  readonly points: readonly (readonly [x: number, y: number])[];
}

export interface Chart {
  /** Becomes the file's name. */
  readonly name: string;
  readonly title: string;
  readonly x: string;
  readonly y: string;
  readonly logarithmicX?: boolean;
  /** From the power of ten below the smallest value to that above the largest. */
  readonly logarithmicY?: boolean;
  /** Texts of the x axis in place of numbers: that of 0, of 1, and so on. */
  readonly ticks?: readonly string[];
  readonly series: readonly Series[];
}

const WIDTH = 640;
const HEIGHT = 400;
const LEFT = 70;
const RIGHT = 20;
const TOP = 40;
const BOTTOM = 90;
const COLOURS = ['#1f6feb', '#d1242f', '#1a7f37', '#9a6700', '#8250df', '#57606a'];

function text(x: number, y: number, what: string, more = 'text-anchor="middle"'): string {
  return `<text x="${x.toFixed(1)}" y="${y.toFixed(1)}" ${more}>${escaped(what)}</text>`;
}

/** `1024` as `1 Ki`, `65536` as `64 Ki`: axes of sizes are powers of two. */
export function shortNumber(value: number): string {
  if (value >= 2 ** 20 && value % 2 ** 20 === 0) return `${value / 2 ** 20} Mi`;
  if (value >= 1_024 && value % 1_024 === 0) return `${value / 1_024} Ki`;
  return Number(value.toPrecision(6)).toLocaleString('en-US');
}

/** The values at which the y axis has lines, the first and the last of which are its ends. */
function gridOf(chart: Chart): number[] {
  const values = chart.series.flatMap(({ points }) => points.map(([, y]) => y));
  if (chart.logarithmicY) {
    const positive = values.filter((y) => y > 0);
    const low = Math.floor(Math.log10(Math.min(...positive, 1e9)));
    const high = Math.max(low + 1, Math.ceil(Math.log10(Math.max(...positive, Number.MIN_VALUE))));
    return Array.from({ length: high - low + 1 }, (_, index) => 10 ** (low + index));
  }
  const highest = Math.max(...values, Number.MIN_VALUE);
  const step = roundStep(highest);
  return Array.from({ length: Math.ceil(highest / step) + 1 }, (_, index) => index * step);
}

class Plot {
  private readonly xs: readonly number[];
  private readonly grid: readonly number[];
  private readonly chart: Chart;

  /** A point without a figure is none. */
  constructor(chart: Chart) {
    const series = chart.series.map((one) => ({ ...one, points: one.points.filter(([, y]) => Number.isFinite(y)) }));
    this.chart = { ...chart, series };
    const points = chart.series.flatMap((series) => series.points);
    this.xs = [...new Set(points.map(([x]) => x))].sort((a, b) => a - b);
    this.grid = gridOf(this.chart);
  }

  x(value: number): number {
    const scale = (v: number) => (this.chart.logarithmicX ? Math.log2(v) : v);
    const [low, high] = [scale(this.xs[0] ?? 0), scale(this.xs.at(-1) ?? 1)];
    return LEFT + ((scale(value) - low) / (high - low || 1)) * (WIDTH - LEFT - RIGHT);
  }

  y(value: number): number {
    const [low = 0, high = 1] = [this.grid[0], this.grid.at(-1)];
    const scale = (v: number) => (this.chart.logarithmicY ? Math.log10(Math.max(v, low)) : v);
    const share = (scale(value) - scale(low)) / (scale(high) - scale(low));
    return HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM);
  }

  axes(): string[] {
    const rows = this.grid.flatMap((value) => {
      const y = this.y(value);
      const line = `<line x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${y.toFixed(1)}" y2="${y.toFixed(1)}" stroke="#d0d7de"/>`;
      return [line, text(LEFT - 8, y + 4, shortNumber(value), 'text-anchor="end"')];
    });
    const label = (x: number) => this.chart.ticks?.[x] ?? shortNumber(x);
    return [...rows, ...this.xs.map((x) => text(this.x(x), HEIGHT - BOTTOM + 18, label(x)))];
  }

  lines(): string[] {
    return this.chart.series.flatMap(({ points }, index) => {
      const colour = COLOURS[index % COLOURS.length];
      const path = points.map(([x, y]) => `${this.x(x).toFixed(1)},${this.y(y).toFixed(1)}`).join(' ');
      const dots = points.map(
        ([x, y]) => `<circle cx="${this.x(x).toFixed(1)}" cy="${this.y(y).toFixed(1)}" r="3" fill="${colour}"/>`,
      );
      return [`<polyline points="${path}" fill="none" stroke="${colour}" stroke-width="2"/>`, ...dots];
    });
  }

  legend(): string[] {
    const room = (WIDTH - LEFT - RIGHT) / this.chart.series.length;
    return this.chart.series.flatMap(({ name }, index) => {
      const x = LEFT + index * room;
      const square = `<rect x="${x.toFixed(1)}" y="${HEIGHT - 24}" width="12" height="12" fill="${COLOURS[index % COLOURS.length]}"/>`;
      return [square, text(x + 18, HEIGHT - 14, name, 'text-anchor="start"')];
    });
  }
}

export function chartSvg(chart: Chart): string {
  const plot = new Plot(chart);
  const middle = (HEIGHT - BOTTOM + TOP) / 2;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" font-family="sans-serif" font-size="12">`,
    `<title>${escaped(chart.title)}: ${escaped(chart.y)} over ${escaped(chart.x)}</title>`,
    `<rect width="${WIDTH}" height="${HEIGHT}" fill="#ffffff"/>`,
    text(WIDTH / 2, 22, chart.title, 'text-anchor="middle" font-size="15"'),
    ...plot.axes(),
    text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - BOTTOM + 40, chart.x),
    text(16, middle, chart.y, `text-anchor="middle" transform="rotate(-90 16 ${middle})"`),
    ...plot.lines(),
    ...plot.legend(),
    '</svg>',
    '',
  ].join('\n');
}
