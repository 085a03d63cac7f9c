// Private Redis servers: started, found again, ended, and nothing else touched.
// watchdog: 240s
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { getPriority, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Cluster, Redis } from 'ioredis';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { rowsOf } from '../../tools/redis/bench.js';
import { redisDown, redisStatus, redisUp } from '../../tools/redis/servers.js';
import { slotsIn } from '../../tools/redis/status.js';
import { parseCores } from '../../tools/taskset.js';
import { freeClusterPort } from '../free-port.js';

/** A zombie has ended as well: it only waits for us to take notice. */
function hasEnded(pid: number): boolean {
  const path = `/proc/${pid}/stat`;
  return !existsSync(path) || /\) Z /.test(readFileSync(path, 'utf8'));
}

const MAIN = fileURLToPath(new URL('../../tools/qstack/main.js', import.meta.url));
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

redis('they give way to who starts them, also where the kernel groups processes by session', async () => {
  const [server] = await redisUp(1, dir);
  const pid = server?.pid ?? 0;
  const niceness = Math.min(19, getPriority() + 3);
  assert.is(getPriority(pid), niceness);
  const autogroup = `/proc/${pid}/autogroup`;
  if (!existsSync(autogroup)) return;
  const isSet = () => readFileSync(autogroup, 'utf8').endsWith(` nice ${niceness}\n`);
  for (let tries = 0; !isSet() && tries < 100; tries++) await sleep(50);
  assert.ok(isSet(), readFileSync(autogroup, 'utf8'));
});

/** As its allocator reads MALLOC_CONF; redis-server overwrites the environment that /proc shows with its title. */
async function mallocStats(socket: string): Promise<string> {
  const client = new Redis(socket);
  const stats = String(await client.call('MEMORY', 'MALLOC-STATS'));
  client.disconnect();
  return stats;
}

redis('they take memory on huge pages, unless MALLOC_CONF says something else', async () => {
  const before = process.env.MALLOC_CONF;
  try {
    delete process.env.MALLOC_CONF;
    const [server] = await redisUp(1, dir);
    process.env.MALLOC_CONF = 'thp:never';
    const [, other] = await redisUp(2, dir);
    const stats = await mallocStats(server?.socket ?? '');
    assert.match(stats, /opt\.thp: "always"/);
    assert.match(stats, /opt\.metadata_thp: "always"/);
    assert.match(await mallocStats(other?.socket ?? ''), /opt\.thp: "never"/);
    const client = new Redis(server?.socket ?? '');
    assert.equal(await client.config('GET', 'disable-thp'), ['disable-thp', 'no']);
    client.disconnect();
  } finally {
    if (before === undefined) delete process.env.MALLOC_CONF;
    else process.env.MALLOC_CONF = before;
  }
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
  const starter = spawn(process.execPath, [MAIN, 'redis', 'up', '--foreground', '--dir', dir], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await once(starter.stdout, 'data');
  assert.is(redisStatus(dir).length, 1);
  starter.kill('SIGKILL');
  const deadline = Date.now() + 5_000;
  while (redisStatus(dir).length > 0 && Date.now() < deadline) await new Promise((wake) => setTimeout(wake, 20));
  assert.equal(redisStatus(dir), []);
});

/** `qstack redis …` on this folder. */
function command(...args: string[]) {
  const { stdout, stderr, status } = spawnSync(process.execPath, [MAIN, 'redis', ...args, '--dir', dir], {
    encoding: 'utf8',
  });
  return { stdout, stderr, status };
}

redis('the command: up twice is up once, status says what runs, down of nothing is no fault', async () => {
  const first = command('up', '-n', '2', '--memory', '64MiB', '--cores', '0');
  assert.is(first.status, 0, first.stderr);
  assert.equal(command('up', '-n', '2'), first);
  const { servers } = JSON.parse(command('status', '--json').stdout);
  const named = (servers as Record<string, unknown>[]).map(({ name, role, slots, memory_max_bytes, tcp }) => [
    name,
    role,
    slots,
    memory_max_bytes,
    tcp,
  ]);
  const limit = 64 * 2 ** 20;
  assert.equal(named, [
    ['redis-0', 'master', 0, limit, null],
    ['redis-1', 'master', 0, limit, null],
  ]);
  const status = readFileSync(`/proc/${servers[0].pid}/status`, 'utf8');
  assert.match(status, /^Cpus_allowed_list:\t0$/m);
  assert.match(command('status').stdout, /redis-1 .*master/);
  assert.match(command('down').stderr, /^2 redis-servers ended/);
  assert.equal(command('down'), { stdout: '', stderr: '0 redis-servers ended\n', status: 0 });
  assert.match(command('status').stderr, /no redis-server of ours runs/);
});

redis('the command: bench asks redis-benchmark for SET and GET of each server', async () => {
  assert.is(command('bench').status, 1);
  await redisUp(1, dir);
  const { stdout, stderr, status } = command('bench', '--requests', '5k', '--pipeline', '16', '--json');
  assert.is(status, 0, stderr);
  const { pipeline, results } = JSON.parse(stdout);
  assert.is(pipeline, 16);
  assert.equal(
    results.map(({ server, test }: { server: string; test: string }) => [server, test]),
    [
      ['redis-0', 'SET'],
      ['redis-0', 'GET'],
    ],
  );
  for (const row of results) assert.ok(row.requests_per_s > 0 && row.p99_ms > 0, JSON.stringify(row));
  const client = new Redis(redisStatus(dir)[0]?.socket ?? '');
  await client.flushall();
  const shape = ['--clients', '3', '--keys', '7', '--value-bytes', '11'];
  assert.match(command('bench', '--requests', '1000', ...shape).stdout, /redis-0 .* GET /);
  const keys = await client.keys('*');
  assert.ok(keys.length > 0 && keys.length <= 7, keys.join());
  assert.is(await client.strlen(keys[0] ?? ''), 11);
  client.disconnect();
  assert.match(command('bench', '--clients', '0').stderr, /--clients/);
});

redis('the command: a cluster of three masters and three replicas, whose lost member comes back', async () => {
  const port = String(await freeClusterPort());
  const first = command('up', '--cluster', '--port', port, '--node-timeout', '2s');
  assert.is(first.status, 0, first.stderr);
  assert.is(first.stdout.split('\n')[0], `127.0.0.1:${port}`);
  const { servers } = JSON.parse(command('status', '--json').stdout);
  const shape = (servers as Record<string, unknown>[]).map(({ role, slots }) => `${role} ${slots}`);
  assert.equal(shape, ['master 5461', 'master 5461', 'master 5462', ...Array(3).fill('replica 0')]);
  const client = new Cluster([{ host: '127.0.0.1', port: Number(port) }]);
  assert.is(await client.set('key', 'value'), 'OK');
  assert.is(await client.get('key'), 'value');
  client.disconnect();
  process.kill(servers[5].pid, 'SIGKILL');
  while (!hasEnded(servers[5].pid)) await new Promise((wake) => setTimeout(wake, 10));
  assert.equal(command('up', '--cluster', '--port', port), first);
  assert.is(redisStatus(dir).length, 6);
  assert.is(command('bench', '--requests', '1000', '--json').status, 0);
});

redis('the command: what is wrong with a flag is a sentence and exit 2', () => {
  for (const [flags, sentence] of [
    [['-n', '0'], /a whole number from 1 to 64 is expected/],
    [['--cores', '4096'], /cores such as 0,2-3/],
    [['--memory', 'much'], /a size is expected/],
  ] as const) {
    const { stderr, status } = command('up', ...flags);
    assert.is(status, 2);
    assert.match(stderr, sentence);
  }
  assert.match(command('up', '--cluster', '--port', '60000').stderr, /its members also need the ports 10000 above/);
  assert.equal(redisStatus(dir), []);
});

redis('lines of redis-benchmark of any version, ranges of slots and lists of cores are read', () => {
  const old = rowsOf('a', '"SET","1000.50"\n"GET","2000.00"\n');
  assert.equal(old[0], { server: 'a', test: 'SET', requests_per_s: 1001, p50_ms: null, p99_ms: null });
  const head = '"test","rps","avg_latency_ms","min_latency_ms","p50_latency_ms","p95_latency_ms","p99_latency_ms"';
  const [row] = rowsOf('a', `Cluster has 3 master nodes:\n${head}\n"GET","5.00","1","0","0.5","1","1.5"\n`);
  assert.equal([row?.requests_per_s, row?.p50_ms, row?.p99_ms], [5, 0.5, 1.5]);
  const nodes = 'id0 a:1 master - 0 0 1 connected 5-9\nid1 b:2 myself,master - 0 0 2 connected 0-4 7 [93->-id0]\n';
  assert.is(slotsIn(nodes), 6);
  assert.equal(parseCores('0,2-3', 4), [0, 2, 3]);
  assert.equal([parseCores('4', 4), parseCores('3-2', 4), parseCores('x', 4)], [undefined, undefined, undefined]);
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
