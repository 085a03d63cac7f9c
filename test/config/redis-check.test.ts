import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { formatFault } from '../../stack/config/fault.js';
import { defaultRedis, formatRedis, redisFaults, redisFaultsOf } from '../../stack/config/redis-check.js';

const check = suite('redis check');
let dir = '';
let path = '';
let server: Server | undefined;

check.before.each(() => {
  dir = mkdtempSync(join(tmpdir(), 'qstack-ping-'));
  path = join(dir, 'r.sock');
});
check.after.each(() => {
  server?.close();
  server = undefined;
  rmSync(dir, { recursive: true });
});

async function answering(answer: string): Promise<string[]> {
  server = createServer((socket) => socket.once('data', () => socket.end(answer)));
  await new Promise<void>((done) => server?.listen(path, done));
  return faults();
}

async function faults(): Promise<string[]> {
  const found = await redisFaults([{ kind: 'unix', path }], 'a.conf:3');
  return found.map((fault) => formatFault(fault).replace(path, 'SOCKET'));
}

const START = '`qstack redis up` starts one';

check('a server that answers PONG is right, also while it loads its data', async () => {
  assert.equal(await answering('+PONG\r\n'), []);
});

check('a server that is still loading is right', async () => {
  assert.equal(await answering('-LOADING Redis is loading the dataset in memory\r\n'), []);
});

check('a socket that is not there is a sentence with what to do', async () => {
  assert.equal(await faults(), [`a.conf:3: redis: SOCKET: there is no such socket; ${START}`]);
});

check('a file that is no socket is a sentence', async () => {
  writeFileSync(path, '');
  assert.match((await faults())[0] ?? '', /SOCKET: (nobody listens there|it is no socket); .* starts one/);
});

check('something that is no Redis is a sentence', async () => {
  assert.equal(await answering('HTTP/1.1 400 Bad Request\r\n'), [
    `a.conf:3: redis: SOCKET: what answers there is no Redis; ${START}`,
  ]);
});

check('a Redis with a password is a sentence', async () => {
  assert.match((await answering('-NOAUTH Authentication required.\r\n'))[0] ?? '', /asks for a password/);
});

check('without a list the servers of the runtime folder are taken, up to the first gap', () => {
  assert.equal(defaultRedis(dir), []);
  for (const name of ['redis-0.sock', 'redis-1.sock', 'redis-3.sock']) writeFileSync(join(dir, name), '');
  assert.equal(
    defaultRedis(dir).map(formatRedis),
    [0, 1].map((index) => join(dir, `redis-${index}.sock`)),
  );
});

/** What a cluster's seed on a loopback port answers, and one beside it that is not there. */
async function cluster(answer: string): Promise<string[]> {
  server = createServer((socket) => socket.once('data', () => socket.end(answer)));
  await new Promise<void>((done) => server?.listen(0, '127.0.0.1', done));
  const { port } = server.address() as AddressInfo;
  const redisCluster = [port, 1].map((one) => ({ kind: 'tcp' as const, host: '127.0.0.1', port: one }));
  const found = await redisFaultsOf({ redis: [], redisCluster });
  return found.map((fault) => formatFault(fault).replace(String(port), 'PORT'));
}

check('of a cluster one server that answers is enough', async () => {
  assert.equal(await cluster(`$40\r\n${'a'.repeat(40)}\r\n`), []);
});

check('a server without cluster support is said, when no other answers', async () => {
  const said = await cluster('-ERR This instance has cluster support disabled\r\n');
  const start = '`qstack redis up --cluster` starts one';
  assert.is(said[0], `configuration: redis_cluster: 127.0.0.1:PORT: it is no server of a cluster; ${start}`);
  assert.match(said[1] ?? '', /127\.0\.0\.1:1: nobody listens there/);
});

check('every server that is wrong is named', async () => {
  const two = [path, join(dir, 'other.sock')].map((name) => ({ kind: 'unix' as const, path: name }));
  assert.is((await redisFaults([...two, { kind: 'tcp', host: '127.0.0.1', port: 1 }])).length, 3);
});

check.run();
