// The native poller: when it enters JavaScript, when it sleeps, what wakes it, and how it ends.
import { execFileSync } from 'node:child_process';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import {
  APP_LINE_DEADLINE_SET_U32,
  APP_LINE_DEADLINE_U32,
  APP_LINE_QUIET_LEVELS_U32,
  APP_LINE_STAMP_U32,
  APP_LINE_WANT_BUFFERS_U32,
  EVENT_TYPE_MESSAGE,
  EVENT_TYPE_OPENED,
} from '../../stack/abi.js';
import { loadNative, type NativePoller, nativePaths, type PollerOptions, type StackId } from '../../stack/native.js';
import { RingApp, type TestEvent } from './ring-app.js';

const native = loadNative();
const it = suite('poller');
let pairs = 0;
const stacks: StackId[] = [];
const pollers: NativePoller[] = [];

function stackOf(ring: string, side: 0 | 1): StackId {
  return native.createStack({
    device: { ring, side },
    ip: { address: 0x0a000001 + side },
    tcp: { connections: 16, halfOpen: 16, timeWait: 16, busy: 16 },
    levels: 2,
    apps: 1,
    rxPackets: 128,
    txPackets: 128,
  });
}

function pair(): [StackId, StackId] {
  const name = `poller${pairs++}`;
  stacks.push(stackOf(name, 0), stackOf(name, 1));
  return [stacks[0]!, stacks[1]!];
}

function createPoller(options: PollerOptions): NativePoller {
  const poller = native.createPoller(options);
  pollers.push(poller);
  return poller;
}

it.after.each(() => {
  for (const poller of pollers.splice(0)) poller.close();
  for (const stack of stacks.splice(0)) native.destroy(stack);
});

const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

async function eventually(condition: () => boolean, what: string): Promise<void> {
  const deadline = Date.now() + 5000;
  while (!condition()) {
    if (Date.now() > deadline) throw new Error(`${what}: not within 5 s`);
    await sleep(1);
  }
}

it('two driven stacks in one thread: a question is answered without any call from outside', async () => {
  const [server, client] = pair();
  const serverApp = new RingApp(native, server);
  const clientApp = new RingApp(native, client);
  let answer = '';
  const serverPoller = createPoller({
    stack: server,
    app: 0,
    drive: true,
    onTurn() {
      for (const event of serverApp.drain()) {
        if (event.type === EVENT_TYPE_MESSAGE) serverApp.send(event, Buffer.from(`${Buffer.from(event.bytes)}!`));
      }
      return false;
    },
  });
  createPoller({
    stack: client,
    app: 0,
    drive: true,
    onTurn() {
      for (const event of clientApp.drain()) {
        if (event.type === EVENT_TYPE_OPENED) clientApp.send(event, Buffer.from('hello'));
        if (event.type === EVENT_TYPE_MESSAGE) answer = Buffer.from(event.bytes).toString();
      }
      return false;
    },
  });
  native.listen(server, { port: 80, framing: 'segment' });
  clientApp.connect(0x0a000001, 80, native.listen(client, { port: 0, framing: 'segment' }), 1);
  await eventually(() => answer === 'hello!', 'the answer');
  assert.ok(serverPoller.stats().stackTurns > 0);
  await sleep(50);
  const { entered } = serverPoller.stats();
  await sleep(50);
  assert.is(serverPoller.stats().entered, entered, 'idle turns do not enter JavaScript');
});

it('a poller sleeps when its stack thread has nothing for it, and is woken when it has', async () => {
  const [server, client] = pair();
  const serverApp = new RingApp(native, server);
  const clientApp = new RingApp(native, client);
  const events: TestEvent[] = [];
  native.listen(server, { port: 80, framing: 'segment' });
  const profile = native.listen(client, { port: 0, framing: 'segment' });
  const poller = createPoller({
    stack: server,
    app: 0,
    onTurn() {
      events.push(...serverApp.drain());
      return false;
    },
  });
  native.run(server, { name: 'poller-test', poll: 'sleep' });
  native.run(client, { name: 'poller-peer', poll: 'sleep' });
  await eventually(() => poller.stats().sleeps > 0, 'sleeping');
  clientApp.connect(0x0a000001, 80, profile, 1);
  let opened: TestEvent | undefined;
  await eventually(() => {
    opened ??= clientApp.drain().find((event) => event.type === EVENT_TYPE_OPENED);
    return opened !== undefined;
  }, 'the connection');
  // A message that comes while this test's own timer has the loop awake is found without a wake-up: send until one is needed.
  const { wakeups } = poller.stats();
  for (let tries = 0; tries < 200 && poller.stats().wakeups === wakeups; tries++) {
    clientApp.send(opened!, Buffer.from('x'));
    await sleep(10);
  }
  assert.ok(poller.stats().wakeups > wakeups);
  assert.ok(events.some((event) => event.type === EVENT_TYPE_MESSAGE));
});

it('JavaScript is entered at the deadline that it asked for, once, with a fresh stamp', async () => {
  const [server] = pair();
  const app = new RingApp(native, server);
  const stamps: number[] = [];
  const _poller = createPoller({
    stack: server,
    app: 0,
    onTurn() {
      stamps.push(app.u32[app.lineWord(APP_LINE_STAMP_U32)]!);
      return false;
    },
  });
  await eventually(() => stamps.length === 1, 'the first turn');
  const start = native.stamp();
  const wanted = (start + 30_000_000 / 64) >>> 0;
  app.u32[app.lineWord(APP_LINE_DEADLINE_U32)] = wanted;
  app.u32[app.lineWord(APP_LINE_DEADLINE_SET_U32)] = 1;
  await eventually(() => stamps.length === 2, 'the deadline');
  assert.ok((stamps[1]! - wanted) >> 0 >= 0, 'not before the deadline');
  assert.is(app.u32[app.lineWord(APP_LINE_DEADLINE_SET_U32)], 0);
  await sleep(20);
  assert.is(stamps.length, 2);
});

it('a turn that returns true is followed by another at once', async () => {
  const [server] = pair();
  let turns = 0;
  const poller = createPoller({ stack: server, app: 0, onTurn: () => ++turns < 10 });
  await eventually(() => turns === 10, 'ten turns');
  await sleep(10);
  assert.is(turns, 10);
  poller.kick();
  await eventually(() => turns === 11, 'the kicked turn');
});

it('quiet levels and unwanted buffers are no reason to enter JavaScript', async () => {
  const [server, client] = pair();
  const app = new RingApp(native, server);
  let turns = 0;
  native.turn(server);
  const poller = createPoller({
    stack: server,
    app: 0,
    onTurn() {
      turns++;
      return false;
    },
  });
  await sleep(10);
  assert.is(turns, 1, 'the empty ring is full, and nobody asked for buffers');
  app.u32[app.lineWord(APP_LINE_WANT_BUFFERS_U32)] = 1;
  poller.kick();
  await eventually(() => turns > 5, 'turns for buffers');
  app.u32[app.lineWord(APP_LINE_WANT_BUFFERS_U32)] = 0;
  native.listen(server, { port: 80, framing: 'segment' });
  const clientApp = new RingApp(native, client);
  app.u32[app.lineWord(APP_LINE_QUIET_LEVELS_U32)] = 1;
  await sleep(5);
  const before = turns;
  clientApp.connect(0x0a000001, 80, native.listen(client, { port: 0, framing: 'segment' }), 1);
  for (let i = 0; i < 20; i++) {
    native.turn(client);
    native.turn(server);
  }
  await sleep(10);
  assert.is(turns, before);
  app.u32[app.lineWord(APP_LINE_QUIET_LEVELS_U32)] = 0;
  native.wake(server, 0);
  await eventually(() => turns > before, 'the opened event');
});

it('after close nothing enters JavaScript', async () => {
  const [server] = pair();
  let turns = 0;
  const poller = createPoller({ stack: server, app: 0, onTurn: () => ++turns > 0 });
  await eventually(() => turns > 3, 'turns');
  poller.close();
  const at = turns;
  await sleep(10);
  assert.is(turns, at);
  poller.close();
  poller.kick();
});

it('a stack that a poller drives refuses other drivers', () => {
  const [server] = pair();
  const _poller = createPoller({ stack: server, app: 0, drive: true, onTurn: () => false });
  assert.throws(() => native.run(server, { name: 'x' }), /runs already/);
  assert.throws(() => createPoller({ stack: server, app: 0, drive: true, onTurn: () => false }), /runs already/);
});

it('a worker that is terminated takes its poller with it, and the stack goes on', async () => {
  const [server] = pair();
  native.run(server, { name: 'poller-test' });
  const code = `
    const { workerData, parentPort } = require('node:worker_threads');
    const native = require(workerData.addon);
    native.attachArena(workerData.stack);
    native.createPoller({ stack: workerData.stack, app: 0, onTurn() { parentPort.postMessage('turn'); return false; } });`;
  for (let round = 0; round < 3; round++) {
    const worker = new Worker(code, { eval: true, workerData: { addon: nativePaths()[0], stack: server } });
    await new Promise((resolve) => worker.once('message', resolve));
    await worker.terminate();
    native.reclaimApp(server, 0);
  }
  const { turns } = native.counters(server).counters;
  await sleep(20);
  assert.ok((native.counters(server).counters.turns ?? 0) > (turns ?? 0));
});

/** Runs a piece of script with the addon and a stack `s` in a process of its own. */
function inProcess(script: string): { code: number; out: string } {
  const stack = join(dirname(fileURLToPath(import.meta.url)), '../../stack/native.js');
  const source = `
    import { loadNative } from ${JSON.stringify(stack)};
    const native = loadNative();
    const s = native.createStack({ device: { ring: 'p', side: 0 }, ip: { address: 1 << 24 }, levels: 1, apps: 1,
      rxPackets: 64, txPackets: 64, tcp: { connections: 16, halfOpen: 16, timeWait: 16, busy: 16 } });
    ${script}`;
  try {
    const out = execFileSync(process.execPath, ['--input-type=module', '-e', source], {
      encoding: 'utf8',
      timeout: 20_000,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    return { code: 0, out };
  } catch (error) {
    const { status, stdout, stderr } = error as { status: number | null; stdout: string; stderr: string };
    return { code: status ?? -1, out: stdout + stderr };
  }
}

it('an unref’d poller and a running stack thread let the process end', () => {
  const script = `native.run(s, { name: 'ends' });
    native.createPoller({ stack: s, app: 0, onTurn() { console.log('turn'); return false; } }).unref();
    setTimeout(() => {}, 20);`;
  assert.equal(inProcess(script), { code: 0, out: 'turn\n' });
});

it('process.exit with a running stack thread and an open poller ends cleanly', () => {
  const script = `native.run(s, { name: 'ends' });
    native.createPoller({ stack: s, app: 0, onTurn() { process.exit(3); } });`;
  assert.equal(inProcess(script), { code: 3, out: '' });
});

it('a worker that is ended in the middle of a turn, by its own exit or from outside, ends alone', () => {
  const loads = `import { createRequire } from 'node:module';
    import { parentPort, workerData } from 'node:worker_threads';
    const native = createRequire('/')(workerData.addon);
    native.attachArena(workerData.stack);`;
  const poller = (turn: string) => `native.createPoller({ stack: workerData.stack, app: 0, onTurn() { ${turn} } });`;
  const bodies = [`process.exit(3);`, `parentPort.postMessage('turn'); for (;;);`].map((turn) => loads + poller(turn));
  const script = `
    import { Worker } from 'node:worker_threads';
    native.run(s, { name: 'ends' });
    for (const body of ${JSON.stringify(bodies)}) {
      const workerData = { addon: ${JSON.stringify(nativePaths()[0])}, stack: s };
      const worker = new Worker(body, { eval: true, workerData });
      worker.on('message', () => worker.terminate());
      console.log(await new Promise((done) => worker.on('exit', done)));
      native.reclaimApp(s, 0);
    }
    process.exit(0);`;
  assert.equal(inProcess(script), { code: 0, out: '3\n1\n' });
});

it('what a turn throws, an error or anything else, is an uncaught exception', () => {
  const script = `process.on('uncaughtException', (error) => { console.log(error.message); process.exit(0); });
    native.createPoller({ stack: s, app: 0, onTurn() { throw new Error('thrown in a turn'); } });`;
  assert.equal(inProcess(script), { code: 0, out: 'thrown in a turn\n' });
  const other = script.replace('error.message', 'error').replace("new Error('thrown in a turn')", "'a string'");
  assert.equal(inProcess(other), { code: 0, out: 'a string\n' });
});

it.run();
