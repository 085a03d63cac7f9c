// The addon: control calls and their faults, and two stacks in one process that talk to each other over a pair of rings.
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import {
  ABI_VERSION,
  ARENA_HEADER_ABI_VERSION_U32,
  ARENA_HEADER_MAGIC_U32,
  ARENA_MAGIC,
  CLOSE_CODE_APP_LOST,
  CLOSE_CODE_REFUSED,
  CLOSE_CODE_RESET,
  EVENT_TYPE_CLOSED,
  EVENT_TYPE_DRAINED,
  EVENT_TYPE_ENDED,
  EVENT_TYPE_MESSAGE,
  EVENT_TYPE_OPENED,
  SEND_TYPE_ABORT,
  SEND_TYPE_CLOSE,
  SEND_TYPE_DRAIN,
} from '../../stack/abi.js';
import { loadNative, nativePaths, type StackId, type StackOptions } from '../../stack/native.js';
import { RingApp, type TestEvent } from './ring-app.js';

const native = loadNative();
const it = suite('native');
let pairs = 0;

const SERVER = 0x0a000001;
const CLIENT = 0x0a000002;

function options(ring: string, side: 0 | 1, more: Partial<StackOptions> = {}): StackOptions {
  return {
    device: { ring, side },
    ip: { address: side === 0 ? SERVER : CLIENT },
    tcp: { connections: 64, halfOpen: 64, timeWait: 64, busy: 64, timeWaitMs: 1, delayedAckMs: 0 },
    levels: 2,
    apps: 1,
    rxPackets: 256,
    txPackets: 256,
    ...more,
  };
}

interface Pair {
  readonly server: StackId;
  readonly client: StackId;
  readonly serverApp: RingApp;
  readonly clientApp: RingApp;
  turns(count?: number): void;
  close(): void;
}

function pair(more: Partial<StackOptions> = {}): Pair {
  const name = `pair${pairs++}`;
  const server = native.createStack(options(name, 0, more));
  const client = native.createStack(options(name, 1));
  return {
    server,
    client,
    serverApp: new RingApp(native, server),
    clientApp: new RingApp(native, client),
    turns(count = 20) {
      for (let i = 0; i < count; i++) {
        native.turn(server);
        native.turn(client);
      }
    },
    close() {
      native.destroy(server);
      native.destroy(client);
    },
  };
}

/** Takes turns until the app has an event of that type. */
function until(both: Pair, app: RingApp, type: number): TestEvent {
  const deadline = Date.now() + 5000;
  while (Date.now() < deadline) {
    both.turns(1);
    const found = app.drain().find((event) => event.type === type);
    if (found) return found;
  }
  throw new Error(`no event of type ${type}`);
}

function connected(both: Pair, framing: 'stream' | 'segment' = 'segment'): { ours: TestEvent; theirs: TestEvent } {
  native.listen(both.server, { port: 80, framing });
  const profile = native.listen(both.client, { port: 0, framing });
  both.clientApp.connect(SERVER, 80, profile, 7);
  const theirs = until(both, both.clientApp, EVENT_TYPE_OPENED);
  return { ours: until(both, both.serverApp, EVENT_TYPE_OPENED), theirs };
}

function codeOf(body: () => unknown): string {
  try {
    body();
  } catch (error) {
    return (error as { code: string }).code;
  }
  return 'nothing was thrown';
}

it('the addon has the ABI version of stack/abi.ts and the names of all counters', () => {
  assert.is(native.abiVersion, ABI_VERSION);
  assert.ok(native.counterNames.includes('drop_paws'));
});

it('QSTACK_NATIVE overrides where the addon is', () => {
  assert.equal(nativePaths({ QSTACK_NATIVE: '/some/where.node' }), ['/some/where.node']);
  assert.match(nativePaths({})[0]!, /build\/release\/node\/qstack\.node$/);
});

it('an arena is one ArrayBuffer per thread, with the magic number in front', () => {
  const both = pair();
  const arena = native.attachArena(both.server);
  assert.is(native.attachArena(both.server), arena);
  const words = new Uint32Array(arena);
  assert.is(words[ARENA_HEADER_MAGIC_U32], ARENA_MAGIC);
  assert.is(words[ARENA_HEADER_ABI_VERSION_U32], ABI_VERSION);
  both.close();
});

it('bytes go from one stack to the other and back, at their level', () => {
  const both = pair();
  const { ours, theirs } = connected(both);
  assert.is(theirs.token, 7);
  assert.is(ours.remoteAddress, CLIENT);
  assert.is(ours.localPort, 80);
  assert.ok(both.clientApp.send(theirs, Buffer.from('question')));
  const message = until(both, both.serverApp, EVENT_TYPE_MESSAGE);
  assert.is(Buffer.from(message.bytes).toString(), 'question');
  assert.is(message.slot, ours.slot);
  assert.is(message.remotePort, ours.remotePort);
  assert.is(message.localPort, 80);
  both.serverApp.send(ours, Buffer.from('answer'), 1);
  assert.is(Buffer.from(until(both, both.clientApp, EVENT_TYPE_MESSAGE).bytes).toString(), 'answer');
  both.close();
});

it('a closed connection is told to both sides, and every packet comes back', () => {
  const both = pair();
  const before = native.counters(both.server).pools;
  const { ours, theirs } = connected(both, 'stream');
  for (let i = 0; i < 50; i++) {
    both.clientApp.send(theirs, Buffer.alloc(1000, i));
    both.turns(2);
    both.serverApp.drain();
  }
  both.clientApp.record(1, SEND_TYPE_CLOSE, theirs);
  until(both, both.serverApp, EVENT_TYPE_ENDED);
  both.serverApp.record(1, SEND_TYPE_CLOSE, ours);
  assert.is(until(both, both.clientApp, EVENT_TYPE_CLOSED).slot, theirs.slot);
  assert.is(until(both, both.serverApp, EVENT_TYPE_CLOSED).slot, ours.slot);
  both.turns(5);
  assert.equal(native.counters(both.server).pools, { ...before, optionSets: 1 }, 'the set is that of the listener');
  assert.is(native.counters(both.server).counters.bad_records, 0);
  both.close();
});

it('an abort resets the peer', () => {
  const both = pair();
  const { theirs } = connected(both);
  both.clientApp.record(0, SEND_TYPE_ABORT, theirs);
  assert.is(until(both, both.serverApp, EVENT_TYPE_CLOSED).reason, CLOSE_CODE_RESET);
  both.close();
});

it('a drain request is answered with its cookie', () => {
  const both = pair();
  const { theirs } = connected(both);
  both.clientApp.send(theirs, Buffer.alloc(500));
  both.clientApp.record(1, SEND_TYPE_DRAIN, theirs, 0, 0, 99);
  assert.is(until(both, both.clientApp, EVENT_TYPE_DRAINED).cookie, 99);
  both.close();
});

it('an active open to a port without a listener is closed as refused, with its token', () => {
  const both = pair();
  const profile = native.listen(both.client, { port: 0, framing: 'stream' });
  both.clientApp.connect(SERVER, 81, profile, 55);
  const closed = until(both, both.clientApp, EVENT_TYPE_CLOSED);
  assert.is(closed.reason, CLOSE_CODE_REFUSED);
  assert.is(closed.token, 55);
  both.close();
});

it('records that name nothing sensible are counted and nothing else', () => {
  const both = pair();
  const { theirs } = connected(both);
  both.clientApp.record(0, 1, theirs, 0xffffffff, 10);
  both.clientApp.record(0, 77, theirs);
  both.clientApp.release(theirs, 3, 10);
  both.clientApp.record(0, SEND_TYPE_CLOSE, { slot: 50, generation: 4 });
  both.turns(2);
  const { counters } = native.counters(both.client);
  assert.is(counters.bad_records, 3);
  assert.is(counters.stale_records, 1);
  both.close();
});

it('a lost app: its connections are reset, its buffers come back, its rings start anew', () => {
  const both = pair();
  const before = native.counters(both.server).pools;
  const { theirs } = connected(both);
  for (let i = 0; i < 10; i++) both.clientApp.send(theirs, Buffer.alloc(100));
  both.turns();
  assert.is(native.counters(both.server).pools.rxWithApps, 10);
  for (let i = 0; i < 5; i++) both.serverApp.takeEmpty();
  assert.is(native.reclaimApp(both.server, 0), 1);
  both.turns();
  assert.equal(native.counters(both.server).pools, { ...before, optionSets: 1 }, 'the set is that of the listener');
  assert.equal(both.serverApp.drain(), []);
  assert.is(until(both, both.clientApp, EVENT_TYPE_CLOSED).reason, CLOSE_CODE_RESET);
  assert.is.not(CLOSE_CODE_APP_LOST, CLOSE_CODE_RESET);
  both.close();
});

it('a stack in its own thread answers as well, and control calls reach it there', () => {
  const both = pair();
  native.run(both.server, { name: 'test-stack', poll: 'sleep' });
  assert.is(
    codeOf(() => native.turn(both.server)),
    'QST_ERR_STACK_RUNNING',
  );
  native.listen(both.server, { port: 80, framing: 'segment' });
  const profile = native.listen(both.client, { port: 0, framing: 'segment' });
  both.clientApp.connect(SERVER, 80, profile, 1);
  const deadline = Date.now() + 5000;
  let opened: TestEvent | undefined;
  while (!opened && Date.now() < deadline) {
    native.turn(both.client);
    opened = both.serverApp.drain().find((event) => event.type === EVENT_TYPE_OPENED);
  }
  assert.ok(opened);
  assert.is(native.counters(both.server).counters.connections_open, 1);
  assert.ok(native.hiccups(both.server).windows >= 0);
  native.stop(both.server);
  const { turns } = native.counters(both.server).counters;
  assert.is(native.counters(both.server).counters.turns, turns);
  both.close();
});

it('faults of control calls are errors with a code and a sentence', () => {
  const both = pair();
  native.listen(both.server, { port: 80, framing: 'stream' });
  assert.is(
    codeOf(() => native.listen(both.server, { port: 80, framing: 'stream' })),
    'EADDRINUSE',
  );
  assert.is(
    codeOf(() => native.listen(both.server, { address: 0x01020304, port: 81, framing: 'stream' })),
    'EADDRNOTAVAIL',
  );
  assert.is(
    codeOf(() => native.listen(both.server, { port: 82, framing: 'fixed' })),
    'QST_ERR_NATIVE_OPTION',
  );
  assert.throws(() => native.createStack(options('x', 0, { levels: 9 })), /createStack: levels: 9.* from 1 to 8/);
  assert.throws(() => native.createStack(options('x', 0, { rxPackets: 1 << 22 })), /the limit is 4095 MiB/);
  assert.throws(() => native.createStack(options('x', 0, { mac: '02:00' })), /no MAC address/);
  const policy = (weights: number[]) => ({ policy: { kind: 'weighted' as const, bound: 0, weights, budgets: [] } });
  assert.throws(
    () => native.createStack(options('x', 0, { levels: 2, ...policy([1]) })),
    /weights: a number for each level/,
  );
  assert.throws(
    () => native.createStack(options('x', 0, { levels: 2, ...policy([1, 0]) })),
    /weights: a positive number/,
  );
  assert.is(
    codeOf(() => native.createStack({ ...options('x', 0), device: 'net_nothing0' })),
    'QST_ERR_EAL',
  );
  assert.is(
    codeOf(() => native.classify(both.server, new Uint8Array(3))),
    'QST_ERR_CLASSIFIER_INVALID',
  );
  assert.is(
    codeOf(() => native.wake(both.server, 1)),
    'QST_ERR_NATIVE_OPTION',
  );
  both.close();
  assert.is(
    codeOf(() => native.counters(both.server)),
    'QST_ERR_STACK_DESTROYED',
  );
});

it('an arena that JavaScript holds stays readable after its stack is destroyed', () => {
  const both = pair();
  const words = new Uint32Array(native.attachArena(both.server));
  both.close();
  assert.is(words[ARENA_HEADER_MAGIC_U32], 0);
});

it('the fault port drops by its seed and counts what it did', () => {
  const both = pair({ fault: { seed: 1, rx: { drop: 1 } } });
  native.listen(both.server, { port: 80, framing: 'stream' });
  const profile = native.listen(both.client, { port: 0, framing: 'stream' });
  both.clientApp.connect(SERVER, 80, profile, 1);
  both.turns(50);
  assert.equal(both.serverApp.drain(), []);
  assert.ok((native.counters(both.server).fault?.rx_dropped ?? 0) > 0);
  both.close();
});

it.run();
