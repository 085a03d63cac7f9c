// A line chart as one `<figure>`: an SVG that scales with its column, its key as text, and the values behind it for the
// script of the page (tools/report/script.ts), which writes them into the key where the pointer is.
// In: axes and series. Out: HTML. Colours are classes (`s0` … `s7`, `muted`), so that the page gives them for dark and light.
import type { Axis } from './axis.js';
import { escaped } from './text.js';

export interface Point {
  readonly x: number;
  readonly y: number;
  /** What the key says of it. */
  readonly text: string;
}

export interface Line {
  readonly name: string;
  /** `s0` … `s7`, `muted`; more of them, such as `dashed`. */
  readonly look: string;
  /** Ascending; undefined is a gap. */
  readonly points: readonly (Point | undefined)[];
}

export interface LineChart {
  readonly title: string;
  readonly x: Axis;
  readonly y: Axis;
  readonly lines: readonly Line[];
  /** Where something changes on the x axis: its value and what begins there, ascending. */
  readonly bounds?: readonly (readonly [x: number, name: string])[];
}

export const WIDTH = 480;
export const HEIGHT = 250;
const LEFT = 62;
const RIGHT = 24;
const TOP = 16;
const BOTTOM = 30;

const place = (value: number) => String(Number(value.toFixed(1)));

function left(share: number): number {
  return LEFT + share * (WIDTH - LEFT - RIGHT);
}

function top(share: number): number {
  return HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM);
}

function rows({ marks }: Axis): string[] {
  return marks.map(({ share, text }) => {
    const y = place(top(share));
    const line = `<line class="grid" x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${y}" y2="${y}"/>`;
    return `${line}<text x="${LEFT - 7}" y="${place(top(share) + 4)}" text-anchor="end">${escaped(text)}</text>`;
  });
}

/** Texts that would touch the one before are left out, in the larger letters of a narrow page too. */
function columns({ marks }: Axis): string[] {
  let free = 0;
  return marks.flatMap(({ share, text }) => {
    const [x, half] = [left(share), text.length * 4.2];
    const grid = `<line class="grid" x1="${place(x)}" x2="${place(x)}" y1="${TOP}" y2="${HEIGHT - BOTTOM}"/>`;
    const at = Math.min(x, WIDTH - half);
    if (at - half < free) return [grid];
    free = at + half + 6;
    return [grid, `<text x="${place(at)}" y="${HEIGHT - BOTTOM + 18}" text-anchor="middle">${escaped(text)}</text>`];
  });
}

/** The whole name where there is room for it up to the next bound, else its first word. */
function bounds({ x, bounds: all = [] }: LineChart): string[] {
  const ends = [...all.slice(1).map(([value]) => left(x.share(value))), WIDTH];
  return all.map(([value, name], index) => {
    const start = left(x.share(value));
    const room = ((ends[index] as number) - start) / 6.2;
    const text = name.length <= room ? name : (name.split(' ')[0] as string);
    const line = `<line class="bound" x1="${place(start)}" x2="${place(start)}" y1="${TOP}" y2="${HEIGHT - BOTTOM}"/>`;
    return `${line}<text class="bound" x="${place(start + 2)}" y="${TOP - 5}">${escaped(text)}</text>`;
  });
}

/** Runs of points without a gap. */
function pieces(points: Line['points']): Point[][] {
  const found: Point[][] = [[]];
  for (const point of points) {
    if (point === undefined) found.push([]);
    else found.at(-1)?.push(point);
  }
  return found.filter((piece) => piece.length > 0);
}

function drawn({ x, y }: LineChart, { look, points }: Line): string[] {
  return pieces(points).map((piece) => {
    const spots = piece.map((point) => [place(left(x.share(point.x))), place(top(y.share(point.y)))] as const);
    const [first] = spots;
    if (spots.length === 1 && first !== undefined) {
      return `<circle class="${look}" cx="${first[0]}" cy="${first[1]}" r="2.5"/>`;
    }
    return `<polyline class="${look}" points="${spots.map((spot) => spot.join(',')).join(' ')}"/>`;
  });
}

/** What the script needs: for each line where its points are, and what is said of them. */
function values({ x }: LineChart, lines: readonly Line[]): string {
  const data = lines.map(({ points }) => {
    const there = points.filter((point) => point !== undefined);
    return { x: there.map((point) => Number(place(left(x.share(point.x))))), text: there.map(({ text }) => text) };
  });
  return JSON.stringify(data).replaceAll('<', '\\u003c');
}

export function lineChart(chart: LineChart): string {
  const key = chart.lines.map(({ name, look }) => `<li><i class="${look}"></i>${escaped(name)} <output></output></li>`);
  return [
    `<figure class="chart"><figcaption>${escaped(chart.title)}</figcaption>`,
    `<svg viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="${escaped(chart.title)}" tabindex="0">`,
    ...rows(chart.y),
    ...columns(chart.x),
    ...bounds(chart),
    ...chart.lines.flatMap((line) => drawn(chart, line)),
    `<line class="cursor" y1="${TOP}" y2="${HEIGHT - BOTTOM}" x1="-9" x2="-9"/>`,
    '</svg>',
    `<ul class="key">${key.join('')}</ul>`,
    `<script type="application/json">${values(chart, chart.lines)}</script></figure>`,
  ].join('\n');
}
