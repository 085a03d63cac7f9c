// The program monitor where something happens while it watches: the table on a terminal, and HCMonitor's command line, word for
// word, beside a kernel's web server on a veth pair (root; skipped without).
// watchdog: 240s
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Namespace } from '../../tools/bench/namespaces.js';
import { Command, Program } from '../apps/program.js';
import { capture, iotConversation } from './monitor-frames.js';

const BIN = fileURLToPath(new URL('../../../bin/monitor.mjs', import.meta.url));
const LINK = 'qmon0';
const REQUESTS = 5;
const WEB_SERVER = `
  require('node:http').createServer((request, response) => response.end('here')).listen(80, '10.9.1.1',
    () => console.log('serving'))`;

const live = suite('monitor while something happens');

live('on a terminal the table of the last second and of all is drawn again over the one before, each second', () => {
  const folder = mkdtempSync(join(tmpdir(), 'qstack-monitor-live-'));
  try {
    const path = join(folder, 'iot.pcap');
    writeFileSync(path, capture(iotConversation(2_500)));
    // script(1) gives it a terminal.
    const command = `'${process.execPath}' '${BIN}' --pcap '${path}' --iot --shards 1`;
    const { status, stdout } = spawnSync('script', ['-qec', command, '/dev/null'], {
      encoding: 'utf8',
      timeout: 60_000,
    });
    assert.is(status, 0, stdout);
    const tables = stdout.split('last second').slice(1);
    assert.ok(tables.length >= 3, stdout);
    for (const table of tables)
      assert.match(table, /│ high +│.*│ low +│.*\nall\r?\n.*│ high +│.*frames [\d,]+ lost 0/s);
    const lines = (tables[0] ?? '').split('\n').length - 1;
    assert.ok(stdout.includes(`\u001b[${lines}A\u001b[0J`), `${lines} lines: ${JSON.stringify(stdout)}`);
    // All of it, in the last table.
    assert.match((tables.at(-1) ?? '').split('\nall')[1] ?? '', /│ high +│ +1,250 │ +1,250 │/);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

async function watchWebServer(client: Namespace, server: Namespace): Promise<string> {
  client.joinTo(server, LINK);
  client.giveAddress(LINK, '10.9.1.2');
  server.giveAddress(LINK, '10.9.1.1');
  const [file = '', ...inside] = server.command(process.execPath, '-e', WEB_SERVER);
  const web = new Command('web server', [file, ...inside]);
  await web.said('serving');
  const monitor = new Program('tools/monitor/main.js', '-c fff -n3 -- -p1'.split(' '), server.command());
  try {
    await monitor.said('watching');
    for (let i = 0; i < REQUESTS; i += 1) client.run('curl', '-sS', '--max-time', '30', 'http://10.9.1.1/');
    assert.is(await monitor.stop('SIGINT'), 0, monitor.err);
    assert.match(monitor.err, new RegExp(`watching ${LINK}, port 80, .*chosen by -p`));
    return monitor.out;
  } finally {
    await monitor.stop('SIGKILL');
    await web.stop('SIGKILL');
  }
}

const missing = Namespace.missing();
const add = missing === undefined ? live : live.skip;

add('monitor -c fff -n3 -- -p1, as HCMonitor is started, watches the first interface', async () => {
  const namespaces: Namespace[] = [];
  try {
    namespaces.push(Namespace.make(), Namespace.make());
    const out = await watchWebServer(namespaces[0] as Namespace, namespaces[1] as Namespace);
    assert.match(out, new RegExp(`│ all +│ +${REQUESTS} │ +${REQUESTS} │`));
  } finally {
    for (const namespace of namespaces) namespace.remove();
  }
});

live.run();
