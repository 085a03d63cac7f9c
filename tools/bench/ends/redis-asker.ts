// The program around redis-asker-app.ts. In: device, Redis socket, client, how many handlers, warm-up and window in ms.
// Out: "ready", and one line of JSON: answers in the window, which is so many times as long on a machine that stood still all through it.
import { setTimeout as sleep } from 'node:timers/promises';
import { start } from '../../../stack/start.js';
import { machineBusySeconds } from '../machine.js';
import type { WindowReport } from '../process.js';

const [device = '', socket = '', client = '', underWay = '1', warmUpMs = '0', windowMs = '0'] = process.argv.slice(2);
const module = new URL('./redis-asker-app.js', import.meta.url);
module.search = String(new URLSearchParams({ client, socket, underWay }));
const stack = await start(module, { device, hostIp: '10.78.0.1/24', redis: socket, maxNumBuffers: 2_048 });

interface Tick {
  readonly answered: number;
  readonly atMs: number;
  readonly busyS: number;
}

async function tick(): Promise<Tick> {
  const user = (await stack.counts())[0]?.user;
  if (user === undefined) throw new Error('the app thread has ended');
  return { ...(user as { answered: number; atMs: number }), busyS: machineBusySeconds() };
}

process.stdout.write('ready\n');
await sleep(Number(warmUpMs));
const first = await tick();
let last: Tick;
do {
  await sleep(Number(windowMs));
  last = await tick();
} while (last.answered === first.answered);
const report: WindowReport = {
  amount: last.answered - first.answered,
  nanoseconds: (last.atMs - first.atMs) * 1e6,
  busy_s: last.busyS - first.busyS,
};
await stack.stop(0);
process.stdout.write(`${JSON.stringify(report)}\n`);
process.exit(0);
