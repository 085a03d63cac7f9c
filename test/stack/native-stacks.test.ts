// The addon with two stacks in one instance: one device, one address, one arena, and connections that are one stack's each.
import { setTimeout as sleep } from 'node:timers/promises';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Arena } from '../../mempool/arena.js';
import {
  CLOSE_CODE_RESET,
  EVENT_TYPE_CLOSED,
  EVENT_TYPE_ENDED,
  EVENT_TYPE_MESSAGE,
  EVENT_TYPE_OPENED,
  SEND_TYPE_CLOSE,
  STACK_LINE_TURNS_U32,
  STACK_LINES_AT,
} from '../../stack/abi.js';
import { loadNative, type StackId, type StackOptions } from '../../stack/native.js';
import { RingApp, type TestEvent } from './ring-app.js';

const native = loadNative();
const it = suite('native: two stacks');
const SERVER = 0x0a000001;
const CLIENT = 0x0a000002;
const SLOTS = 48;
let pairs = 0;

/** What one of the server's stacks tells its app, and the app's answers. */
class ServerEnd {
  readonly opened: TestEvent[] = [];
  readonly closed: TestEvent[] = [];
  private readonly app: RingApp;

  constructor(
    server: StackId,
    readonly stack: number,
    app = 0,
  ) {
    this.app = new RingApp(native, server, app, stack);
  }

  /** Sends back what comes, and closes what the peer has closed. */
  serve(): void {
    for (const event of this.app.drain()) {
      if (event.type === EVENT_TYPE_OPENED) this.opened.push(event);
      if (event.type === EVENT_TYPE_CLOSED) this.closed.push(event);
      if (event.type === EVENT_TYPE_ENDED) this.app.record(1, SEND_TYPE_CLOSE, event);
      if (event.type === EVENT_TYPE_MESSAGE) assert.ok(this.app.send(event, event.bytes, event.level));
    }
  }
}

class Pair {
  readonly server: StackId;
  readonly client: StackId;
  readonly ends: ServerEnd[];
  readonly clientApp: RingApp;
  private readonly profile: number;
  private turnsServer = true;

  constructor(more: Partial<StackOptions> = {}) {
    const ring = `stacks${pairs++}`;
    const common = { levels: 2, apps: 1, rxPackets: 512, txPackets: 512 };
    const tcp = { connections: SLOTS, halfOpen: 64, timeWait: 64, busy: 64, timeWaitMs: 1, delayedAckMs: 0 };
    const pools = { ...common, tcp };
    this.server = native.createStack({
      device: { ring, side: 0 },
      ip: { address: SERVER },
      stacks: 2,
      ...pools,
      ...more,
    });
    this.client = native.createStack({ device: { ring, side: 1 }, ip: { address: CLIENT }, ...pools });
    this.ends = [0, 1].map((stack) => new ServerEnd(this.server, stack));
    this.clientApp = new RingApp(native, this.client);
    this.profile = native.listen(this.client, { port: 0, framing: 'stream' });
  }

  runServer(cores?: readonly number[]): void {
    native.run(this.server, { name: 'two', poll: 'sleep', ...(cores === undefined ? {} : { cores }) });
    this.turnsServer = false;
  }

  private step(): TestEvent[] {
    if (this.turnsServer) native.turn(this.server);
    for (const end of this.ends) end.serve();
    native.turn(this.client);
    return this.clientApp.drain();
  }

  /** Takes turns until the client's app has so many events of that type. */
  until(type: number, count: number): TestEvent[] {
    const found: TestEvent[] = [];
    for (const deadline = Date.now() + 10_000; found.length < count && Date.now() < deadline; ) {
      found.push(...this.step().filter((event) => event.type === type));
    }
    assert.is(found.length, count, `events of type ${type}`);
    return found;
  }

  /** So many connections, of which both sides have been told. */
  connect(count: number): TestEvent[] {
    this.ask(1); // no more than three SYNs wait for ARP
    const opened = this.until(EVENT_TYPE_OPENED, 1);
    this.ask(count - 1);
    opened.push(...this.until(EVENT_TYPE_OPENED, count - 1));
    const told = () => this.ends.reduce((sum, end) => sum + end.opened.length, 0);
    for (const deadline = Date.now() + 10_000; told() < count && Date.now() < deadline; ) this.step();
    assert.is(told(), count);
    return opened;
  }

  ask(count: number): void {
    for (let i = 0; i < count; i++) this.clientApp.connect(SERVER, 80, this.profile, i);
  }

  /** The same as until(), while the server's threads and its poller do the rest. */
  async hear(type: number, count: number): Promise<TestEvent[]> {
    const found: TestEvent[] = [];
    for (const deadline = Date.now() + 10_000; found.length < count && Date.now() < deadline; await sleep(1)) {
      native.turn(this.client);
      found.push(...this.clientApp.drain().filter((event) => event.type === type));
    }
    assert.is(found.length, count, `events of type ${type}`);
    return found;
  }

  turns(count = 20): void {
    for (let i = 0; i < count; i++) {
      if (this.turnsServer) native.turn(this.server);
      native.turn(this.client);
    }
  }

  close(): void {
    native.destroy(this.server);
    native.destroy(this.client);
  }
}

function codeOf(body: () => unknown): string {
  try {
    body();
  } catch (error) {
    return (error as { code: string }).code;
  }
  return 'nothing was thrown';
}

it('connections are spread over both, each is told of by its own stack, and its slot says whose it is', () => {
  const both = new Pair();
  const arena = new Arena(native.attachArena(both.server));
  assert.equal([arena.stacks, arena.slotsPerStack, arena.connections], [2, SLOTS, 2 * SLOTS]);
  assert.equal([arena.rxPackets, arena.rxPacketsPerStack, arena.packets], [1_024, 512, 2_048]);
  native.listen(both.server, { port: 80, framing: 'stream' });
  both.connect(24);
  for (const { stack, opened } of both.ends) {
    assert.ok(opened.length >= 4, `stack ${stack} has ${opened.length}`);
    for (const { slot } of opened) assert.is(arena.stackOf(slot), stack);
  }
  const { counters, device } = native.counters(both.server);
  assert.is(counters.connections_open, 24);
  assert.ok((device.steered ?? 0) > 0 && (device.steer_forwarded ?? 0) > 0);
  assert.is(device.steer_dropped, 0);
  both.close();
});

it('bytes come back on each connection, and when all are closed every packet is in its pool', () => {
  const both = new Pair();
  const before = native.counters(both.server).pools;
  native.listen(both.server, { port: 80, framing: 'stream' });
  const opened = both.connect(16);
  for (const connection of opened) both.clientApp.send(connection, Buffer.from(`connection ${connection.slot}`));
  for (const { slot, bytes } of both.until(EVENT_TYPE_MESSAGE, 16)) {
    assert.is(Buffer.from(bytes).toString(), `connection ${slot}`);
  }
  for (const connection of opened) both.clientApp.record(1, SEND_TYPE_CLOSE, connection);
  both.until(EVENT_TYPE_CLOSED, 16);
  both.turns();
  assert.equal(native.counters(both.server).pools, { ...before, optionSets: 2 }, 'the sets are those of the listener');
  assert.equal(
    ['bad_records', 'stale_records', 'resets_out'].map((name) => native.counters(both.server).counters[name]),
    [0, 0, 0],
  );
  both.close();
});

it('both run in threads of their own, and control reaches each of them', () => {
  const both = new Pair();
  both.runServer();
  assert.is(native.listen(both.server, { port: 80, framing: 'stream' }), 0);
  assert.is(
    codeOf(() => native.listen(both.server, { port: 80, framing: 'stream' })),
    'EADDRINUSE',
  );
  assert.is(native.listen(both.server, { port: 81, framing: 'stream' }), 1);
  const opened = both.connect(16);
  for (const connection of opened) both.clientApp.send(connection, Buffer.from('x'));
  both.until(EVENT_TYPE_MESSAGE, 16);
  assert.ok(both.ends.every((end) => end.opened.length > 0));
  const words = new Uint32Array(native.attachArena(both.server));
  const turns = [0, 1].map((stack) => words[STACK_LINES_AT / 4 + stack * 16 + STACK_LINE_TURNS_U32] ?? 0);
  assert.ok(
    turns.every((count) => count > 1),
    `${turns}`,
  );
  native.stop(both.server);
  assert.is(native.counters(both.server).counters.connections_open, 16);
  assert.ok(Number.isSafeInteger(native.hiccups(both.server).windows), 'stopped threads still tell theirs');
  both.close();
});

it('where one thread cannot start none runs', () => {
  const both = new Pair();
  assert.throws(() => both.runServer([0, 1_023]), /core 1023/);
  assert.type(native.turn(both.server), 'number');
  both.close();
});

it('a lost app: its connections with both stacks are reset, and it begins anew with both', () => {
  const both = new Pair();
  const before = native.counters(both.server).pools;
  native.listen(both.server, { port: 80, framing: 'stream' });
  for (const connection of both.connect(16)) {
    both.clientApp.send(connection, Buffer.from('x'));
    both.until(EVENT_TYPE_MESSAGE, 1); // both have asked for the client's station by then
  }
  assert.is(native.reclaimApp(both.server, 0), 16);
  const lost = both.ends.splice(0, 2, new ServerEnd(both.server, 0), new ServerEnd(both.server, 1));
  assert.ok(lost.every((end) => end.opened.length > 0));
  for (const { reason } of both.until(EVENT_TYPE_CLOSED, 16)) assert.is(reason, CLOSE_CODE_RESET);
  both.turns();
  assert.equal(native.counters(both.server).pools, { ...before, optionSets: 2 });
  both.close();
});

it('the poller enters JavaScript for whichever of them has something', async () => {
  const both = new Pair();
  native.listen(both.server, { port: 80, framing: 'stream' });
  const onTurn = () => {
    for (const end of both.ends) end.serve();
    return false;
  };
  const poller = native.createPoller({ stack: both.server, app: 0, lingerUs: 0, onTurn });
  both.runServer();
  const opened: TestEvent[] = [];
  for (let count = 1; count <= 12; count++) {
    both.ask(1);
    opened.push(...(await both.hear(EVENT_TYPE_OPENED, 1)));
  }
  assert.ok(both.ends.every((end) => end.opened.length > 0));
  for (const connection of opened) {
    both.clientApp.send(connection, Buffer.from('x'));
    await both.hear(EVENT_TYPE_MESSAGE, 1);
  }
  poller.close();
  both.close();
});

it('more stacks than there may be are refused', () => {
  assert.is(
    codeOf(() => new Pair({ stacks: 17 })),
    'QST_ERR_NATIVE_OPTION',
  );
});

it.run();
