// Real DPDK devices through the addon: two stacks in one process over memif, and what is said when a device cannot be had.
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { EVENT_TYPE_MESSAGE, EVENT_TYPE_OPENED } from '../../stack/abi.js';
import { loadNative, type StackId } from '../../stack/native.js';
import { RingApp, type TestEvent } from './ring-app.js';

const native = loadNative();
const it = suite('native memif');
const folder = mkdtempSync(join(tmpdir(), 'qstack-memif-'));

function stackOf(device: string, address: number): StackId {
  return native.createStack({
    device,
    descriptors: 512,
    ip: { address },
    tcp: { connections: 16, halfOpen: 16, timeWait: 16, busy: 16 },
    levels: 1,
    apps: 1,
    rxPackets: 2048,
    txPackets: 1024,
  });
}

it.before(() => native.startEal({}));
it.after(() => rmSync(folder, { recursive: true, force: true }));

it('EAL starts once per process', () => {
  assert.throws(() => native.startEal({}), /can be started only once/);
});

it('an unknown device is named in the error', () => {
  assert.throws(
    () => stackOf('net_nonsense0', 0x0a000001),
    (error: Error & { code: string }) => error.code === 'QST_ERR_DEVICE' && /net_nonsense0/.test(error.message),
  );
});

it('two stacks talk over memif, through threads of their own', async () => {
  const path = join(folder, 'private', 'socket');
  const server = stackOf(`memif:${path}?role=server`, 0x0a000001);
  const client = stackOf(`memif:${path}?role=client`, 0x0a000002);
  assert.is(statSync(join(folder, 'private')).mode & 0o777, 0o700);
  const serverApp = new RingApp(native, server);
  const clientApp = new RingApp(native, client);
  native.listen(server, { port: 80, framing: 'segment' });
  const profile = native.listen(client, { port: 0, framing: 'segment' });
  native.run(server, { name: 'memif-server' });
  native.run(client, { name: 'memif-client' });
  const deadline = Date.now() + 10_000;
  while (!native.counters(client).linkUp && Date.now() < deadline) await new Promise((done) => setTimeout(done, 10));
  assert.ok(native.counters(client).linkUp, 'the link comes up');
  clientApp.connect(0x0a000001, 80, profile, 1);
  let message: TestEvent | undefined;
  while (message === undefined && Date.now() < deadline) {
    for (const event of clientApp.drain()) {
      if (event.type === EVENT_TYPE_OPENED) clientApp.send(event, Buffer.from('over memif'));
    }
    message = serverApp.drain().find((event) => event.type === EVENT_TYPE_MESSAGE);
    await new Promise((done) => setTimeout(done, 1));
  }
  assert.is(Buffer.from(message?.bytes ?? []).toString(), 'over memif');
  native.destroy(client);
  native.destroy(server);
});

it.run();
