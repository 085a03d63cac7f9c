// Private Redis servers: started, found again, ended, and nothing else touched.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Redis } from 'ioredis';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { redisDown, redisStatus, redisUp } from '../../tools/redis/servers.js';

/** A zombie has ended as well: it only waits for us to take notice. */
function hasEnded(pid: number): boolean {
  const path = `/proc/${pid}/stat`;
  return !existsSync(path) || /\) Z /.test(readFileSync(path, 'utf8'));
}

const redis = suite('redis servers');
let dir = '';
redis.before.each(() => {
  dir = mkdtempSync(join(tmpdir(), 'qstack-redis-'));
});
redis.after.each(async () => {
  await redisDown(dir);
  rmSync(dir, { recursive: true, force: true });
});

redis('two servers answer on unix sockets in a folder that only their user may enter', async () => {
  const servers = await redisUp(2, dir);
  assert.is(servers.length, 2);
  assert.is(statSync(dir).mode & 0o777, 0o700);
  for (const { socket } of servers) {
    const client = new Redis(socket);
    assert.is(await client.set('k', 'v'), 'OK');
    assert.is(await client.get('k'), 'v');
    client.disconnect();
  }
});

redis('they listen on no TCP port and write nothing to disk', async () => {
  const [server] = await redisUp(1, dir);
  const client = new Redis(server?.socket ?? '');
  assert.equal(await client.config('GET', 'port'), ['port', '0']);
  assert.equal(await client.config('GET', 'save'), ['save', '']);
  assert.equal(await client.config('GET', 'appendonly'), ['appendonly', 'no']);
  client.disconnect();
});

redis('a second start leaves running servers alone and adds those that are missing', async () => {
  const first = await redisUp(1, dir);
  const second = await redisUp(2, dir);
  assert.is(second[0]?.pid, first[0]?.pid);
  assert.is(redisStatus(dir).length, 2);
});

redis('a stop ends them all, removes their files, and may be repeated', async () => {
  const servers = await redisUp(2, dir);
  assert.is(await redisDown(dir), 2);
  for (const { pid } of servers) assert.ok(hasEnded(pid));
  assert.equal(readdirSync(dir), []);
  assert.is(await redisDown(dir), 0);
});

redis('a process that merely has the number of an old record is not ended', async () => {
  writeFileSync(join(dir, 'redis-0.pid'), JSON.stringify({ pid: process.pid, startTicks: 1 }));
  assert.equal(redisStatus(dir), []);
  assert.is(await redisDown(dir), 0);
});

redis('a server that was killed is started anew over its old socket', async () => {
  const [first] = await redisUp(1, dir);
  process.kill(first?.pid ?? 0, 'SIGKILL');
  while (redisStatus(dir).length > 0) await new Promise((wake) => setTimeout(wake, 10));
  const [second] = await redisUp(1, dir);
  assert.is.not(second?.pid, first?.pid);
  const client = new Redis(second?.socket ?? '');
  assert.is(await client.ping(), 'PONG');
  client.disconnect();
});

redis('servers in the foreground end with their starter, even one that is killed', async () => {
  const main = fileURLToPath(new URL('../../tools/qstack/main.js', import.meta.url));
  const starter = spawn(process.execPath, [main, 'redis', 'up', '--foreground', '--dir', dir], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await once(starter.stdout, 'data');
  assert.is(redisStatus(dir).length, 1);
  starter.kill('SIGKILL');
  const deadline = Date.now() + 5_000;
  while (redisStatus(dir).length > 0 && Date.now() < deadline) await new Promise((wake) => setTimeout(wake, 20));
  assert.equal(redisStatus(dir), []);
});

redis('a folder that is a file is refused with a sentence', async () => {
  const file = join(dir, 'file');
  writeFileSync(file, '');
  let said = '';
  await redisUp(1, file).catch((error: Error) => {
    said = error.message;
  });
  assert.match(said, /EEXIST|is not a folder/);
});

redis.run();
