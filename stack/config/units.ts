// Units: the one place where durations, rates, sizes, shares and counts are read from text.
// In: what a person wrote (`30s`, `5k/s`, `2GiB`, `5%`, `1_000_000`). Out: a number in the base unit, or undefined.
// Undefined means "not of this kind"; the caller says what it accepts, in its own sentence.

const DURATION_MS: Record<string, number> = { us: 0.001, ms: 1, s: 1_000, m: 60_000, min: 60_000, h: 3_600_000 };
const SIZE_BYTES: Record<string, number> = {
  B: 1,
  k: 1_000,
  K: 1_000,
  kB: 1_000,
  KB: 1_000,
  M: 1e6,
  MB: 1e6,
  G: 1e9,
  GB: 1e9,
  KiB: 2 ** 10,
  MiB: 2 ** 20,
  GiB: 2 ** 30,
  TiB: 2 ** 40,
};
const PERIOD_S: Record<string, number> = { s: 1, min: 60, m: 60, h: 3_600 };
const COUNT: Record<string, number> = { k: 1_000, K: 1_000, M: 1e6, G: 1e9 };
const NUMBER = '(\\d[\\d_]*(?:\\.\\d+)?)';

function split(text: string, pattern: RegExp): { value: number; unit: string } | undefined {
  const match = pattern.exec(text.trim());
  if (match === null) return undefined;
  const value = Number((match[1] ?? '').replaceAll('_', ''));
  return Number.isFinite(value) ? { value, unit: match[2] ?? '' } : undefined;
}

function scaled(text: string, units: Record<string, number>, bare: number | undefined): number | undefined {
  const parts = split(text, new RegExp(`^${NUMBER}\\s*([A-Za-z]*)$`));
  if (parts === undefined) return undefined;
  const factor = parts.unit === '' ? bare : Object.hasOwn(units, parts.unit) ? units[parts.unit] : undefined;
  return factor === undefined ? undefined : parts.value * factor;
}

/** Milliseconds of `30s`, `250ms`, `2m`, `1h`, `500us`. `bareMs` is what a number without a unit counts in, if it may stand. */
export function parseDurationMs(text: string, bareMs?: number): number | undefined {
  return scaled(text, DURATION_MS, bareMs);
}

/** Bytes of `2GiB`, `64KiB`, `1500`, `1500B`. */
export function parseSizeBytes(text: string): number | undefined {
  return scaled(text, SIZE_BYTES, 1);
}

/** Events per second of `5k/s`, `100000`, `300/min`. */
export function parseRatePerS(text: string): number | undefined {
  const [amount = '', per = 's', ...rest] = text.trim().split('/');
  const unit = per.trim();
  const seconds = Object.hasOwn(PERIOD_S, unit) ? PERIOD_S[unit] : undefined;
  const count = scaled(amount, COUNT, 1);
  return count === undefined || seconds === undefined || rest.length > 0 ? undefined : count / seconds;
}

/** A whole number: `14000000`, `14_000_000`, `14M`, `100k`. */
export function parseCount(text: string): number | undefined {
  const value = scaled(text, COUNT, 1);
  return value !== undefined && Number.isSafeInteger(value) ? value : undefined;
}

/** A share of one: `0.05` or `5%`. */
export function parseShare(text: string): number | undefined {
  const parts = split(text, new RegExp(`^${NUMBER}\\s*(%?)$`));
  if (parts === undefined) return undefined;
  const value = parts.unit === '%' ? parts.value / 100 : parts.value;
  return value <= 1 ? value : undefined;
}

/** `512 B`, `1.5 GiB`: for people, at most three digits. */
export function formatSize(bytes: number): string {
  const names = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  let step = 0;
  let value = bytes;
  while (value >= 1024 && step < names.length - 1) {
    value /= 1024;
    step += 1;
  }
  return `${step === 0 || value >= 100 ? Math.round(value) : Number(value.toPrecision(3))} ${names[step]}`;
}

/** `250 ms`, `30 s`, `2 min`. */
export function formatDuration(ms: number): string {
  if (ms > 0 && ms < 1) return `${Number((ms * 1_000).toPrecision(3))} us`;
  if (ms < 1_000) return `${Number(ms.toPrecision(3))} ms`;
  return ms < 120_000 ? `${Number((ms / 1_000).toPrecision(3))} s` : `${Number((ms / 60_000).toPrecision(3))} min`;
}
