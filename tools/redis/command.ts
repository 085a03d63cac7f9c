// `qstack redis up | down | status | bench`: private Redis servers, or a Redis Cluster, from a shell.
import type { ChildProcess } from 'node:child_process';
import { availableParallelism } from 'node:os';
import Table from 'cli-table3';
import { Command, InvalidArgumentError } from 'commander';
import { formatSize, parseCount, parseDurationMs, parseSizeBytes } from '../../stack/config/units.js';
import { parseCores } from '../taskset.js';
import { type BenchOptions, type BenchRow, benchOf, targetsOf } from './bench.js';
import { CLUSTER_PORT, clusterUp } from './cluster.js';
import { defaultRedisDir, type RedisServer, redisDown, redisStatus, redisUp } from './servers.js';
import { type ServerStatus, statusOf } from './status.js';

const EXAMPLES = `
Examples:
  qstack redis up -n 2                       two servers, which stay when the shell ends
  qstack redis up -n 2 --cores 2,3 --memory 2GiB
  qstack redis up -n 1 --foreground          one server, until ^C
  qstack redis up --cluster                  3 masters, 3 replicas, on ports 7000 to 7005
  qstack redis status                        role, slots, memory and clients of those that run
  qstack redis bench --pipeline 64           what they can do, by redis-benchmark
  qstack redis down                          ends what \`up\` started, and nothing else`;

/** commander's parser of a value: a sentence where it is none. */
function parsed<T>(parse: (text: string) => T | undefined, expected: string): (text: string) => T {
  return (text) => {
    const value = parse(text);
    if (value === undefined) throw new InvalidArgumentError(`${expected} is expected.`);
    return value;
  };
}

const whole = (least: number, most: number) =>
  parsed((text) => {
    const value = parseCount(text);
    return value !== undefined && value >= least && value <= most ? value : undefined;
  }, `a whole number from ${least} to ${most}`);

interface UpFlags {
  servers: number;
  dir: string;
  cluster?: true;
  port?: number;
  cores?: number[];
  memory?: number;
  nodeTimeout?: number;
  foreground?: true;
}

/** Stays until a signal comes or a server ends by itself; then all of them end. */
async function stay(children: readonly ChildProcess[], dir: string): Promise<void> {
  const why = await new Promise<'asked' | 'ended'>((done) => {
    process.once('SIGINT', () => done('asked')).once('SIGTERM', () => done('asked'));
    for (const child of children) child.once('exit', () => done('ended'));
  });
  if (why === 'ended') process.stderr.write('a redis-server ended by itself: the others end too\n');
  await redisDown(dir);
  if (why === 'ended') process.exitCode = 1;
}

async function up(flags: UpFlags): Promise<void> {
  const { servers, dir, cluster, port, cores, memory, nodeTimeout, foreground } = flags;
  const children: ChildProcess[] = [];
  const options = { foreground: foreground ? children : undefined, cores, memoryBytes: memory, port };
  if (cluster && process.stderr.isTTY) process.stderr.write('six servers agree on their slots …\n');
  const started = cluster
    ? await clusterUp(dir, { ...options, nodeTimeoutMs: nodeTimeout })
    : await redisUp(servers, dir, options);
  for (const one of started) process.stdout.write(`${cluster ? `127.0.0.1:${one.port}` : one.socket}\n`);
  if (foreground) await stay(children, dir);
}

async function down({ dir }: { dir: string }): Promise<void> {
  const count = await redisDown(dir);
  process.stderr.write(`${count} redis-server${count === 1 ? '' : 's'} ended\n`);
}

const number = (value: number) => value.toLocaleString('en-US');

function table(head: string[], rows: string[][], left: readonly number[]): string {
  const colAligns = head.map((_, i) => (left.includes(i) ? 'left' : 'right') as 'left' | 'right');
  const made = new Table({ head, colAligns, style: { head: [], border: [], compact: true } });
  made.push(...rows);
  return made.toString();
}

function statusTable(rows: readonly ServerStatus[]): string {
  const head = ['server', 'role', 'slots', 'keys', 'memory', 'limit', 'clients', 'ops/s', 'pid', 'reached at'];
  return table(
    head,
    rows.map((row) => [
      row.name,
      row.role,
      row.slots === 0 ? '' : number(row.slots),
      number(row.keys),
      formatSize(row.memory_bytes),
      row.memory_max_bytes === 0 ? 'none' : formatSize(row.memory_max_bytes),
      number(row.clients),
      number(row.operations_per_s),
      String(row.pid),
      row.tcp ?? row.socket,
    ]),
    [0, 1, 9],
  );
}

function running(dir: string): RedisServer[] {
  const servers = redisStatus(dir);
  if (servers.length === 0) process.stderr.write(`no redis-server of ours runs in ${dir}\n`);
  return servers;
}

async function status({ dir, json }: { dir: string; json?: true }): Promise<void> {
  const rows = await Promise.all(running(dir).map(statusOf));
  if (json) process.stdout.write(`${JSON.stringify({ servers: rows })}\n`);
  else if (rows.length > 0) process.stdout.write(`${statusTable(rows)}\n`);
}

async function bench({ dir, json, ...options }: BenchOptions & { dir: string; json?: true }): Promise<void> {
  const targets = targetsOf(running(dir));
  if (targets.length === 0) throw new Error('there is nothing to measure: `qstack redis up` starts a server');
  const rows: BenchRow[] = [];
  for (const target of targets) {
    process.stderr.write(`${target.name}: SET and GET, ${number(options.requests)} each …\n`);
    rows.push(...(await benchOf(target, options)));
  }
  if (json) process.stdout.write(`${JSON.stringify({ ...options, results: rows })}\n`);
  else {
    const time = (ms: number | null) => (ms === null ? '' : `${ms.toFixed(2)} ms`);
    const cells = rows.map((row) => [
      row.server,
      row.test,
      number(row.requests_per_s),
      time(row.p50_ms),
      time(row.p99_ms),
    ]);
    process.stdout.write(`${table(['server', 'test', 'requests/s', 'p50', 'p99'], cells, [0, 1])}\n`);
  }
}

const last = (cores: number) => cores - 1;

export function redisCommand(): Command {
  const command = new Command('redis')
    .description('private redis-server processes on unix sockets, or a Redis Cluster on loopback')
    .addHelpText('after', EXAMPLES);
  const dir: [string, string, string] = ['--dir <folder>', 'folder of the sockets, mode 0700', defaultRedisDir()];
  const json: [string, string] = ['--json', 'one JSON object on stdout'];
  const cores = parsed((text) => parseCores(text), `cores such as 0,2-3, up to ${last(availableParallelism())},`);
  command
    .command('up')
    .description('sees that servers 0 … n-1 run, and prints where they are reached')
    .option('-n, --servers <n>', 'how many', whole(1, 64), 1)
    .option('--cluster', '3 masters and 3 replicas that share the slots of a Redis Cluster, in place of -n')
    .option('--port <port>', `first TCP port on 127.0.0.1 (default: none; a cluster ${CLUSTER_PORT})`, whole(1, 65_535))
    .option('--cores <list>', 'pins each server to one of these cores, in turn', cores)
    .option(
      '--memory <size>',
      'what each server may keep, such as 2GiB; then writes are refused',
      parsed(parseSizeBytes, 'a size'),
    )
    .option(
      '--node-timeout <time>',
      'cluster: a member silent for so long has failed (default: 5s)',
      parsed((text) => parseDurationMs(text), 'a duration such as 5s'),
    )
    .option(...dir)
    .option('--foreground', 'stay, and end them with this command')
    .action(up);
  command
    .command('down')
    .description('ends those that `up` started')
    .option(...dir)
    .action(down);
  command
    .command('status')
    .description('role, slots, memory and clients of those that run')
    .option(...json)
    .option(...dir)
    .action(status);
  command
    .command('bench')
    .description('redis-benchmark against each of them, a cluster as a whole')
    .option('--requests <n>', 'of each kind', whole(1, 1_000_000_000), 200_000)
    .option('--pipeline <n>', 'commands per write', whole(1, 10_000), 64)
    .option('--clients <n>', 'connections', whole(1, 900), 50)
    .option('--keys <n>', 'different keys', whole(1, 1_000_000_000), 100_000)
    .option('--value-bytes <n>', 'bytes of a value', whole(1, 1_000_000), 32)
    .option(...json)
    .option(...dir)
    .action(bench);
  return command;
}
