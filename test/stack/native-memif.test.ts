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

function stackOf(device: string, address: number, stacks = 1): StackId {
  return native.createStack({
    device,
    descriptors: 512,
    ip: { address },
    tcp: { connections: 16, halfOpen: 16, timeWait: 16, busy: 16 },
    levels: 1,
    apps: 1,
    stacks,
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

/** What `look` finds within ten seconds. */
async function eventually(look: () => TestEvent | undefined): Promise<TestEvent> {
  for (const deadline = Date.now() + 10_000; Date.now() < deadline; await new Promise((done) => setTimeout(done, 1))) {
    const found = look();
    if (found !== undefined) return found;
  }
  throw new Error('nothing within 10 s');
}

it('two stacks share a memif: each of its connections is heard and answered by one of them', async () => {
  const path = join(folder, 'shared');
  const server = stackOf(`memif:${path}?role=server`, 0x0a000001, 2);
  const client = stackOf(`memif:${path}?role=client`, 0x0a000002);
  const ends = [0, 1].map((stack) => new RingApp(native, server, 0, stack));
  const clientApp = new RingApp(native, client);
  native.listen(server, { port: 80, framing: 'segment' });
  const profile = native.listen(client, { port: 0, framing: 'segment' });
  native.run(server, { name: 'memif-server' });
  native.run(client, { name: 'memif-client' });
  const heard = [0, 0];
  for (let number = 0; number < 12; number++) {
    clientApp.connect(0x0a000001, 80, profile, number);
    const opened = await eventually(() => clientApp.drain().find((event) => event.type === EVENT_TYPE_OPENED));
    clientApp.send(opened, Buffer.from(`message ${number}`));
    let stack = 0;
    const message = await eventually(() => {
      const found = ends.map((end) => end.drain().find((event) => event.type === EVENT_TYPE_MESSAGE));
      stack = found[0] === undefined ? 1 : 0;
      return found[stack];
    });
    heard[stack] = (heard[stack] ?? 0) + 1;
    ends[stack]?.send(message, message.bytes);
    const answer = await eventually(() => clientApp.drain().find((event) => event.type === EVENT_TYPE_MESSAGE));
    assert.is(Buffer.from(answer.bytes).toString(), `message ${number}`);
  }
  assert.ok(
    heard.every((count) => count > 0),
    `${heard}`,
  );
  const { counters, device } = native.counters(server);
  assert.is(counters.connections_open, 12);
  assert.ok((device.steered ?? 0) > 0);
  native.destroy(client);
  native.destroy(server);
});

/** Naps of 500 µs are four times as many in a fifth of a second. Control's own looks count with it. */
const FEW_TURNS = 100;

/** Waits until a stack that nothing comes to takes few turns: it sleeps, and does not nap. */
async function comesToRest(stack: StackId): Promise<void> {
  const turns = () => native.counters(stack).counters.turns ?? 0;
  const seen: number[] = [];
  for (const deadline = Date.now() + 20_000; Date.now() < deadline; ) {
    const before = turns();
    await new Promise((done) => setTimeout(done, 200));
    seen.push(turns() - before);
    if ((seen.at(-1) as number) < FEW_TURNS) return;
  }
  assert.unreachable(`turns in 200 ms: ${seen.join(', ')}`);
}

for (const drives of [false, true]) {
  it(`an idle stack over memif sleeps, ${drives ? 'driven by its app' : 'in a thread of its own'}, and is woken`, async () => {
    const path = join(folder, `sleep-${drives}`);
    const server = stackOf(`memif:${path}?role=server`, 0x0a000001);
    const client = stackOf(`memif:${path}?role=client`, 0x0a000002);
    const serverApp = new RingApp(native, server);
    const clientApp = new RingApp(native, client);
    native.listen(server, { port: 80, framing: 'segment' });
    const profile = native.listen(client, { port: 0, framing: 'segment' });
    const heard: TestEvent[] = [];
    const onTurn = () => {
      heard.push(...serverApp.drain());
      return false;
    };
    const poller = native.createPoller({ stack: server, app: 0, drive: drives, onTurn });
    if (!drives) native.run(server, { name: 'memif-server' });
    native.run(client, { name: 'memif-client' });
    for (let number = 0; number < 3; number++) {
      clientApp.connect(0x0a000001, 80, profile, number);
      const opened = await eventually(() => clientApp.drain().find((event) => event.type === EVENT_TYPE_OPENED));
      await comesToRest(server);
      clientApp.send(opened, Buffer.from(`message ${number}`));
      const message = await eventually(() => heard.find((event) => event.type === EVENT_TYPE_MESSAGE));
      assert.is(Buffer.from(message.bytes).toString(), `message ${number}`);
      heard.length = 0;
    }
    poller.close();
    native.destroy(client);
    native.destroy(server);
  });
}

it.run();
