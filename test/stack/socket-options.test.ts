// Options and state of connections, over a wire in memory: what a program sets reaches the stack, and comes back from there.
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import {
  all,
  type Connection,
  type Message,
  type SocketOptionName,
  type SocketOptions,
  serve,
  stream,
} from '../../index.js';
import { SOCKET_OPTION_NAMES } from '../../stack/socket-options.js';
import { pair, SERVER_ADDRESS } from '../../stack/testing.js';

const at = (port: number) => ({ address: SERVER_ADDRESS, port, framing: stream });
const tick = (ms = 0) => new Promise((done) => setTimeout(done, ms));

/** The connections of the server, newest last. */
function server(options: { socket?: Partial<SocketOptions>; read?: boolean } = {}) {
  const connections: Connection<'normal'>[] = [];
  const { read = true, ...rest } = options;
  const definition = serve({
    levels: ['normal'],
    setup(app) {
      const onConnect = (connection: Connection<'normal'>) => {
        connections.push(connection);
      };
      if (read) app.listen({ port: 7, onConnect, ...rest }, (message: Message<'normal'>) => message.reply(message));
      else app.listen({ port: 7, onConnect, ...rest });
    },
  });
  return { definition, connections };
}

async function throwsCode(code: string, body: () => unknown): Promise<Error> {
  try {
    await body();
  } catch (error) {
    assert.is((error as { code?: string }).code, code, String(error));
    return error as Error;
  }
  return assert.unreachable(`no ${code} was thrown`) as never;
}

async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await holds())) await tick(1);
}

/** A value of each option that is not its default. */
const OTHERS: SocketOptions = {
  noDelay: false,
  quickAck: true,
  delayedAckMs: 123,
  keepAlive: { idleMs: 60_000, intervalMs: 5_000, count: 4 },
  userTimeoutMs: 45_000,
  lingerMs: 2_000,
  maxSegment: 700,
  congestion: 'dctcp',
  pacingRate: 4_000_000_000,
  receiveBuffer: 50_000,
  sendBuffer: 70_000,
  dscp: 46,
  ttl: 17,
  rtoMinMs: 77,
  retries: 5,
  synRetries: 2,
  sums: true,
};

test('every option can be set on an open connection and read back from the stack', async () => {
  const { definition } = server();
  await using both = await pair(definition);
  const connection = await both.client.app.connect(at(7));
  assert.equal(Object.keys(OTHERS), SOCKET_OPTION_NAMES);
  for (const name of SOCKET_OPTION_NAMES) {
    assert.not.equal(await connection.option(name), OTHERS[name], name);
    assert.ok(connection.setOption(name, OTHERS[name]));
    assert.equal(await connection.option(name), OTHERS[name], name);
  }
  connection.send('still there');
  assert.is((await connection.receive())?.length, 11);
  assert.is(both.client.counters().counters.bad_records, 0);
});

test('what stands in listen() and connect() holds from the handshake on, for these connections only', async () => {
  const { definition, connections } = server({ socket: { ...OTHERS, maxSegment: 600 } });
  await using both = await pair(definition);
  const plain = await both.client.app.connect(at(7));
  assert.is((await plain.info()).sndMss, 588, 'our MSS is what the SYN-ACK of the listener says, less the timestamps');
  const other = await both.client.app.connect({ ...at(7), socket: { ...OTHERS, maxSegment: 500 } });
  assert.is((await other.info()).advmss, 500);
  await until(() => connections.length === 2);
  for (const name of SOCKET_OPTION_NAMES) {
    if (name === 'maxSegment') continue;
    assert.equal(await (connections[0] as Connection<'normal'>).option(name), OTHERS[name], name);
    assert.equal(await other.option(name), OTHERS[name], name);
    assert.not.equal(await plain.option(name), OTHERS[name], name);
  }
  assert.is((await (connections[1] as Connection<'normal'>).info()).sndMss, 488);
});

test('the configuration gives the defaults of a stack', async () => {
  const { definition } = server();
  const clientConfig = {
    sndbuf: 100_000,
    rcvbuf: 50_000,
    rto_min: '50ms',
    delayed_ack: '10ms',
    tcp_retries: 3,
    syn_retries: 1,
    user_timeout: '20s',
    keepalive: '90s',
    keepalive_interval: '4s',
    keepalive_count: 2,
    congestion: 'newreno',
    pacing_rate: 123_456,
    ecn: 'on',
  };
  await using both = await pair(definition, { clientConfig });
  const connection = await both.client.app.connect(at(7));
  const expected: Partial<SocketOptions> = {
    sendBuffer: 100_000,
    receiveBuffer: 50_000,
    rtoMinMs: 50,
    delayedAckMs: 10,
    retries: 3,
    synRetries: 1,
    userTimeoutMs: 20_000,
    keepAlive: { idleMs: 90_000, intervalMs: 4_000, count: 2 },
    congestion: 'newreno',
    pacingRate: 123_456,
  };
  for (const [name, value] of Object.entries(expected)) {
    assert.equal(await connection.option(name as SocketOptionName), value, name);
  }
  assert.is((await connection.info()).options.ecn, true);
});

test('a name that is no option is refused as ENOPROTOOPT, wherever it stands', async () => {
  const { definition } = server();
  await using both = await pair(definition);
  const { app } = both.client;
  const connection = await app.connect(at(7));
  const untyped = connection as unknown as {
    setOption(name: string, value: unknown): boolean;
    option(name: string): unknown;
  };
  const error = await throwsCode('ENOPROTOOPT', () => untyped.setOption('nodelay', true));
  assert.match(error.message, /did you mean "noDelay"/);
  for (const name of ['cork', 'notSentLowWater', 'toString', '__proto__', '']) {
    await throwsCode('ENOPROTOOPT', () => untyped.setOption(name, 1));
    await throwsCode('ENOPROTOOPT', () => untyped.option(name));
  }
  await throwsCode('ENOPROTOOPT', () => app.connect({ ...at(7), socket: { cork: 1 } as object }));
  await throwsCode('ENOPROTOOPT', () => app.listen({ port: 9, socket: { cork: 1 } as object }));
});

test('a value that an option does not take is refused with the accepted range', async () => {
  const { definition } = server();
  await using both = await pair(definition);
  const connection = await both.client.app.connect(at(7));
  const untyped = connection as unknown as { setOption(name: string, value: unknown): boolean };
  const wrong: [string, unknown, RegExp][] = [
    ['ttl', 0, /option ttl: 0; accepted is a whole number from 1 to 255/],
    ['ttl', 1.5, /whole number/],
    ['ttl', '64', /whole number/],
    ['noDelay', 1, /true or false/],
    ['congestion', 'bbr', /cubic \| newreno \| dctcp/],
    ['lingerMs', -1, /from 0 to 86400000, or null/],
    ['keepAlive', 60_000, /true, false or \{ idleMs, intervalMs, count \}/],
    ['keepAlive', { idle: 5 }, /idleMs, intervalMs, count/],
    ['keepAlive', { idleMs: 5 }, /keepAlive.idleMs: 5; accepted is a whole number from 1000/],
    ['dscp', null, /0 to 63/],
  ];
  for (const [name, value, sentence] of wrong) {
    assert.match(
      (await throwsCode('QST_ERR_INVALID_ARGUMENT', () => untyped.setOption(name, value))).message,
      sentence,
    );
  }
  assert.is(await connection.option('ttl'), 64);
});

test('a connection that is gone takes no option, and who asks about it is told', async () => {
  const { definition, connections } = server();
  await using both = await pair(definition);
  const connection = await both.client.app.connect(at(7));
  await until(() => connections.length === 1);
  const asked = connection.info();
  assert.is((await asked).state, 'ESTABLISHED');
  connection.abort();
  assert.is(connection.setOption('ttl', 9), false);
  await throwsCode('QST_ERR_CONNECTION_CLOSED', () => connection.info());
  await throwsCode('QST_ERR_CONNECTION_CLOSED', () => connection.option('ttl'));
  const other = await both.client.app.connect(at(7));
  await until(() => connections.length === 2);
  const left = (connections[1] as Connection<'normal'>).closed;
  const answers = Promise.allSettled(Array.from({ length: 40 }, async () => await other.info()));
  (connections[1] as Connection<'normal'>).abort();
  await left;
  for (const answer of await answers) {
    if (answer.status === 'fulfilled') assert.is(answer.value.state, 'ESTABLISHED');
    else assert.match((answer.reason as { code: string }).code, /^(ECONNRESET|QST_ERR_CONNECTION_CLOSED)$/);
  }
  const third = await both.client.app.connect(at(7));
  assert.is((await third.info()).state, 'ESTABLISHED', 'the places of those questions are free again');
});

test('a hundred questions at once are all answered, and cancelled ones keep no place', async () => {
  const { definition } = server();
  await using both = await pair(definition);
  const connection = await both.client.app.connect(at(7));
  for (let round = 0; round < 3; round++) {
    const cancelled = Array.from({ length: 50 }, async () => {
      const controller = new AbortController();
      const asked = connection.info({ signal: controller.signal }).then(
        () => 'answered',
        () => 'cancelled',
      );
      controller.abort();
      return asked;
    });
    const answered = Array.from({ length: 50 }, async (_, i) =>
      i % 2 === 0 ? (await connection.info()).state : connection.option('ttl'),
    );
    assert.equal(new Set(await Promise.all(cancelled)), new Set(['cancelled']));
    assert.equal(new Set(await Promise.all(answered)), new Set(['ESTABLISHED', 64]));
  }
});

test('a handler asks with yield*', async () => {
  const states: string[] = [];
  const definition = serve({
    levels: ['normal'],
    setup(app) {
      app.listen({ port: 7 }, function* (message) {
        const connection = app.connection(message.connection) as Connection<'normal'>;
        const [info, ttl] = yield* all(connection.info(), connection.option('ttl'));
        states.push(`${info.state} ${ttl}`);
        message.reply(message);
      });
    },
  });
  await using both = await pair(definition);
  const connection = await both.client.app.connect(at(7));
  connection.send('x');
  await connection.receive();
  assert.equal(states, ['ESTABLISHED 64']);
});

test('info() tells state, what was agreed, round trip and windows', async () => {
  const { definition, connections } = server();
  await using both = await pair(definition);
  const connection = await both.client.app.connect(at(7));
  const idle = await connection.info();
  assert.is(idle.state, 'ESTABLISHED');
  assert.is(idle.caState, 'open');
  assert.equal(idle.options, { timestamps: true, sack: true, wscale: true, ecn: false });
  assert.equal([idle.sndMss, idle.advmss, idle.pmtu], [1448, 1460, 1500]);
  assert.equal(
    [idle.unacked, idle.sacked, idle.lost, idle.retrans, idle.notsentBytes, idle.unackedBytes],
    [0, 0, 0, 0, 0, 0],
  );
  assert.is(idle.sndWnd, 65_535);
  assert.is(idle.rcvWnd, 65_535);
  assert.is(idle.sndCwnd, 10);
  assert.is(idle.sndSsthresh, undefined);
  assert.equal([idle.minRttUs, idle.deliveryRate, idle.lastDataSentMs], [undefined, undefined, undefined]);
  assert.ok((idle.rttUs as number) > 0);
  assert.ok(idle.rtoUs >= 200_000);
  connections[0]?.end();
  await until(async () => (await connection.info()).state === 'CLOSE-WAIT');
  connection.end();
  await connection.closed;
});

test('the MTU of the configuration is that of the link: the MSS that both ends tell follows from it', async () => {
  const { definition, connections } = server();
  await using both = await pair(definition, { clientConfig: { mtu: 1_000 } });
  const info = await (await both.client.app.connect(at(7))).info();
  assert.equal([info.pmtu, info.advmss, info.sndMss], [1_000, 960, 948]);
  await until(() => connections.length === 1);
  const peer = await (connections[0] as Connection<'normal'>).info();
  assert.equal([peer.pmtu, peer.advmss, peer.sndMss], [1_500, 1_460, 948]);
});

test('with sums, info() counts the bytes and segments of both ends', async () => {
  const { definition, connections } = server({ socket: { sums: true } });
  await using both = await pair(definition);
  const connection = await both.client.app.connect({ ...at(7), socket: { sums: true } });
  connection.send(Buffer.alloc(5_000));
  for (let have = 0; have < 5_000; ) have += (await connection.receive())?.length ?? 0;
  await until(async () => (await connection.info()).unackedBytes === 0);
  const peer = connections[0] as Connection<'normal'>;
  await until(async () => (await peer.info()).unackedBytes === 0);
  const [ours, theirs] = [await connection.info(), await peer.info()];
  assert.equal([ours.bytesAcked, ours.bytesReceived, ours.bytesSent], [5_000, 5_000, 5_000]);
  assert.equal([theirs.bytesAcked, theirs.bytesReceived], [5_000, 5_000]);
  assert.is(ours.dataSegsOut, theirs.dataSegsIn);
  assert.is(ours.delivered, ours.dataSegsOut);
  assert.ok((ours.segsOut as number) > (ours.dataSegsOut as number), 'ACKs are segments');
  assert.equal([ours.bytesRetrans, ours.dsackDups, ours.reordSeen, ours.rcvOoopack, ours.deliveredCe], [0, 0, 0, 0, 0]);
  assert.ok((ours.lastDataRecvMs as number) >= 0 && (ours.lastAckRecvMs as number) >= 0);
  connection.setOption('sums', false);
  assert.is((await connection.info()).bytesAcked, undefined);
});

test('info() of a peer that does not read: the window is closed, and what waits is counted', async () => {
  const { definition } = server({ read: false });
  await using both = await pair(definition);
  const connection = await both.client.app.connect({ ...at(7), socket: { sendBuffer: 100_000 } });
  connection.send(Buffer.alloc(500_000));
  await until(async () => (await connection.info()).sndWnd === 0);
  const info = await connection.info();
  assert.is(info.unackedBytes, 0);
  assert.ok(info.notsentBytes > 30_000 && info.notsentBytes <= 100_000, `${info.notsentBytes} wait in the stack`);
  assert.ok(info.lastRecvMs >= 0);
});

test('sendBuffer bounds what is on its way, may change while bytes wait, and loses none of them', async () => {
  const { definition } = server();
  await using both = await pair(definition);
  const connection = await both.client.app.connect({ ...at(7), socket: { sendBuffer: 4_000 } });
  const bytes = Buffer.alloc(200_000, 'qstack');
  connection.send(bytes);
  for (const size of [100_000, 2_048, 1_000_000, 3_000]) {
    connection.setOption('sendBuffer', size);
    connection.send(bytes);
    await connection.info();
  }
  let have = 0;
  while (have < 5 * bytes.length) have += (await connection.receive())?.length ?? 0;
  assert.is(have, 5 * bytes.length);
});

test('lingerMs 0 makes close() a reset, which the peer sees as one', async () => {
  const { definition, connections } = server();
  await using both = await pair(definition);
  const connection = await both.client.app.connect({ ...at(7), socket: { lingerMs: 0 } });
  await until(() => connections.length === 1);
  const [own, seen] = [connection.closed, (connections[0] as Connection<'normal'>).closed];
  connection.close();
  assert.is(await seen, 'reset');
  assert.is(await own, 'aborted');
});

test('userTimeoutMs ends a connect() that nobody answers, as ETIMEDOUT', async () => {
  const { definition } = server();
  await using both = await pair(definition, { clientConfig: { arp: '10.99.0.9 02:00:00:00:00:09' } });
  await throwsCode('ETIMEDOUT', () =>
    both.client.app.connect({ ...at(7), address: '10.99.0.9', socket: { userTimeoutMs: 300 } }),
  );
});

test('keepAlive probes an idle peer, which answers and stays', async () => {
  const { definition } = server();
  await using both = await pair(definition);
  const connection = await both.client.app.connect(at(7));
  connection.setOption('keepAlive', { idleMs: 1_000, intervalMs: 60_000, count: 1 });
  const probes = () => both.client.counters().counters.keepalive_probes as number;
  await until(() => probes() >= 1);
  await until(async () => (await connection.info()).probes === 0);
  assert.ok(connection.isOpen);
  assert.is(both.client.counters().counters.keepalive_closed, 0);
});

test('connections_per_source limits what one address has, and those that it closes make room', async () => {
  const { definition } = server();
  await using both = await pair(definition, { serverConfig: { connections_per_source: 2 } });
  const { app } = both.client;
  const socket = { userTimeoutMs: 300 };
  const first = await app.connect({ ...at(7), socket });
  await app.connect({ ...at(7), socket });
  await throwsCode('ETIMEDOUT', () => app.connect({ ...at(7), socket }));
  assert.ok((both.server.counters().counters.drop_syn_source as number) >= 1);
  first.abort();
  await first.closed;
  await app.connect({ ...at(7), socket: { userTimeoutMs: 10_000 } });
});

test('half_open_per_source limits what one address is opening; a handshake that ends is none any more', async () => {
  const { definition } = server();
  await using both = await pair(definition, { serverConfig: { half_open_per_source: 1 } });
  const opened = await Promise.all([both.client.app.connect(at(7)), both.client.app.connect(at(7))]);
  assert.ok(opened.every((connection) => connection.isOpen));
  assert.ok((both.server.counters().counters.drop_syn_source as number) >= 1, 'one of the two had to ask again');
});

test.run();
