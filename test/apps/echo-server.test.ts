// echo_server on a pair of stacks in this process: bytes come back as they went, files arrive whole, in constant memory.
import { createHash, randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { echoServer } from '../../apps/echo_server/server.js';
import type { Connection } from '../../stack/connection.js';
import { type Pair, pair, SERVER_ADDRESS } from '../../stack/testing.js';

const FILE_BYTES = 8 * 1024 * 1024;

interface Context {
  root: string;
  file: Buffer;
  pair: Pair<'normal', 'normal'>;
}

const echo = suite<Context>('echo_server');

echo.before(async (context) => {
  context.root = mkdtempSync(join(tmpdir(), 'qstack-echo-'));
  context.file = randomBytes(FILE_BYTES);
  writeFileSync(join(context.root, 'large.bin'), context.file);
  writeFileSync(join(context.root, 'small.txt'), 'small\n');
  context.pair = await pair(echoServer({ echoPort: 7, httpPort: 80, root: context.root }));
});
echo.after(async (context) => {
  await context.pair.stop();
  rmSync(context.root, { recursive: true, force: true });
});

async function open({ pair: stacks }: Context, port: number): Promise<Connection<'normal'>> {
  return stacks.client.app.connect({ address: SERVER_ADDRESS, port });
}

/** Reads until `enough` says so, or the peer ends. */
async function read(connection: Connection, enough: (bytes: Buffer) => boolean): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  let length = 0;
  for (;;) {
    const message = await connection.receive();
    if (message === null) return Buffer.concat(parts);
    parts.push(message.copy());
    length += message.length;
    if (length < 4096 || parts.length % 64 === 0) {
      const bytes = Buffer.concat(parts);
      if (enough(bytes)) return bytes;
    }
  }
}

const sha = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');

async function request(context: Context, text: string): Promise<{ head: string; body: Buffer }> {
  const connection = await open(context, 80);
  connection.send(text);
  const bytes = await read(connection, () => false);
  const end = bytes.indexOf('\r\n\r\n');
  connection.close();
  return { head: bytes.subarray(0, end).toString('latin1'), body: bytes.subarray(end + 4) };
}

const get = (path: string, more = '') => `GET ${path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n${more}\r\n`;

echo('what is sent to the echo port comes back, byte for byte', async (context) => {
  const connection = await open(context, 7);
  const sent = context.file.subarray(0, 1_000_000);
  const back = read(connection, (bytes) => bytes.length === sent.length);
  for (let at = 0; at < sent.length; at += 50_000) {
    connection.send(sent.subarray(at, at + 50_000));
    await connection.drain();
  }
  connection.end();
  assert.is(sha(await back), sha(sent));
});

echo('a file of 8 MiB arrives whole', async (context) => {
  const { head, body } = await request(context, get('/large.bin'));
  assert.match(head, /^HTTP\/1\.1 200 OK\r\n/);
  assert.match(head, new RegExp(`Content-Length: ${FILE_BYTES}`));
  assert.is(sha(body), sha(context.file));
});

echo('a range, a HEAD, a missing file and a wrong method are answered as HTTP says', async (context) => {
  const ranged = await request(context, get('/large.bin', 'Range: bytes=1000-1999\r\n'));
  assert.match(ranged.head, /^HTTP\/1\.1 206 .*Content-Range: bytes 1000-1999\/8388608/s);
  assert.equal(ranged.body, context.file.subarray(1000, 2000));
  const head = await request(context, 'HEAD /small.txt HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n');
  assert.match(head.head, /Content-Length: 6/);
  assert.is(head.body.length, 0);
  assert.match((await request(context, get('/none'))).head, /^HTTP\/1\.1 404 /);
  assert.match((await request(context, get('/../../etc/passwd'))).head, /^HTTP\/1\.1 404 /);
  assert.match((await request(context, 'POST / HTTP/1.1\r\nHost: x\r\n\r\n')).head, /^HTTP\/1\.1 405 /);
});

echo('a connection is kept for the next request, also when two come at once', async (context) => {
  const connection = await open(context, 80);
  const twice = 'GET /small.txt HTTP/1.1\r\nHost: x\r\n\r\n'.repeat(2);
  connection.send(twice);
  const both = await read(connection, (bytes) => bytes.toString().split('small\n').length === 3);
  assert.is(both.toString().match(/HTTP\/1\.1 200 OK/g)?.length, 2);
  connection.send('GET /small.txt HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n');
  const last = await read(connection, () => false);
  assert.match(last.toString(), /Connection: close\r\n\r\nsmall\n$/);
  connection.close();
});

echo('a peer that reads slowly holds back the disk, not the memory', async (context) => {
  const connection = await open(context, 80);
  connection.send(get('/large.bin'));
  await new Promise((done) => setTimeout(done, 300));
  const { sendOverflows } = context.pair.server.app.counts();
  assert.is(sendOverflows, 0);
  const bytes = await read(connection, () => false);
  assert.is(sha(bytes.subarray(bytes.indexOf('\r\n\r\n') + 4)), sha(context.file));
});

echo('a client that goes away in the middle leaves nothing behind', async (context) => {
  const connection = await open(context, 80);
  connection.send(get('/large.bin'));
  await connection.receive();
  connection.abort();
  await connection.closed;
  const deadline = Date.now() + 3_000;
  while (context.pair.server.app.counts().connections > 0 && Date.now() < deadline) {
    await new Promise((done) => setTimeout(done, 10));
  }
  assert.is(context.pair.server.app.counts().connections, 0);
});

echo.run();
