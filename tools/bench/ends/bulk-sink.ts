// The sink of `bulk` in TypeScript: the program around bulk-sink-app.ts.
// In: device, address, port, warm-up and window in ms, receive buffer. Out: "ready", and one line of JSON at its end.
import { setTimeout as sleep } from 'node:timers/promises';
import { start } from '../../../stack/start.js';
import type { BulkReport } from './bulk-sink-app.js';

const POLL_MS = 50;
const [device = '', hostIp = '', port = '0', warmUpMs = '300', windowMs = '1000', rcvbuf] = process.argv.slice(2);

const module = new URL('./bulk-sink-app.js', import.meta.url);
module.search = String(new URLSearchParams({ port, warmUpMs, windowMs }));
const config = { device, hostIp, port, maxConcurrency: 16, maxNumBuffers: 8_192 };
const stack = await start(module, rcvbuf === undefined ? config : { ...config, rcvbuf });
process.stdout.write('ready\n');

async function report(): Promise<BulkReport> {
  for (;;) {
    const [counts] = await stack.counts();
    const found = counts?.user.report as BulkReport | undefined;
    if (found?.ended === true) return found;
    await sleep(POLL_MS);
  }
}

const { amount, nanoseconds, busy_s } = await report();
const { p99Us } = stack.hiccups();
await stack.stop(100);
process.stdout.write(`${JSON.stringify({ amount, nanoseconds, busy_s, hiccup_p99_us: p99Us })}\n`);
