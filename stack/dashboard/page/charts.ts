// Charts: lines over time, and one over percentiles, drawn by uPlot. In: series with their numbers. Out: canvases.
// A chart is made again when its series, its colours or its axis change, and else only given new numbers.
import { color } from './theme.js';

export interface Line {
  name: string;
  color: string;
  dashed?: boolean;
  width?: number;
  values: (number | null)[];
}

export interface ChartOptions {
  format: (value: number) => string;
  logarithmic?: boolean;
  height?: number;
  /** A part of the x axis was chosen; undefined for all of it. */
  onZoom?: (from: number, to: number) => void;
  onZoomOut?: () => void;
  /** Default: the x axis is time. */
  xValues?: (xs: number[]) => string[];
  xSplits?: number[];
}

const LEGEND_LINES_MAX = 12;

export class Chart {
  private plot: uPlot | null = null;
  private shape = '';
  private readonly host: HTMLElement;
  private readonly options: ChartOptions;

  constructor(host: HTMLElement, options: ChartOptions) {
    this.host = host;
    this.options = options;
    new ResizeObserver(() => this.fit()).observe(host);
  }

  private fit(): void {
    const width = this.host.clientWidth;
    if (width > 0 && this.plot !== null) this.plot.setSize({ width, height: this.height });
  }

  private get height(): number {
    return this.options.height ?? 220;
  }

  /** Drawn again from nothing: colours have changed. */
  forget(): void {
    this.shape = '';
  }

  show(xs: number[], lines: readonly Line[], range?: { from: number; to: number }): void {
    const shape = lines.map(({ name, color: stroke }) => `${name} ${stroke}`).join('|');
    const data = [xs, ...lines.map(({ values }) => values)] as uPlot.AlignedData;
    if (this.plot === null || shape !== this.shape) this.make(shape, lines, data);
    else this.plot.setData(data, false);
    const [first, last] = [xs[0] ?? 0, xs.at(-1) ?? 1];
    // Sets the x axis, and with it y anew.
    const { plot } = this;
    plot?.setScale('x', range === undefined ? { min: first, max: last } : { min: range.from, max: range.to });
    // Nobody points at anything: the legend says what is now.
    if (plot !== null && plot.cursor.left !== undefined && plot.cursor.left < 0) plot.setLegend({ idx: xs.length - 1 });
  }

  private make(shape: string, lines: readonly Line[], data: uPlot.AlignedData): void {
    this.plot?.destroy();
    this.shape = shape;
    const width = this.host.clientWidth || 320;
    this.plot = new uPlot({ width, height: this.height, ...this.settings(lines) }, data, this.host);
    this.plot.over.addEventListener('dblclick', () => this.options.onZoomOut?.());
  }

  private settings(lines: readonly Line[]): Omit<uPlot.Options, 'width' | 'height'> {
    const { format, xValues, logarithmic, onZoom } = this.options;
    return {
      ms: 1e-3,
      legend: { show: lines.length <= LEGEND_LINES_MAX },
      cursor: { drag: { x: onZoom !== undefined, y: false, setScale: false }, points: { size: 6 } },
      scales: {
        x: { time: xValues === undefined, auto: false },
        y: { distr: logarithmic ? 3 : 1, range: logarithmic ? logRange : linearRange },
      },
      axes: [this.xAxis(), this.yAxis()],
      series: [
        xValues === undefined
          ? { value: (_plot, x) => (x === null ? '–' : clock(x)) }
          : { label: 'percentile', value: (_plot, x) => (x === null ? '–' : (xValues([x])[0] ?? '')) },
        ...lines.map((line) => ({
          label: line.name,
          stroke: line.color,
          width: line.width ?? 1.6,
          ...(line.dashed ? { dash: [5, 4] } : {}),
          points: { show: false },
          spanGaps: false,
          value: (_plot: uPlot, value: number | null) => (value === null ? '–' : format(value)),
        })),
      ],
      hooks: {
        setSelect: [
          (plot) => {
            const { left, width } = plot.select;
            if (width > 5) onZoom?.(plot.posToVal(left, 'x'), plot.posToVal(left + width, 'x'));
            plot.setSelect({ left: 0, width: 0, top: 0, height: 0 }, false);
          },
        ],
      },
    };
  }

  private xAxis(): uPlot.Axis {
    const { xValues, xSplits } = this.options;
    const axis = {
      stroke: color('dim'),
      grid: { stroke: color('grid'), width: 1 },
      ticks: { show: false },
      font: FONT,
      size: 32,
    };
    if (xValues === undefined) return { ...axis, space: 70, values: (_plot, xs) => xs.map(clock) };
    return {
      ...axis,
      values: (_plot, xs) => xValues(xs),
      ...(xSplits === undefined
        ? {}
        : { splits: (_plot, _axis, min, max) => xSplits.filter((x) => x >= min && x <= max) }),
    };
  }

  private yAxis(): uPlot.Axis {
    const { format, logarithmic } = this.options;
    return {
      stroke: color('dim'),
      grid: { stroke: color('grid'), width: 1 },
      ticks: { show: false },
      font: FONT,
      size: 62,
      values: (_plot, ys) => ys.map((y) => (y === null || (logarithmic && !isDecade(y)) ? '' : format(y))),
    };
  }
}

const FONT = '11px system-ui, sans-serif';

function isDecade(value: number): boolean {
  return Math.abs(Math.log10(value) - Math.round(Math.log10(value))) < 1e-6;
}

function clock(seconds: number): string {
  return new Date(seconds * 1_000).toLocaleTimeString('en-GB');
}

/** Whole decades around what is there. */
function logRange(_plot: uPlot, min: number | null, max: number | null): uPlot.Range.MinMax {
  const low = 10 ** Math.floor(Math.log10(Math.max(min ?? 1, 0.01)));
  return [low, Math.max(low * 10, 10 ** Math.ceil(Math.log10(Math.max(max ?? 10, 0.1))))];
}

function linearRange(_plot: uPlot, _min: number | null, max: number | null): uPlot.Range.MinMax {
  return [0, max === null || max <= 0 ? 1 : max * 1.08];
}
