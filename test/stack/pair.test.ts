// Two inline stacks joined by a wire in memory: the whole line, from send() over TCP to the handler and back.
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import {
  all,
  type CloseReason,
  type Connection,
  type Coroutine,
  type Framing,
  fixed,
  inline,
  lengthPrefix,
  level,
  type Message,
  payload,
  pooled,
  segment,
  serve,
  sleep,
  stream,
  timeout,
  wait,
} from '../../index.js';
import { Log } from '../../stack/log.js';
import { loadNative } from '../../stack/native.js';
import { CLIENT_ADDRESS, pair, SERVER_ADDRESS } from '../../stack/testing.js';

const silent = new Log({ level: 'silent' });
const at = (port: number, framing: Framing = stream) => ({ address: SERVER_ADDRESS, port, framing });
const tick = (ms = 0) => new Promise((done) => setTimeout(done, ms));

async function until(what: string, holds: () => boolean, limitMs = 5000): Promise<void> {
  const endMs = performance.now() + limitMs;
  while (!holds()) {
    assert.ok(performance.now() < endMs, `not within ${limitMs} ms: ${what}`);
    await tick(1);
  }
}

/** Reads until `length` bytes have come. */
async function read(connection: Connection<string>, length: number): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  for (let have = 0; have < length; ) {
    const message = await connection.receive();
    if (message === null) break;
    parts.push(message.copy());
    have += message.length;
  }
  return Buffer.concat(parts);
}

/** The connection is refused with this code. */
async function rejects(connecting: PromiseLike<unknown>, code: string): Promise<void> {
  try {
    await connecting;
  } catch (error) {
    assert.is((error as { code?: string }).code, code);
    return;
  }
  assert.unreachable();
}

/** A server of one listener on port 7, at the levels `high` and `low`; the first byte of a message says which. */
function one(
  options: { framing?: Framing; order?: 'connection' | 'level' | 'none' },
  handler: (message: Message<'high' | 'low'>) => Coroutine<void> | Promise<void> | undefined | boolean | void,
) {
  return serve({
    levels: ['high', 'low'],
    classify: [level('high').when(payload(0).u8().is(1))],
    setup(app) {
      app.listen({ port: 7, ...options }, handler);
    },
  });
}

test('a stream is echoed byte by byte', async () => {
  await using both = await pair(one({}, (message) => message.reply(message)));
  const connection = await both.client.app.connect(at(7));
  assert.equal(connection.remote, { address: SERVER_ADDRESS, port: 7 });
  assert.is(connection.local.address, CLIENT_ADDRESS);
  connection.send('hello ');
  connection.send(Uint8Array.of(0x77, 0xff));
  assert.equal([...(await read(connection, 8))], [...Buffer.from('hello w'), 0xff]);
});

test('IPv6: both ends know their addresses, a listener hears both families, and one address can be listened on', async () => {
  const both6 = (host: string, own: string) => ({ host_ip: `${host}/24, ${own}/64`, dad_transmits: 0 });
  const seen: string[] = [];
  const definition = serve({
    levels: ['normal'],
    setup(app) {
      const echo = (message: Message<'normal'>) => {
        seen.push(`${message.remote.address} ${message.connection.local.address}`);
        message.reply(message);
      };
      app.listen({ port: 7 }, echo);
      app.listen({ port: 8, address: 'fd99::0:1' }, echo);
    },
  });
  await using both = await pair(definition, {
    serverConfig: both6(SERVER_ADDRESS, 'fd99::1'),
    clientConfig: both6(CLIENT_ADDRESS, 'fd99::2'),
  });
  const { app } = both.client;
  const connection = await app.connect({ address: 'fd99::1', port: 7, framing: stream });
  assert.equal(connection.remote, { address: 'fd99::1', port: 7 });
  assert.is(connection.local.address, 'fd99::2');
  const bytes = Buffer.alloc(100_000, 'x6');
  connection.send(bytes);
  assert.equal(await read(connection, bytes.length), bytes);
  for (const to of [
    { address: SERVER_ADDRESS, port: 7 },
    { address: 'fd99::1', port: 8 },
  ]) {
    const other = await app.connect({ ...to, framing: stream });
    other.send('a');
    assert.is((await read(other, 1)).toString(), 'a');
  }
  assert.equal([...new Set(seen)], ['fd99::2 fd99::1', `${CLIENT_ADDRESS} ${SERVER_ADDRESS}`]);
  await rejects(app.connect({ address: SERVER_ADDRESS, port: 8, framing: stream }), 'ECONNREFUSED');
  await rejects(app.connect({ address: '2001:db8::1', port: 7, framing: stream }), 'EHOSTUNREACH');
  assert.throws(
    () => app.connect({ address: 'fd99::x', port: 7, framing: stream }),
    /no address like 10.0.0.1 or fd00::1/,
  );
});

test('strings travel as UTF-8, short and long', async () => {
  await using both = await pair(one({}, (message) => message.reply(message)));
  const connection = await both.client.app.connect(at(7));
  for (const text of ['héllo ✓', 'é'.repeat(3000)]) {
    connection.send(text);
    assert.is((await read(connection, Buffer.byteLength(text))).toString(), text);
  }
});

test('fixed framing cuts a stream of bytes into messages of that length', async () => {
  const lengths: number[] = [];
  const server = one({ framing: fixed(10) }, (message) => {
    lengths.push(message.length);
    message.reply(message.latin1(0, 1));
  });
  await using both = await pair(server);
  const connection = await both.client.app.connect(at(7));
  connection.send('aaaaaaaaaabbbbb');
  connection.send('bbbbbcccccccccc');
  assert.is((await read(connection, 3)).toString(), 'abc');
  assert.equal(lengths, [10, 10, 10]);
});

/** A level, a length of two bytes in little-endian order that leaves out the three of its header, and text. */
const told = (level: number, text: string) =>
  Buffer.from([level, text.length & 0xff, text.length >> 8, ...Buffer.from(text)]);
const telling = lengthPrefix({ offset: 1, width: 2, order: 'le', adjust: 3, maximum: 1000 });

test('lengthPrefix framing: messages come whole and with the level of their first byte, however they are written', async () => {
  const seen: string[] = [];
  const server = one({ framing: telling, order: 'level' }, (message) => {
    seen.push(`${message.level} ${message.latin1(3, message.length)}`);
    if (message.latin1(3, message.length) === 'last') message.reply('.');
  });
  await using both = await pair(server);
  const connection = await both.client.app.connect(at(7));
  connection.send(
    Buffer.concat([told(0, 'low'), told(1, 'high'), told(0, 'x'.repeat(997)), told(1, '').subarray(0, 2)]),
  );
  await tick(5);
  connection.send(Buffer.concat([told(1, '').subarray(2), told(0, 'last')]));
  await read(connection, 1);
  const low = seen.filter((text) => text.startsWith('low'));
  assert.equal(low, ['low low', `low ${'x'.repeat(997)}`, 'low last']);
  assert.equal(
    seen.filter((text) => text.startsWith('high')),
    ['high high', 'high '],
  );
});

test('lengthPrefix framing: a length that no message has ends its connection alone, by name', async () => {
  const closed: string[] = [];
  const server = serve({
    levels: ['normal'],
    setup(app) {
      app.listen({ port: 7, framing: telling, onClose: (_, reason) => void closed.push(reason) }, (message) =>
        message.reply('.'),
      );
    },
  });
  await using both = await pair(server);
  const [good, bad] = [await both.client.app.connect(at(7)), await both.client.app.connect(at(7))];
  bad.send(told(0, 'x'.repeat(998)));
  await until('the connection is closed', () => closed.length === 1);
  assert.equal(closed, ['bad-message']);
  assert.is(both.server.counters().counters.messages_malformed, 1);
  good.send(told(0, 'ok'));
  assert.is((await read(good, 1)).toString(), '.');
});

test('framing and order come from the configuration where the program says nothing', async () => {
  const seen: string[] = [];
  const server = one({}, (message) => {
    seen.push(message.latin1());
    message.reply('.');
  });
  await using both = await pair(server, { serverConfig: { framing: 'fixed 4', order: 'none', unordered: 1 } });
  const connection = await both.client.app.connect(at(7));
  connection.send('aaaabbbb');
  await read(connection, 2);
  assert.equal(seen, ['aaaa', 'bbbb']);
});

test('segment framing makes a message of each segment', async () => {
  const seen: string[] = [];
  await using both = await pair(
    one({ framing: segment }, (message) => {
      seen.push(message.latin1());
      message.reply('.');
    }),
  );
  const connection = await both.client.app.connect(at(7));
  for (const text of ['one', 'two', 'three']) {
    connection.send(text);
    await read(connection, 1);
  }
  assert.equal(seen, ['one', 'two', 'three']);
});

test('order connection: one handler at a time; a higher level may overtake', async () => {
  let running = 0;
  let most = 0;
  const order: number[] = [];
  const server = one({ framing: fixed(2) }, function* (message): Coroutine<void> {
    most = Math.max(most, ++running);
    const number = message.u8(1);
    yield* sleep(3);
    order.push(number);
    running--;
    message.reply(message);
  });
  await using both = await pair(server);
  const connection = await both.client.app.connect(at(7, fixed(2)));
  for (let i = 0; i < 10; i++) connection.send(Uint8Array.of(i % 2, i));
  await read(connection, 20);
  assert.is(most, 1);
  for (const parity of [0, 1]) {
    const sameLevel = order.filter((number) => number % 2 === parity);
    assert.equal(sameLevel, [...sameLevel].sort(), 'messages of one level keep their order');
  }
});

test('order level: one handler per connection and level', async () => {
  const running = [0, 0];
  let most = 0;
  let together = 0;
  const server = one({ framing: fixed(2), order: 'level' }, function* (message): Coroutine<void> {
    const which = message.level === 'high' ? 0 : 1;
    running[which] = (running[which] ?? 0) + 1;
    most = Math.max(most, running[which] ?? 0);
    together = Math.max(together, (running[0] ?? 0) + (running[1] ?? 0));
    yield* sleep(3);
    running[which] = (running[which] ?? 0) - 1;
    message.reply(message);
  });
  await using both = await pair(server);
  const connection = await both.client.app.connect(at(7, fixed(2)));
  for (let i = 0; i < 10; i++) {
    connection.send(Uint8Array.of(i % 2, i));
    await tick(1);
  }
  await read(connection, 20);
  assert.equal([most, together], [1, 2]);
});

for (const order of ['level', 'connection'] as const) {
  const passes = order === 'level' ? 'messages of a higher level pass what was lost' : 'nothing passes what was lost';
  test(`order ${order}: ${passes}, and each comes once`, async () => {
    const seen: number[] = [];
    const server = one({ framing: fixed(16), order }, (message) => void seen.push(message.u32(4)));
    await using both = await pair(server, { serverConfig: { fault_seed: 7, fault_rx_drop: 0.05 } });
    const connection = await both.client.app.connect(at(7));
    const count = 600;
    for (let i = 0; i < count; i++) {
      const bytes = Buffer.alloc(16);
      bytes[0] = i % 2;
      bytes.writeUInt32BE(i, 4);
      connection.send(bytes);
      if (i % 50 === 49) await tick(1);
    }
    await until('all have come', () => seen.length >= count, 30_000);
    const sorted = [...seen].sort((a, b) => a - b);
    assert.equal(sorted, [...new Array(count).keys()]);
    const { messages_early = 0 } = both.server.counters().counters;
    assert.is(messages_early > 0, order === 'level', `${messages_early} came early`);
  });
}

test('order none: as many handlers as there are messages', async () => {
  let running = 0;
  let most = 0;
  const server = one({ framing: fixed(2), order: 'none' }, function* (message): Coroutine<void> {
    most = Math.max(most, ++running);
    yield* sleep(20);
    running--;
    message.reply(message);
  });
  await using both = await pair(server);
  const connection = await both.client.app.connect(at(7, fixed(2)));
  for (let i = 0; i < 10; i++) connection.send(Uint8Array.of(i % 2, i));
  await read(connection, 20);
  assert.is(most, 10);
});

test('pooled coroutines serve messages of many connections with one object each', async () => {
  const objects = new Set<unknown>();
  let served = 0;
  const server = serve({
    levels: ['normal'],
    setup(app) {
      app.listen(
        { port: 7, framing: fixed(4) },
        pooled(function* (inbox) {
          for (;;) {
            const message = yield* inbox.next();
            objects.add(message);
            served++;
            if (message.u32(0) % 2 === 0) yield* sleep(1);
            message.reply(message);
          }
        }),
      );
    },
  });
  await using both = await pair(server);
  const connections: Connection<'normal'>[] = [];
  for (let i = 0; i < 5; i++) connections.push(await both.client.app.connect(at(7)));
  for (let round = 0; round < 20; round++) {
    for (const connection of connections) connection.send(Uint8Array.of(0, 0, 0, round));
    for (const connection of connections) assert.is((await read(connection, 4))[3], round);
  }
  assert.is(served, 100);
  assert.ok(objects.size <= 5, `${objects.size} coroutines for at most 5 messages at once`);
});

test('async handlers answer in the order of their connection', async () => {
  const server = one({ framing: fixed(2) }, async (message) => {
    await sleep(1);
    await Promise.resolve();
    message.reply(message);
  });
  await using both = await pair(server);
  const connection = await both.client.app.connect(at(7));
  for (let i = 0; i < 10; i++) connection.send(Uint8Array.of(0, i));
  assert.equal(
    [...(await read(connection, 20))].filter((_, index) => index % 2 === 1),
    [0, 1, 2, 3, 4, 5, 6, 7, 8, 9],
  );
});

test('a message is released when its handler ends: any later use throws QST_ERR_MESSAGE_RELEASED', async () => {
  const kept: { message: Message<string>; slice: { u8(at: number): number } }[] = [];
  const copies: Uint8Array[] = [];
  const server = one({ framing: fixed(4) }, (message) => {
    kept.push({ message, slice: message.slice(1, 3) });
    copies.push(message.copy(1, 3));
    message.reply(message.slice(0, 2));
  });
  await using both = await pair(server);
  const connection = await both.client.app.connect(at(7));
  connection.send('abcd');
  assert.is((await read(connection, 2)).toString(), 'ab');
  connection.send('efgh');
  await read(connection, 2);
  for (const { message, slice } of kept) {
    assert.not(message.isValid);
    for (const use of [() => message.u8(0), () => message.length, () => message.utf8(), () => slice.u8(0)]) {
      assert.throws(use, (error: { code?: string }) => error.code === 'QST_ERR_MESSAGE_RELEASED');
    }
  }
  assert.equal(
    copies.map((copy) => Buffer.from(copy).toString()),
    ['bc', 'fg'],
  );
});

test('reads beyond the end of a message throw QST_ERR_OUT_OF_RANGE', async () => {
  const codes: unknown[] = [];
  const server = one({ framing: fixed(4) }, (message) => {
    for (const use of [() => message.u32(1), () => message.u8(4), () => message.u8(-1), () => message.slice(3, 5)]) {
      try {
        use();
      } catch (error) {
        codes.push((error as { code?: string }).code);
      }
    }
    message.reply('.');
  });
  await using both = await pair(server);
  const connection = await both.client.app.connect(at(7));
  connection.send('abcd');
  await read(connection, 1);
  assert.equal(codes, new Array(4).fill('QST_ERR_OUT_OF_RANGE'));
});

test('a large body goes out in constant memory by drain()', async () => {
  const total = 8 * 1024 * 1024;
  let waitingMax = 0;
  const server = serve({
    levels: ['normal'],
    setup(app) {
      app.listen({ port: 7 }, function* (message): Coroutine<void> {
        const { connection } = message;
        const chunk = new Uint8Array(32 * 1024);
        for (let sent = 0; sent < total; sent += chunk.length) {
          chunk.fill((sent / chunk.length) & 0xff);
          assert.ok(connection.send(chunk));
          waitingMax = Math.max(waitingMax, app.counts().sent - sent);
          yield* connection.drain({ lowWater: 64 * 1024 });
        }
        connection.close();
      });
    },
  });
  await using both = await pair(server);
  const connection = await both.client.app.connect(at(7));
  connection.send('go');
  let have = 0;
  for await (const chunk of connection) {
    for (let i = 0; i < chunk.length; i += 997) {
      const expected = ((have + i) >>> 15) & 0xff;
      if (chunk.u8(i) !== expected) assert.unreachable(`byte ${have + i}`);
    }
    have += chunk.length;
  }
  assert.is(have, total);
  connection.close();
  assert.is(await connection.closed, 'finished');
});

test('a body larger than every pool is sent by one call, byte-exact', async () => {
  const body = new Uint8Array(4 * 1024 * 1024);
  for (let i = 0; i < body.length; i++) body[i] = (i * 31) >>> 8;
  const server = serve({
    levels: ['high', 'low'],
    setup(app) {
      app.listen({ port: 7 }, (message) => {
        message.reply(body);
        message.connection.close();
      });
    },
  });
  await using both = await pair(server, { serverConfig: { max_num_buffers: 256 } });
  const connection = await both.client.app.connect(at(7));
  connection.send('go');
  const got = await read(connection, body.length);
  assert.ok(got.equals(body));
  connection.close();
});

test('a peer that does not read is reset when 1 MiB waits for it, and others are served meanwhile', async () => {
  const piece = new Uint8Array(64 * 1024);
  let report: (bytes: number) => void = () => {};
  const taken = new Promise<number>((resolve) => {
    report = resolve;
  });
  const server = serve({
    levels: ['normal'],
    setup(app) {
      app.listen({ port: 7 }, function* (message): Coroutine<void> {
        const { connection } = message;
        if (message.u8(0) === 0x65) {
          message.reply('echo');
          return;
        }
        let bytes = 0;
        while (connection.send(piece)) {
          bytes += piece.length;
          yield* sleep(0);
        }
        report(bytes);
      });
    },
  });
  await using both = await pair(server, { serverConfig: { max_num_buffers: 1024 } });
  const slow = await both.client.app.connect(at(7));
  slow.send('x');
  const quick = await both.client.app.connect(at(7));
  for (let i = 0; i < 20; i++) {
    quick.send('e');
    assert.is((await read(quick, 4)).toString(), 'echo');
    await tick(1);
  }
  assert.is(await slow.closed, 'reset');
  assert.is(both.server.app.counts().sendOverflows, 1);
  // A send buffer is under way at most.
  const takenKib = (await taken) / 1024;
  assert.ok(takenKib >= 1024 && takenKib <= 1024 + 256, `${takenKib} KiB`);
});

test('the peer ends: the server answers what came, then ends as well', async () => {
  const reasons: CloseReason[] = [];
  const server = serve({
    levels: ['normal'],
    setup(app) {
      app.listen(
        { port: 7, onClose: (_connection, reason) => void reasons.push(reason) },
        function* (message): Coroutine<void> {
          const text = message.utf8();
          yield* sleep(5);
          message.reply(text);
        },
      );
    },
  });
  await using both = await pair(server);
  const connection = await both.client.app.connect(at(7));
  connection.send('last words');
  connection.end();
  assert.is((await read(connection, 10)).toString(), 'last words');
  assert.is(await connection.receive(), null);
  connection.close();
  assert.is(await connection.closed, 'finished');
  await until('onClose', () => reasons.length === 1);
  assert.equal(reasons, ['finished']);
});

test('close reasons: reset by the peer, aborted by us', async () => {
  const reasons: CloseReason[] = [];
  const server = serve({
    levels: ['normal'],
    setup(app) {
      app.listen({ port: 7, onClose: (_connection, reason) => void reasons.push(reason) }, (message) => {
        if (message.u8(0) === 0x61) message.connection.abort();
      });
    },
  });
  await using both = await pair(server);
  const first = await both.client.app.connect(at(7));
  first.send('x');
  await tick(5);
  first.abort();
  assert.is(await first.closed, 'aborted');
  await until('the first onClose', () => reasons.length === 1);
  const second = await both.client.app.connect(at(7));
  second.send('a');
  assert.is(await second.closed, 'reset');
  await until('the second onClose', () => reasons.length === 2);
  assert.equal(reasons, ['reset', 'aborted']);
  assert.not(second.isOpen);
  assert.not(second.send('too late'));
  assert.is(await first.closed, 'aborted', 'asked afterwards');
  assert.is(await second.closed, 'reset', 'asked afterwards');
  await rejects(second.receive(), 'ECONNRESET');
  await rejects(second.drain(), 'ECONNRESET');
});

test('connecting to a closed port fails with ECONNREFUSED, to nobody with EHOSTUNREACH', async () => {
  await using both = await pair(one({}, () => {}));
  await rejects(both.client.app.connect(at(8)), 'ECONNREFUSED');
  await rejects(both.client.app.connect({ address: '10.99.0.77', port: 7 }), 'EHOSTUNREACH');
});

test('a connection that was opened for an all() that failed is aborted', async () => {
  await using both = await pair(one({}, () => {}));
  await rejects(Promise.resolve(all(both.client.app.connect(at(7)), both.client.app.connect(at(8)))), 'ECONNREFUSED');
  await until('nothing is open', () => both.client.app.counts().connections === 0);
});

test('a port in use is EADDRINUSE, an address that is not ours EADDRNOTAVAIL', async () => {
  await using both = await pair(one({}, () => {}));
  const { app } = both.server;
  assert.throws(
    () => app.listen({ port: 7 }, () => {}),
    (error: { code?: string }) => error.code === 'EADDRINUSE',
  );
  assert.throws(
    () => app.listen({ port: 9, address: '10.1.2.3' }, () => {}),
    (error: { code?: string }) => error.code === 'EADDRNOTAVAIL',
  );
});

test('columns are zero for a new connection, and the id finds a connection while it is open', async () => {
  const ids: number[] = [];
  const server = serve({
    levels: ['normal'],
    setup(app) {
      const count = app.column('count', 'u16');
      app.listen({ port: 7 }, (message) => {
        ids.push(message.connection.id);
        message.reply(String(count.add(message, 1)));
      });
    },
  });
  await using both = await pair(server);
  const talk = async (times: number) => {
    const connection = await both.client.app.connect(at(7));
    let last = '';
    for (let i = 0; i < times; i++) {
      connection.send('x');
      last = (await read(connection, 1)).toString();
    }
    return { connection, last };
  };
  const first = await talk(3);
  assert.is(first.last, '3');
  const { app } = both.server;
  const [id] = ids as ReturnType<() => typeof first.connection.id>[];
  assert.ok(id !== undefined && app.connection(id)?.isOpen);
  first.connection.abort();
  await until('closed', () => app.counts().connections === 0);
  assert.is(id === undefined ? null : app.connection(id), undefined);
  assert.is((await talk(1)).last, '1');
});

test('a handler that throws is told to onError; without one the connection is reset', async () => {
  const errors: unknown[] = [];
  const make = (withHandler: boolean) =>
    serve({
      levels: ['normal'],
      setup(app) {
        app.listen({ port: 7 }, function* (message): Coroutine<void> {
          yield* sleep(1);
          message.reply('before ');
          throw new Error('in the handler');
        });
      },
      ...(withHandler ? { onError: (error: unknown) => errors.push(error) } : {}),
    });
  {
    await using both = await pair(make(true), { log: silent });
    const connection = await both.client.app.connect(at(7));
    connection.send('x');
    assert.is((await read(connection, 7)).toString(), 'before ');
    await until('onError', () => errors.length === 1);
    assert.ok(connection.isOpen);
  }
  await using both = await pair(make(false), { log: silent });
  const connection = await both.client.app.connect(at(7));
  connection.send('x');
  assert.is(await connection.closed, 'reset');
  assert.is(both.server.app.counts().handlersFailed, 1);
});

interface Slow {
  code: string;
  handler: string;
  messageLevel: string;
  ms: number;
}

test('a handler that computes is told of in the log: its name, its level, how long, and once a second', async () => {
  const lines: string[] = [];
  const log = new Log({ level: 'warn', human: false, nowMs: () => 0, write: (line) => lines.push(line) });
  // Time in which others have the core does not count.
  const own = () => performance.now() - loadNative().waitedForCoreUs() / 1_000;
  const computes = (ms: number) => {
    const end = own() + ms;
    while (own() < end);
  };
  const server = serve({
    levels: ['high', 'low'],
    setup(app) {
      app.listen({ port: 7, framing: fixed(1) }, function* hashes(message): Coroutine<void> {
        yield* sleep(1);
        computes(60);
        message.reply('.');
      });
      app.listen({ port: 8, framing: fixed(1) }, (message) => {
        computes(60);
        message.reply('.');
      });
    },
  });
  await using both = await pair(server, { log, serverConfig: { slow_handler: '30ms' } });
  for (const port of [7, 8]) {
    const connection = await both.client.app.connect(at(port));
    connection.send('xx');
    assert.is((await read(connection, 2)).toString(), '..');
  }
  const told = lines.map((line) => JSON.parse(line) as Slow);
  const slow = told.filter(({ code, handler }) => code === 'HANDLER_SLOW' && /hashes|of port/.test(handler));
  assert.equal(
    slow.map(({ handler, messageLevel }) => [handler, messageLevel]),
    [
      ['hashes', 'low'],
      ['the handler of port 8', 'low'],
    ],
  );
  assert.ok(slow.every(({ ms }) => ms >= 40));
});

test('with trace_ops the log names the line of an op that nobody awaits', async () => {
  const lines: string[] = [];
  const log = new Log({ level: 'warn', human: false, write: (line) => lines.push(line) });
  const server = one({ framing: fixed(1) }, function* forgetful(message): Coroutine<void> {
    void sleep(1);
    yield* sleep(1);
    message.reply('.');
  });
  await using both = await pair(server, { log, serverConfig: { trace_ops: true } });
  const connection = await both.client.app.connect(at(7));
  connection.send('x');
  assert.is((await read(connection, 1)).toString(), '.');
  const told = lines.map((line) => JSON.parse(line) as { code: string; msg: string; op: string });
  const forgotten = told.filter(({ code }) => code === 'OP_FORGOTTEN');
  assert.equal(
    forgotten.map(({ op }) => op),
    ['SleepOp'],
  );
  assert.match(forgotten[0]?.msg ?? '', /made at forgetful .*pair\.test/);
});

test('timeout, all and wait work in a handler', async () => {
  const server = one({ framing: fixed(1), order: 'none' }, function* (message): Coroutine<void> {
    const [a, b] = yield* all(wait(Promise.resolve('a')), timeout(1000, wait(tick(1).then(() => 'b'))));
    let late = '';
    try {
      yield* timeout(5, sleep(10_000));
    } catch (error) {
      late = (error as { code: string }).code;
    }
    message.reply(`${a}${b}${late}`);
  });
  await using both = await pair(server);
  const connection = await both.client.app.connect(at(7));
  connection.send('x');
  assert.is((await read(connection, 17)).toString(), 'abQST_ERR_TIMEOUT');
});

test('message.signal is aborted when the connection closes under its handler', async () => {
  let outcome = '';
  const server = serve({
    levels: ['normal'],
    setup(app) {
      app.listen({ port: 7 }, function* (message): Coroutine<void> {
        try {
          yield* sleep(60_000, { signal: message.signal });
        } catch (error) {
          outcome = (error as { code: string }).code;
        } finally {
          outcome += ' finally';
        }
      });
    },
  });
  await using both = await pair(server);
  const connection = await both.client.app.connect(at(7));
  connection.send('x');
  await tick(10);
  connection.abort();
  await until('the signal', () => outcome !== '');
  assert.is(outcome, 'ECONNRESET finally');
});

test('onConnect may talk first, and an app without a handler reads by iterating', async () => {
  const heard: string[] = [];
  const server = serve({
    levels: ['normal'],
    setup(app) {
      app.listen({
        port: 7,
        async onConnect(connection) {
          connection.send('welcome');
          for await (const message of connection) heard.push(message.utf8());
          connection.close();
        },
      });
    },
  });
  await using both = await pair(server);
  const connection = await both.client.app.connect(at(7));
  assert.is((await read(connection, 7)).toString(), 'welcome');
  connection.send('thanks');
  connection.end();
  assert.is(await connection.receive(), null);
  connection.close();
  assert.is(heard.join(''), 'thanks');
});

test('what came before the end can be read after the connection is gone', async () => {
  const server = serve({
    levels: ['normal'],
    setup(app) {
      app.listen({ port: 7 }, (message) => {
        message.reply(new Uint8Array(20_000).fill(5));
        message.connection.close();
      });
    },
  });
  await using both = await pair(server);
  const connection = await both.client.app.connect(at(7));
  connection.send('go');
  connection.end();
  await connection.closed;
  assert.is((await read(connection, 20_000)).filter((byte) => byte === 5).length, 20_000);
  assert.is(await connection.receive(), null);
  await tick(5);
  assert.is(both.client.counters().pools.rxWithApps, 0);
});

test('every answer that came before the peer’s end is handled, one after the other, and then the connection is closed', async () => {
  await using both = await pair(one({ framing: fixed(4) }, (message) => message.reply(message)));
  const seen: number[] = [];
  let running = 0;
  const target = at(7, fixed(4));
  const connection = await both.client.app.connect(target, async (answer) => {
    assert.is(++running, 1);
    const value = answer.u32(0);
    await tick();
    seen.push(value);
    running--;
  });
  for (let i = 0; i < 50; i++) connection.send(Uint8Array.of(0, 0, 0, i));
  connection.end();
  assert.is(await connection.closed, 'finished');
  assert.equal(
    seen,
    Array.from({ length: 50 }, (_, i) => i),
  );
  assert.is(both.client.app.counts().connections, 0);
});

test('a handler that still runs when both sides have ended learns it by its signal; what waits behind it comes next', async () => {
  await using both = await pair(one({ framing: fixed(4) }, (message) => message.reply(message)));
  const seen: string[] = [];
  const connection = await both.client.app.connect(at(7, fixed(4)), function* (answer) {
    const { signal } = answer;
    seen.push(`${answer.u32(0)} ${signal.aborted ? 'after' : 'before'} the end`);
    try {
      yield* sleep(60_000, { signal });
    } catch {
      seen.push(`${answer.u32(0)} is told`);
    }
  });
  connection.send(Uint8Array.of(0, 0, 0, 1));
  await until('the first one is handled', () => seen.length === 1);
  connection.send(Uint8Array.of(0, 0, 0, 2));
  connection.end();
  assert.is(await connection.closed, 'finished');
  assert.equal(seen, ['1 before the end', '1 is told', '2 after the end', '2 is told']);
});

test('a connection that is closed or aborted while its last messages wait is closed at once, and they are given back', async () => {
  for (const how of ['close', 'abort'] as const) {
    await using both = await pair(one({ framing: fixed(4) }, (message) => message.reply(message)));
    const seen: number[] = [];
    const connection = await both.client.app.connect(at(7, fixed(4)), async (answer) => {
      seen.push(answer.u32(0));
      await until('the server is gone', () => both.server.app.counts().connections === 0);
      await tick(20);
      answer.connection[how]();
    });
    for (const last of [1, 2, 3]) connection.send(Uint8Array.of(0, 0, 0, last));
    connection.end();
    assert.is(await connection.closed, 'finished');
    assert.equal(seen, [1]);
    await until('packets are back', () => both.client.counters().pools.rxWithApps === 0);
  }
});

test('a stream whose bytes look like both levels stays in order', async () => {
  await using both = await pair(one({}, (message) => message.reply(message)));
  const connection = await both.client.app.connect(at(7));
  const body = Buffer.alloc(100_000);
  for (let i = 0; i < body.length; i++) body[i] = (i * 7 + (i >>> 8)) % 3;
  for (let at = 0; at < body.length; at += 1000) connection.send(body.subarray(at, at + 1000));
  assert.ok((await read(connection, body.length)).equals(body));
});

test('a thousand short connections leave no packet, slot or timer behind', async () => {
  await using both = await pair(
    one({ framing: fixed(4) }, (message) => message.reply(message)),
    {
      serverConfig: { max_concurrency: 50 },
      clientConfig: { max_concurrency: 50 },
    },
  );
  for (let i = 0; i < 1000; i++) {
    const connection = await both.client.app.connect(at(7, fixed(4)));
    connection.send(Uint8Array.of(i & 1, 0, i >>> 8, i & 0xff));
    assert.is((await connection.receive())?.u16(2), i);
    connection.close();
    await connection.closed;
  }
  for (const { app } of [both.server, both.client]) {
    await until('all closed', () => app.counts().connections === 0);
    assert.is(app.counts().waiting, 0);
  }
  await tick(20);
  for (const stack of [both.server, both.client]) {
    const { pools, counters } = stack.counters();
    assert.equal([pools.rxFree, pools.rxWithApps], [pools.rxPackets, 0]);
    assert.is(pools.txFree + pools.txWithApps, pools.txPackets);
    assert.equal([counters.stale_records, counters.bad_records], [0, 0]);
  }
});

test('with loss, duplication and reordering on the wire the echo is byte-exact', async () => {
  const faults = { fault_seed: 7, fault_rx_drop: 0.02, fault_rx_duplicate: 0.02, fault_rx_reorder: 0.02 };
  await using both = await pair(
    one({}, (message) => message.reply(message)),
    {
      serverConfig: faults,
      clientConfig: { ...faults, fault_seed: 8 },
    },
  );
  const connection = await both.client.app.connect(at(7));
  const body = Buffer.alloc(200_000);
  for (let i = 0; i < body.length; i++) body[i] = (i * 7 + (i >>> 8)) & 0xff;
  connection.send(body);
  assert.ok((await read(connection, body.length)).equals(body));
});

test('connect() and receive() end with their signal', async () => {
  await using both = await pair(one({}, () => {}));
  const { app } = both.client;
  const reason = new Error('enough');
  const waits = async (op: PromiseLike<unknown>, controller: AbortController) => {
    setTimeout(() => controller.abort(reason), 5);
    try {
      await op;
      assert.unreachable();
    } catch (error) {
      assert.is(error, reason);
    }
  };
  const first = new AbortController();
  await waits(app.connect({ address: '10.99.0.77', port: 7, signal: first.signal }), first);
  const connection = await app.connect(at(7));
  const second = new AbortController();
  await waits(connection.receive({ signal: second.signal }), second);
  assert.ok(connection.isOpen);
});

test('an inline app may connect in setup() and in onStart()', async () => {
  const heard: string[] = [];
  const client = serve({
    levels: ['normal'],
    async setup(app) {
      const connection = await app.connect(at(7));
      connection.send('setup');
      heard.push((await connection.receive())?.utf8() ?? '');
      app.onStart(function* (): Coroutine<void> {
        const second = yield* app.connect(at(7));
        second.send('start');
        heard.push((yield* second.receive())?.utf8() ?? '');
      });
    },
  });
  await using _both = await pair(
    one({}, (message) => message.reply(message)),
    { client },
  );
  await until('both answers', () => heard.length === 2);
  assert.equal(heard, ['setup', 'start']);
});

test('a configuration with faults is refused with all of them', async () => {
  const bad = { host_ip: '10.0.0.999/24', max_concurency: 5 };
  try {
    await inline(
      one({}, () => {}),
      bad,
      { ring: { ring: 'bad', side: 0 } },
    );
    assert.unreachable();
  } catch (error) {
    assert.is((error as { code?: string }).code, 'QST_ERR_CONFIG_INVALID');
    assert.is((error as Error).message.split('\n').length, 2);
    assert.match((error as Error).message, 'max_concurrency');
  }
});

test.run();
