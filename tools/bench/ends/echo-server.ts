// The program around echo-app.ts. In: device, address, port, connections, and how long TIME-WAIT is. Out: "ready"; after SIGTERM
// an object that names what its stack thread's hiccups were.
import { start } from '../../../stack/start.js';

const [device = '', hostIp = '', port = '0', connections = '1', tcpTimewait = '60s'] = process.argv.slice(2);
const module = new URL('./echo-app.js', import.meta.url);
module.search = String(new URLSearchParams({ port }));
const maxConcurrency = Number(connections) + 512;
const stack = await start(module, { device, hostIp, port, maxConcurrency, maxNumBuffers: 32_768, tcpTimewait });
process.stdout.write('ready\n');
process.once('SIGTERM', async () => {
  const { p99Us } = stack.hiccups();
  await stack.stop(0);
  process.stdout.write(`${JSON.stringify({ hiccup_p99_us: p99Us })}\n`);
  process.exit(0);
});
