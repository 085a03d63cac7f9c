// A server of two stacks and its app threads, the stacks in threads of their own or in those of the apps; the peer is an inline stack
// in this thread.
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { type Connection, fixed, type InlineStack, inline, type Stack, serve, start } from '../../index.js';
import { Arena } from '../../mempool/arena.js';
import { parseConnectionFilter } from '../../stack/connection-filter.js';
import { Log } from '../../stack/log.js';
import { CLIENT_ADDRESS, SERVER_ADDRESS } from '../../stack/testing.js';
import { NAMED, namedPort, OPENS, type Opened } from './fixtures/opens.js';

const CONNECTIONS = 40;
const base = { max_concurrency: 500, max_num_buffers: 2048, log_level: 'silent', drain_timeout: '1s' };
const target = { address: SERVER_ADDRESS, port: 7, framing: fixed(8) };
const log = new Log({ level: 'silent' });
const client = serve({ levels: ['normal'], setup() {} });
const ECHO = serve({
  levels: ['normal'],
  setup(app) {
    app.listen({ port: 7, framing: fixed(8) }, (received) => received.reply(received));
  },
});
let rings = 0;

const tick = (ms: number) => new Promise((done) => setTimeout(done, ms));
const message = (first: number, last = 0) => Uint8Array.of(first, 0, 0, 0, 0, 0, 0, last);

async function until(what: string, holds: () => boolean | Promise<boolean>, limitMs = 10_000): Promise<void> {
  const endMs = performance.now() + limitMs;
  while (!(await holds())) {
    assert.ok(performance.now() < endMs, `not within ${limitMs} ms: ${what}`);
    await tick(5);
  }
}

type Work = (server: Stack, peer: InlineStack<'normal'>) => Promise<void>;
type Both = (work: Work, more?: Record<string, unknown>, peerAddress?: string) => Promise<void>;

async function withBoth(
  work: Work,
  more: Record<string, unknown>,
  peerAddress = `${CLIENT_ADDRESS}/24`,
): Promise<void> {
  const ring = `stack-threads${rings++}`;
  const module = new URL('./fixtures/echo.js', import.meta.url);
  const config = { ...base, host_ip: `${SERVER_ADDRESS}/24`, stack_thread: 2, app_thread: 2, ...more };
  const server = await start(module, config, { ring: { ring, side: 0 }, log });
  try {
    const peer = await inline(
      client,
      { ...base, dad_transmits: 0, host_ip: peerAddress },
      { ring: { ring, side: 1 }, log },
    );
    try {
      await work(server, peer);
    } finally {
      await peer.stop();
    }
  } finally {
    await server.stop();
  }
}

function inEach(what: string, body: (both: Both) => Promise<void>): void {
  for (const arrangement of ['separate', 'shared']) {
    test(`${arrangement}: ${what}`, () =>
      body((work, more, peerAddress) => withBoth(work, { arrangement, ...more }, peerAddress)));
  }
}

async function connectAll(peer: InlineStack<'normal'>, address = SERVER_ADDRESS): Promise<Connection<'normal'>[]> {
  const connections: Connection<'normal'>[] = [];
  // Far apart: of ports in a row, which differ in few bits, the hash may put all into one stack.
  for (let i = 0; i < CONNECTIONS; i++) {
    connections.push(await peer.app.connect({ ...target, address, localPort: 10_000 + 1_237 * i }));
  }
  return connections;
}

/** Connections of each stack. */
const shares = (server: Stack) => server.counters().stacks.map(({ connections }) => connections);

inEach(
  'two stacks share the connections of two app threads, and every message is answered in its order',
  async (both) => {
    await both(async (server, peer) => {
      const connections = await connectAll(peer);
      for (let i = 0; i < 50; i++) for (const connection of connections) connection.send(message(0, i));
      for (const connection of connections) {
        for (let i = 0; i < 50; i++) assert.is((await connection.receive())?.u8(7), i);
      }
      const [first = 0, second = 0] = shares(server);
      assert.is(first + second, CONNECTIONS);
      assert.ok(first > 0 && second > 0, `${first} and ${second}`);
      const arena = new Arena(server.attachArena());
      const { lines } = await server.connections({ filter: parseConnectionFilter(''), limit: 1_000 });
      assert.is(lines.filter(({ slot }) => arena.stackOf(slot) === 1).length, second);
      assert.ok(server.counters().stacks.every(({ framesIn, framesOut }) => framesIn > 0 && framesOut > 0));
      const { counters, messagesByLevel } = server.counters();
      assert.equal([counters.connections_opened, messagesByLevel[1]], [CONNECTIONS, 50 * CONNECTIONS]);
      const counts = await server.counts();
      assert.equal(
        counts.map(({ connections: n }) => n).reduce((sum, n) => sum + n, 0),
        CONNECTIONS,
      );
      assert.ok(counts.every(({ messages }) => messages > 0));
    });
  },
);

inEach('IPv6: each stack finds its neighbours, and its connections their addresses', async (both) => {
  const work = async (server: Stack, peer: InlineStack<'normal'>) => {
    const connections = await connectAll(peer, 'fd99::1');
    for (const connection of connections) connection.send(message(0, 9));
    for (const connection of connections) assert.is((await connection.receive())?.u8(7), 9);
    assert.ok(shares(server).every((connected) => connected > 0));
    const { lines } = await server.connections({ filter: parseConnectionFilter(''), limit: 1_000 });
    assert.equal(
      lines.map(({ remote }) => remote).sort(),
      connections.map(({ local: { port } }) => `[fd99::2]:${port}`).sort(),
    );
  };
  await both(work, { host_ip: `${SERVER_ADDRESS}/24, fd99::1/64`, dad_transmits: 1 }, 'fd99::2/64');
});

inEach('rules are those of all stacks, and their hits are added up', async (both) => {
  await both(async (server, peer) => {
    const connections = await connectAll(peer);
    for (const connection of connections) connection.send(message(1, 7));
    for (const connection of connections) assert.is((await connection.receive())?.u8(7), 7);
    assert.equal(server.counters().messagesByLevel.slice(0, 2), [CONNECTIONS, 0]);
    const hits = server.ruleHits().find(({ level }) => level === 'high')?.hits ?? 0;
    assert.ok(hits >= CONNECTIONS, `${hits}`);
  });
});

inEach('an app thread that dies has its connections reset in both stacks, and comes back', async (both) => {
  await both(async (server, peer) => {
    const connections = await connectAll(peer);
    const ends = new Map<Connection<'normal'>, string>();
    for (const connection of connections) void connection.closed.then((reason) => ends.set(connection, reason));
    const deadly = connections[0] as Connection<'normal'>;
    deadly.send(message(0, 0xdd));
    await until('its connections are reset', () => ends.has(deadly));
    await until('it is there again', async () => (await server.counts()).length === 2);
    await tick(50);
    assert.ok(ends.size > 1 && ends.size < CONNECTIONS, `${ends.size} of ${CONNECTIONS} were reset`);
    assert.equal([...new Set(ends.values())], ['reset']);
    const kept = connections.filter((connection) => !ends.has(connection));
    for (const connection of kept) connection.send(message(0, 5));
    for (const connection of kept) assert.is((await connection.receive())?.u8(7), 5);
    assert.is(
      shares(server).reduce((sum, n) => sum + n),
      kept.length,
    );
    for (let i = 0; i < 10; i++) {
      const again = await peer.app.connect(target);
      again.send(message(0, 3));
      assert.is((await again.receive())?.u8(7), 3);
    }
  });
});

inEach('when all connections are closed both stacks have everything back', async (both) => {
  await both(async (server, peer) => {
    const fresh = server.counters().pools;
    const connections = await connectAll(peer);
    for (const connection of connections) connection.send(message(0, 1));
    for (const connection of connections) await connection.receive();
    for (const connection of connections) connection.close();
    await until('all are gone', () => server.counters().pools.controlBlocks === 0);
    await until('packets are back', () => {
      const { pools } = server.counters();
      return pools.rxFree === fresh.rxFree && pools.txFree + pools.txWithApps === fresh.txPackets;
    });
    assert.is(server.counters().counters.bad_records, 0);
  });
});

inEach('stop closes the connections of both stacks in order', async (both) => {
  await both(async (server, peer) => {
    const connections = await connectAll(peer);
    for (const connection of connections) connection.send(message(0, 1));
    for (const connection of connections) await connection.receive();
    const stopped = server.stop();
    for (const connection of connections) {
      assert.is(await connection.receive(), null);
      connection.close();
    }
    await stopped;
  });
});

test('shared: while a handler computes for longer than a second control goes on, with the counts of before', async () => {
  const work: Work = async (server, peer) => {
    const connection = await peer.app.connect(target);
    connection.send(message(0, 1));
    await connection.receive();
    connection.send(message(0, 0xcc));
    let last = server.counters();
    await until('the counts are those of before', () => {
      const before = last;
      last = server.counters();
      return last === before;
    });
    assert.is((await connection.receive())?.u8(7), 0xcc);
    await until('the counts go on', () => server.counters().messagesByLevel[1] === 2);
  };
  await withBoth(work, { arrangement: 'shared', slow_handler: 'never' });
});

interface Opens {
  readonly opened: Opened[];
  readonly faults: string[];
}

/** Of `apps` app threads, when each has opened what it opens; the stack of each slot. */
async function opensOf(apps: number, more: Record<string, unknown>): Promise<[Opens[], (one: Opened) => number]> {
  const ring = `stack-threads${rings++}`;
  const server = { ...base, host_ip: `${SERVER_ADDRESS}/24` };
  await using _peer = await inline(ECHO, server, { ring: { ring, side: 0 }, log });
  const module = new URL('./fixtures/opens.js', import.meta.url);
  const config = { ...base, host_ip: `${CLIENT_ADDRESS}/24`, app_thread: apps, ...more };
  await using opener = await start(module, config, { ring: { ring, side: 1 }, log });
  let all: Opens[] = [];
  await until('all are open', async () => {
    all = (await opener.counts()).map(({ user }) => user as unknown as Opens);
    return all.length === apps && all.every(({ opened, faults }) => opened.length + faults.length === OPENS);
  });
  for (const { faults } of all) assert.equal(faults, []);
  const arena = new Arena(opener.attachArena());
  const stacks = new Map(all.flatMap(({ opened }) => opened.map((one) => [one, arena.stackOf(one.slot)] as const)));
  return [all, (one) => stacks.get(one) ?? -1];
}

const different = (numbers: readonly number[]) => [...new Set(numbers)].sort();

test('active opens leave from both stacks; one that names its local port is opened by the stack that has it', async () => {
  const [[first], stackOf] = await opensOf(1, { stack_thread: 2 });
  const opened = first?.opened ?? [];
  assert.is(opened.length, OPENS);
  opened.forEach(({ localPort, answer }, number) => {
    assert.is(answer, number);
    if (number < NAMED) assert.is(localPort, namedPort(number));
  });
  assert.equal(different(opened.slice(0, NAMED).map(stackOf)), [0, 1], 'ports that it named');
  assert.equal(different(opened.slice(NAMED).map(stackOf)), [0, 1], 'ports that the stacks chose');
});

test('shared: each app thread opens from its own stack; one that names its local port is opened by the stack that has it', async () => {
  const [all, stackOf] = await opensOf(2, { arrangement: 'shared' });
  all.forEach(({ opened }, app) => {
    assert.equal(different(opened.slice(NAMED).map(stackOf)), [app]);
    assert.equal(different(opened.slice(0, NAMED).map(stackOf)), app === 0 ? [0, 1] : [1]);
  });
});

test.run();
