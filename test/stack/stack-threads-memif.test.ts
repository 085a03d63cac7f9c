// A server of two stack threads on a device of one queue: memif, whose frames the first thread polls for both.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { type Connection, fixed, inline, serve, start } from '../../index.js';
import { Log } from '../../stack/log.js';
import { CLIENT_ADDRESS, SERVER_ADDRESS } from '../../stack/testing.js';

const CONNECTIONS = 20;
const METRICS_PAGE = readFileSync(new URL('../../../docs/metrics.md', import.meta.url), 'utf8');
const it = suite('stack threads over memif');
const log = new Log({ level: 'silent' });
const folder = mkdtempSync(join(tmpdir(), 'qstack-memif-'));
it.after(() => rmSync(folder, { recursive: true, force: true }));

it('every message of every connection is answered', async () => {
  const path = join(folder, 'private', 'socket');
  const base = { max_concurrency: 500, log_level: 'silent', drain_timeout: '1s' };
  const module = new URL('./fixtures/echo.js', import.meta.url);
  const config = { ...base, host_ip: `${SERVER_ADDRESS}/24`, device: `memif:${path}?server`, stack_thread: 2 };
  await using server = await start(module, config, { log });
  await using peer = await inline(
    serve({ levels: ['normal'], setup() {} }),
    { ...base, host_ip: `${CLIENT_ADDRESS}/24`, device: `memif:${path}?client` },
    { log },
  );
  const connections: Connection<'normal'>[] = [];
  for (let i = 0; i < CONNECTIONS; i++) {
    connections.push(await peer.app.connect({ address: SERVER_ADDRESS, port: 7, framing: fixed(8) }));
  }
  for (let i = 0; i < 20; i++) {
    for (const connection of connections) connection.send(Uint8Array.of(i & 1, 0, 0, 0, 0, 0, 0, i));
  }
  for (const connection of connections) {
    const seen: number[] = [];
    for (let i = 0; i < 20; i++) seen.push((await connection.receive())?.u8(7) ?? -1);
    assert.equal(
      seen.sort((a, b) => a - b),
      [...new Array(20).keys()],
    );
  }
  const { counters, device } = server.counters();
  assert.equal([counters.connections_opened, counters.bad_records], [CONNECTIONS, 0]);
  assert.ok((device.steered ?? 0) > 0 && (device.steer_forwarded ?? 0) > 0, JSON.stringify(device));
  const documented = [...METRICS_PAGE.matchAll(/^\| `qstack_device_total\{counter="(\w+)"\}` \| .+ \|$/gm)];
  const names = documented.map(([, name = '']) => name).filter((name) => !name.startsWith('mirror_'));
  assert.equal(names.sort(), Object.keys(device).sort());
});

it.run();
