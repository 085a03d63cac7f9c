// The program around echo-through-us.ts. In: address, port, bytes, and keys of the configuration as `key=value`. Out: the line
// `on the air`, then its report and what the stack counted, as JSON.
import { start } from '../../../stack/start.js';
import type { ClientReport } from './echo-through-us.js';

const LIMIT_MS = 30_000;
const [address = '', port = '', bytes = '', ...keys] = process.argv.slice(2);
const module = new URL('./echo-through-us.js', import.meta.url);
module.search = String(new URLSearchParams({ address, port, bytes }));
const config = Object.fromEntries(keys.map((text) => text.split(/=(.*)/s).slice(0, 2) as [string, string]));

const stack = await start(module, { port: 1, ...config });
process.stderr.write('on the air\n');
const deadline = Date.now() + LIMIT_MS;
let report: ClientReport | undefined;
while (report?.sent === undefined && report?.fault === undefined && Date.now() < deadline) {
  await new Promise((done) => setTimeout(done, 50));
  const [counts] = await stack.counts();
  report = counts?.user.report as ClientReport;
}
const { counters, fault: faults } = stack.counters();
await stack.stop(100);
process.stdout.write(JSON.stringify({ ...report, counters, faults }));
