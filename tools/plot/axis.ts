// Axes of plots: where a value stands between the two ends, and which values are marked. In: the values to show. Out: shares
// from 0 (left, bottom) to 1, and marks with their texts. Nothing here knows of pixels or SVG.

export interface Mark {
  readonly share: number;
  readonly text: string;
}

export interface Axis {
  /** 0 … 1 within the ends; beyond them the end. */
  share(value: number): number;
  readonly marks: readonly Mark[];
}

export type Format = (value: number) => string;

function within(share: number): number {
  return Math.min(1, Math.max(0, share));
}

function axis(at: (value: number) => number, values: readonly number[], format: Format): Axis {
  const share = (value: number) => within(at(value));
  return { share, marks: values.map((value) => ({ share: share(value), text: format(value) })) };
}

/** 1, 2 or 5 times a power of ten, so that there are about five steps up to `max`. */
export function roundStep(max: number): number {
  const raw = max / 5;
  const power = 10 ** Math.floor(Math.log10(raw));
  return (raw / power > 5 ? 10 : raw / power > 2 ? 5 : raw / power > 1 ? 2 : 1) * power;
}

/** From 0 to the first round number that no value exceeds. */
export function linearAxis(values: readonly number[], format: Format): Axis {
  const highest = Math.max(...values, Number.MIN_VALUE);
  const step = highest === Number.MIN_VALUE ? 1 : roundStep(highest);
  const count = Math.max(1, Math.ceil(highest / step - 1e-9));
  const marks = Array.from({ length: count + 1 }, (_, index) => index * step);
  return axis((value) => value / (count * step), marks, format);
}

/** Steps that clocks show. */
const TIME_STEPS = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 21_600, 43_200, 86_400];
const TIME_MARKS = 6;

/** Seconds from `first` to `last`, marked at round times since `first`. */
export function timeAxis(first: number, last: number, format: Format): Axis {
  const length = Math.max(1, last - first);
  const step = TIME_STEPS.find((seconds) => length / seconds <= TIME_MARKS) ?? roundStep(length);
  const marks = Array.from({ length: Math.floor(length / step + 1e-9) + 1 }, (_, index) => first + index * step);
  return axis(
    (value) => (value - first) / length,
    marks,
    (value) => format(value - first),
  );
}

/** Steps of one decade, by how many decades there are to show. */
function stepsOf(decades: number): readonly number[] {
  return decades <= 1 ? [1, 2, 3, 5] : decades <= 3 ? [1, 3] : [1];
}

/** From a mark below the smallest value above 0 to one that no value exceeds. */
export function logAxis(values: readonly number[], format: Format): Axis {
  const positive = values.filter((value) => value > 0);
  const [low, high] = positive.length === 0 ? [1, 10] : [Math.min(...positive), Math.max(...positive)];
  const [first, last] = [Math.floor(Math.log10(low)), Math.floor(Math.log10(high)) + 1];
  const steps = stepsOf(last - first);
  const all = Array.from({ length: last - first + 1 }, (_, index) =>
    steps.map((step) => step * 10 ** (first + index)),
  ).flat();
  const from = all.filter((mark) => mark <= low).at(-1) as number;
  const to = all.find((mark) => mark >= high && mark > from) as number;
  const at = (value: number) => Math.log10(Math.max(value, from) / from) / Math.log10(to / from);
  return axis(
    at,
    all.filter((mark) => mark >= from && mark <= to),
    format,
  );
}

/** `50 %`, `90 %`, `99.987 %`: three digits of what is left to 100 %. */
export function percentText(share: number): string {
  const left = Number(((1 - share) * 100).toPrecision(3));
  return `${Number((100 - left).toPrecision(12))} %`;
}

/** As HdrHistogram's plotter has it: each nine is as far from the next one. `least` is the smallest distance from 1. */
export function percentileAxis(least: number): Axis {
  const nines = Math.max(1, Math.ceil(-Math.log10(Math.max(least, 1e-9)) - 1e-9));
  const marks = [0, 0.5, ...Array.from({ length: nines }, (_, index) => 1 - 10 ** -(index + 1))];
  return axis((share) => -Math.log10(Math.max(1 - share, 10 ** -nines)) / nines, marks, percentText);
}
