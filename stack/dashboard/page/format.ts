// Format: figures as people read them: at most three digits and a unit. In: numbers. Out: text.

function short(value: number): string {
  return String(Number(value.toPrecision(3)));
}

/** `850 ns`, `21.4 µs`, `3.2 ms`, `1.5 s`. */
export function formatUs(us: number | null | undefined): string {
  if (us === null || us === undefined || !Number.isFinite(us)) return '–';
  if (us >= 1e6) return `${short(us / 1e6)} s`;
  if (us >= 1e3) return `${short(us / 1e3)} ms`;
  return us >= 1 || us === 0 ? `${short(us)} µs` : `${short(us * 1e3)} ns`;
}

/** `12`, `1,234`, `12.3 k`, `10.4 M`. */
export function formatCount(count: number | null | undefined): string {
  if (count === null || count === undefined || !Number.isFinite(count)) return '–';
  if (Math.abs(count) >= 1e9) return `${short(count / 1e9)} G`;
  if (Math.abs(count) >= 1e6) return `${short(count / 1e6)} M`;
  if (Math.abs(count) >= 1e4) return `${short(count / 1e3)} k`;
  return (Math.abs(count) >= 100 ? Math.round(count) : Number(count.toPrecision(3))).toLocaleString('en-US');
}

export function formatBytes(bytes: number | undefined): string {
  if (bytes === undefined) return '–';
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  const step = Math.min(units.length - 1, bytes < 1 ? 0 : Math.floor(Math.log2(bytes) / 10));
  return `${short(bytes / 1_024 ** step)} ${units[step]}`;
}

export function formatShare(share: number): string {
  return `${share >= 0.1 || share === 0 ? Math.round(share * 100) : (share * 100).toFixed(1)} %`;
}

/** `2 d 3 h`, `4 h 5 min`, `6 min`, `7 s`. */
export function formatAge(seconds: number): string {
  const [days, hours] = [Math.floor(seconds / 86_400), Math.floor(seconds / 3_600) % 24];
  const minutes = Math.floor(seconds / 60) % 60;
  if (days > 0) return `${days} d ${hours} h`;
  if (hours > 0) return `${hours} h ${minutes} min`;
  return minutes > 0 ? `${minutes} min` : `${Math.floor(seconds)} s`;
}
