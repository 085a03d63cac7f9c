// `qstack forward` as a process, before servers of ours as processes: real curl, redis-benchmark and sockets of the kernel.
// watchdog: 240s
import { execFile } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createConnection, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { type RedisServer, redisDown, redisUp } from '../../tools/redis/servers.js';
import { Program } from '../apps/program.js';
import { freePort } from '../free-port.js';

const run = promisify(execFile);
const FILE = randomBytes(10_000_000);
/** More than all buffers on the way hold. */
const STALL_BYTES = 32 * 1024 * 1024;
const PIECE = 64 * 1024;

interface Summary {
  pairs: { accepted: number; finished: number; reset: number; refused: number; failed: Record<string, number> }[];
}

interface Context {
  folder: string;
  socket: string;
  ports: { echo: number; http: number; nothing: number };
  server: Program;
  forward: Program;
  /** Each that was started: a test that failed leaves none behind. */
  programs: Program[];
}

const forward = suite<Context>('qstack forward');

const sha = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');

function start({ programs }: Context, ...args: ConstructorParameters<typeof Program>): Program {
  const program = new Program(...args);
  programs.push(program);
  return program;
}

async function startServer(context: Context): Promise<Program> {
  const device = ['--device', `memif:${context.socket}?server`, '--max-concurrency', '1000'];
  const server = start(context, 'apps/echo_server/main.js', [...device, '--root', context.folder]);
  await server.said('listening ');
  return server;
}

function startForward(context: Context, ...flags: string[]): Program {
  return start(context, 'tools/qstack/main.js', ['forward', '--socket', context.socket, ...flags]);
}

async function startBoth(context: Context): Promise<void> {
  const { echo, http, nothing } = context.ports;
  const pairs = [`127.0.0.1:${echo}`, '10.0.0.1:7', `${http}`, '10.0.0.1:80', `${nothing}`, '10.0.0.1:81'];
  context.forward = startForward(context, '--json', ...pairs);
  await context.forward.said('no server listens at ');
  context.server = await startServer(context);
  await context.forward.said('is up');
}

async function open(port: number): Promise<Socket> {
  const socket = createConnection({ port, host: '127.0.0.1', allowHalfOpen: true });
  await once(socket, 'connect');
  return socket;
}

async function everything(socket: Socket): Promise<Buffer> {
  const parts: Buffer[] = [];
  for await (const part of socket) parts.push(part as Buffer);
  return Buffer.concat(parts);
}

/** Sends all, ends its own direction, and reads what comes back until the server ends as well. */
async function echoed(port: number, bytes: Buffer): Promise<Buffer> {
  const socket = await open(port);
  socket.end(bytes);
  return everything(socket);
}

forward.before(async (context) => {
  context.folder = mkdtempSync(join(tmpdir(), 'qstack-forward-'));
  context.socket = join(context.folder, 'memif', 'q.sock');
  writeFileSync(join(context.folder, 'large.bin'), FILE);
  context.programs = [];
  context.ports = { echo: await freePort(), http: await freePort(), nothing: await freePort() };
  await startBoth(context);
});
forward.after(async (context) => {
  await Promise.all(context.programs.map((program) => program.stop('SIGKILL')));
  rmSync(context.folder, { recursive: true, force: true });
});

forward('curl downloads 10 MB from the file server, byte for byte', async ({ ports, folder }) => {
  const target = join(folder, 'copy.bin');
  const url = `http://127.0.0.1:${ports.http}/large.bin`;
  const { stdout } = await run('curl', ['-sS', '-m', '30', '-o', target, '-w', '%{http_code} %{size_download}', url]);
  assert.is(stdout, '200 10000000');
  await run('cmp', [target, join(folder, 'large.bin')]);
});

forward('10 MB are echoed, and an end travels on alone: what comes back comes whole', async ({ ports }) => {
  assert.is(sha(await echoed(ports.echo, FILE)), sha(FILE));
});

forward('200 connections at once each get their own bytes', async ({ ports }) => {
  const sent = Array.from({ length: 200 }, () => randomBytes(20_000));
  const back = await Promise.all(sent.map((bytes) => echoed(ports.echo, bytes)));
  assert.equal(back.map(sha), sent.map(sha));
});

forward('what a client does not read is not taken from it; when it reads on, nothing is missing', async ({ ports }) => {
  const socket = await open(ports.echo);
  const sent = randomBytes(STALL_BYTES);
  for (let at = 0; at < sent.length; at += PIECE) socket.write(sent.subarray(at, at + PIECE));
  socket.end();
  let before = Number.POSITIVE_INFINITY;
  while (socket.writableLength < before || before === STALL_BYTES) {
    before = socket.writableLength;
    await sleep(500);
  }
  assert.ok(socket.writableLength > 0, 'all was taken although nobody reads');
  assert.is(sha(await everything(socket)), sha(sent));
});

forward(
  'a port without a listener behind it resets, and the sentence names the server',
  async ({ ports, forward: it }) => {
    const socket = createConnection(ports.nothing, '127.0.0.1');
    const [error] = (await once(socket, 'error')) as [NodeJS.ErrnoException];
    assert.is(error.code, 'ECONNRESET');
    await it.said('10.0.0.1:81: nothing listens there (ECONNREFUSED)');
  },
);

forward('a server that dies resets its clients, and is there for new ones once it runs again', async (context) => {
  const socket = await open(context.ports.echo);
  socket.write('once');
  await once(socket, 'data');
  const failed = once(socket, 'error') as Promise<[NodeJS.ErrnoException]>;
  await context.server.stop('SIGKILL');
  assert.is((await failed)[0].code, 'ECONNRESET');
  const early = echoed(context.ports.echo, Buffer.from('early'));
  context.server = await startServer(context);
  assert.is(String(await early), 'early');
});

forward('a second peer of the link is told what is in its way', async (context) => {
  const second = startForward(context, String(await freePort()), '10.0.0.1:7');
  await second.said('has another peer, and a memif socket has one');
  assert.is(await second.stop('SIGINT'), 0);
  assert.is(String(await echoed(context.ports.echo, Buffer.from('unharmed'))), 'unharmed');
});

forward('a client that breaks off is counted, and ^C ends it with a summary', async ({ ports, forward: it }) => {
  const socket = await open(ports.echo);
  socket.write('x');
  await once(socket, 'data');
  socket.resetAndDestroy();
  await sleep(300);
  assert.is(await it.stop('SIGINT'), 0);
  const { pairs } = JSON.parse(it.out) as Summary;
  const [echo, http, nothing] = pairs;
  assert.is(http?.finished, 1);
  assert.equal(nothing?.failed, { ECONNREFUSED: 1 });
  assert.is(echo?.accepted, (echo?.finished ?? 0) + (echo?.reset ?? 0));
  assert.is(echo?.finished, 1 + 200 + 1 + 1 + 1);
  assert.is(echo?.reset, 2);
});

forward('beyond --connections a client is refused, and told so', async (context) => {
  const port = context.ports.echo;
  context.forward = startForward(context, '--connections', '2', String(port), '10.0.0.1:7');
  await context.forward.said('is up');
  const held = [await open(port), await open(port)];
  for (const socket of held) {
    socket.write('x');
    await once(socket, 'data');
  }
  const [error] = (await once(createConnection(port, '127.0.0.1'), 'error')) as [NodeJS.ErrnoException];
  assert.is(error.code, 'ECONNRESET');
  await context.forward.said('2 connections are open, more are refused: see --connections');
  for (const socket of held) socket.destroy();
  await sleep(500);
  assert.is(String(await echoed(port, Buffer.from('again'))), 'again');
  await context.forward.stop('SIGINT');
  assert.match(context.forward.err, /-> 10\.0\.0\.1:7: 4 connections, 7 B to the server, 7 B from it, 1 refused/);
});

async function redisThrough(context: Context, { socket }: RedisServer): Promise<void> {
  const module = fileURLToPath(new URL('./forward-redis.js', import.meta.url));
  const device = ['--device', `memif:${context.socket}?server`, '--max-concurrency', '1000'];
  const command = ['run', module, ...device];
  context.server = start(context, 'tools/qstack/main.js', command, ['env', `REDIS_SOCKET=${socket}`]);
  await context.server.said('listening ');
  const port = String(await freePort());
  context.forward = startForward(context, port, '10.0.0.1:6379');
  await context.forward.said('is up');
  assert.is((await run('redis-cli', ['-p', port, 'set', 'through', 'forward'])).stdout, 'OK\n');
  const load = ['-p', port, '-c', '50', '-n', '1000', '-t', 'set,get', '--csv'];
  const { stdout } = await run('redis-benchmark', load, { timeout: 30_000 });
  assert.match(stdout, /"SET","\d/);
  assert.match(stdout, /"GET","\d/);
  assert.is((await run('redis-cli', ['-s', socket, 'get', 'through'])).stdout, 'forward\n');
}

forward('redis-benchmark reaches a real Redis behind a server on our stack', async (context) => {
  await context.server.stop();
  const dir = join(context.folder, 'redis');
  const [redis] = await redisUp(1, dir);
  if (redis === undefined) throw new Error('no Redis');
  try {
    await redisThrough(context, redis);
    assert.is(await context.forward.stop('SIGINT'), 0);
  } finally {
    await redisDown(dir);
  }
});

forward('what is wrong on the command line is one sentence and exit 2, an address in use exit 1', async (context) => {
  const faults: [string[], number, RegExp][] = [
    [['8080'], 2, /come in pairs/],
    [['8080', '10.0.0.1:80', '--connect-timeout', 'x'], 2, /--connect-timeout: "x" is not accepted/],
    [['8080', '10.0.0.1:80', '--source', '10.0.0'], 2, /--source: host_ip/],
  ];
  for (const [words, code, sentence] of faults) {
    const program = startForward(context, ...words);
    assert.is(await program.ended, code);
    assert.match(program.err, sentence);
  }
  const taken = createServer().listen(0, '127.0.0.1');
  await once(taken, 'listening');
  const program = startForward(context, String((taken.address() as AddressInfo).port), '10.0.0.1:80');
  assert.is(await program.ended, 1);
  assert.match(program.err, /qstack forward: listen EADDRINUSE/);
  taken.close();
});

forward('--help has examples and fits a screen', async (context) => {
  const program = startForward(context, '--help');
  assert.is(await program.ended, 0);
  assert.match(program.out, /curl http:\/\/127\.0\.0\.1:8080/);
  assert.ok(program.out.split('\n').length <= 40, program.out);
});

forward.run();
