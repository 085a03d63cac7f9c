// `port`: raw frames there and back over the same memif as the other members use, without IP or TCP: the limit that they are
// divided by.
import { type Benchmark, type Context, interleaved, medianOf, type Result, type Sample } from './benchmark.js';
import { nativeEnd, withFolder } from './places.js';
import { End, type WindowReport } from './process.js';
import { rounded } from './statistics.js';

const LIMIT_MS = 20_000;
/** A request of 200 bytes behind the headers that TCP would have. */
const FRAME = 254;
const UNDER_WAY = [64, 512];

export function framesOverMemif({ seconds }: Context, underWay: number): Promise<Sample> {
  return withFolder(async (folder) => {
    const device = ['device=memif', `socket=${folder}/port.sock`];
    const echo = new End('the echo', nativeEnd('port-echo', 'address=10.78.0.1', ...device, 'role=server'));
    const shape = [`length=${FRAME}`, `under_way=${underWay}`, `window_ms=${Math.round(seconds * 1_000)}`];
    const load = new End<WindowReport>('the load', nativeEnd('port-load', 'address=10.78.0.2', ...device, ...shape));
    try {
      await echo.start();
      await load.start();
      const { amount, nanoseconds, busy_s, hiccup_p99_us = Number.NaN } = await load.report(seconds * 1_000 + LIMIT_MS);
      return {
        frames_per_s: (amount * 1e9) / nanoseconds,
        cpu_us_per_frame: (busy_s * 1e6) / amount,
        hiccup_p99_us,
      };
    } finally {
      await Promise.all([load.stop(), echo.stop()]);
    }
  });
}

async function measure(context: Context): Promise<Result> {
  const contenders = UNDER_WAY.map((n) => ({ name: `${n} frames under way`, run: () => framesOverMemif(context, n) }));
  const rows = await interleaved(contenders, context);
  const best = Math.max(...contenders.map(({ name }) => medianOf(rows, name, 'frames_per_s')));
  return {
    rows,
    values: { frames_per_s: rounded(best) },
    charts: [],
    notes: [`frames of ${FRAME} bytes; each counts once, when it is back`],
  };
}

export const port: Benchmark = { name: 'port', what: 'raw frames echoed over memif, without TCP', measure };
