// Real redis-server processes on unix sockets in a private folder: no TCP port, no persistence, never the system's service.
// In: a number and a folder of mode 0700. Out: `<dir>/redis-<i>.sock`, and a record of pid and start time for each.
// A process is ended only if its record's pid and start time are still those of a running process: it is ours, not a later
// process that was given the same number.
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, existsSync, openSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { getPriority, setPriority } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { SOCKET_PATH_MAX } from '../../stack/config/device.js';
import { makePrivateDir, runtimeDir } from '../../stack/config/runtime-dir.js';
import { onCore } from '../taskset.js';

const READY_MS = 10_000;
const END_MS = 5_000;
const POLL_MS = 20;
/** That of app threads: where they share a core, the stack thread that feeds them goes first. */
const NICENESS = 3;
export const SERVERS_MAX = 64;

export interface RedisServer {
  index: number;
  pid: number;
  socket: string;
}

interface ProcessRecord {
  pid: number;
  /** Clock ticks from the machine's start: with the pid it names one process for ever. */
  startTicks: number;
}

export function defaultRedisDir(): string {
  return join(runtimeDir(), 'redis');
}

function socketPath(dir: string, index: number): string {
  return join(dir, `redis-${index}.sock`);
}

function recordPath(dir: string, index: number): string {
  return join(dir, `redis-${index}.pid`);
}

/** Start time of a running process; undefined when there is none (a zombie has ended too). */
function startTicksOf(pid: number): number | undefined {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
      .replace(/^.*\) /s, '')
      .split(' ');
    return fields[0] === 'Z' ? undefined : Number(fields[19]);
  } catch {
    return undefined;
  }
}

function readRecord(path: string): ProcessRecord | undefined {
  try {
    const record = JSON.parse(readFileSync(path, 'utf8')) as ProcessRecord;
    return Number.isSafeInteger(record.pid) && record.pid > 1 ? record : undefined;
  } catch {
    return undefined;
  }
}

function isRunning(record: ProcessRecord): boolean {
  return startTicksOf(record.pid) === record.startTicks;
}

/** The servers of `dir` that run. */
export function redisStatus(dir = defaultRedisDir()): RedisServer[] {
  if (!existsSync(dir)) return [];
  return readdirSync(dir)
    .map((name) => Number(/^redis-(\d+)\.pid$/.exec(name)?.[1] ?? Number.NaN))
    .filter((index) => !Number.isNaN(index))
    .sort((a, b) => a - b)
    .flatMap((index) => {
      const record = readRecord(recordPath(dir, index));
      const running = record !== undefined && isRunning(record);
      return running ? [{ index, pid: record.pid, socket: socketPath(dir, index) }] : [];
    });
}

/** Everything on the command line: no configuration file, so nothing of the system's service is read. */
function serverArguments(dir: string, index: number): string[] {
  const settings: Record<string, string> = {
    port: '0',
    unixsocket: socketPath(dir, index),
    unixsocketperm: '700',
    dir,
    save: '',
    appendonly: 'no',
    daemonize: 'no',
    databases: '1',
    'io-threads': '1',
    // A histogram per command costs as much as a small command's own work; `INFO commandstats` stays.
    'latency-tracking': 'no',
    // Kernel's listen queue: reconnects of several clients at once.
    'tcp-backlog': '128',
    maxclients: '1000',
  };
  return Object.entries(settings).flatMap(([name, value]) => [`--${name}`, value]);
}

/** With `mortal` the kernel ends the server together with the thread that started it, however that one ends. */
function startServer(dir: string, index: number, mortal: boolean, core: number | undefined): ChildProcess {
  const log = openSync(join(dir, `redis-${index}.log`), 'w', 0o600);
  rmSync(socketPath(dir, index), { force: true });
  const command = [
    ...(mortal ? ['setpriv', '--pdeathsig', 'TERM'] : []),
    ...onCore(core),
    'redis-server',
    ...serverArguments(dir, index),
  ];
  const child = spawn(command[0] as string, command.slice(1), { stdio: ['ignore', log, log], detached: true });
  closeSync(log);
  if (child.pid !== undefined) setPriority(child.pid, Math.min(19, getPriority() + NICENESS));
  return child;
}

function ping(socket: string): Promise<boolean> {
  return new Promise((done) => {
    const client = connect(socket);
    client.setTimeout(1_000, () => client.destroy());
    client.once('connect', () => client.write('PING\r\n'));
    client.once('data', (bytes) => {
      client.destroy();
      done(bytes.toString().startsWith('+PONG'));
    });
    client.on('error', () => client.destroy());
    client.once('close', () => done(false));
  });
}

function failure(dir: string, index: number, child: ChildProcess, error: Error | undefined): Error {
  if ((error as NodeJS.ErrnoException | undefined)?.code === 'ENOENT') {
    return new Error('redis-server is not installed: `node deps/check.mjs` names the command that installs it');
  }
  const said = readFileSync(join(dir, `redis-${index}.log`), 'utf8')
    .trim()
    .split('\n')
    .slice(-3)
    .join(' | ');
  const how =
    error?.message ?? (child.exitCode === null ? 'does not answer' : `ended with exit code ${child.exitCode}`);
  return new Error(`redis-server ${index} in ${dir} ${how}: ${said}`);
}

async function startAndWait(
  dir: string,
  index: number,
  mortal: boolean,
  core: number | undefined,
): Promise<{ server: RedisServer; child: ChildProcess }> {
  const child = startServer(dir, index, mortal, core);
  let error: Error | undefined;
  child.once('error', (fault) => {
    error = fault;
  });
  const socket = socketPath(dir, index);
  const deadline = Date.now() + READY_MS;
  const pid = child.pid ?? 0;
  if (pid > 0)
    writeFileSync(recordPath(dir, index), JSON.stringify({ pid, startTicks: startTicksOf(pid) }), { mode: 0o600 });
  while (error === undefined && child.exitCode === null && Date.now() < deadline) {
    if (existsSync(socket) && (await ping(socket))) return { server: { index, pid, socket }, child };
    await sleep(POLL_MS);
  }
  if (pid > 0 && child.exitCode === null) child.kill('SIGKILL');
  rmSync(recordPath(dir, index), { force: true });
  throw failure(dir, index, child, error);
}

/**
 * Sees that servers 0 … n-1 of `dir` run; those that do are left alone. They outlive the caller unless `foreground` gives
 * their processes to it: then they end with the caller. `core`: of new ones; otherwise wherever the kernel likes.
 */
export async function redisUp(
  n: number,
  dir = defaultRedisDir(),
  foreground?: ChildProcess[],
  core?: number,
): Promise<RedisServer[]> {
  if (!(Number.isInteger(n) && n >= 1 && n <= SERVERS_MAX))
    throw new Error(`${n} servers; 1 to ${SERVERS_MAX} are possible`);
  if (Buffer.byteLength(socketPath(dir, n)) > SOCKET_PATH_MAX)
    throw new Error(`${dir} is too long for a socket's path`);
  makePrivateDir(dir);
  const running = new Map(redisStatus(dir).map((server) => [server.index, server]));
  const servers: RedisServer[] = [];
  for (let index = 0; index < n; index += 1) {
    const found = running.get(index);
    if (found !== undefined) servers.push(found);
    else {
      const { server, child } = await startAndWait(dir, index, foreground !== undefined, core);
      if (foreground === undefined) child.unref();
      else foreground.push(child);
      servers.push(server);
    }
  }
  return servers;
}

async function endOne(dir: string, server: RedisServer): Promise<void> {
  const record = readRecord(recordPath(dir, server.index));
  if (record === undefined) return;
  for (const [signal, limitMs] of [
    ['SIGTERM', END_MS],
    ['SIGKILL', END_MS],
  ] as const) {
    if (!isRunning(record)) break;
    process.kill(record.pid, signal);
    const deadline = Date.now() + limitMs;
    while (isRunning(record) && Date.now() < deadline) await sleep(POLL_MS);
  }
}

/** Ends the servers of `dir` that were started here, and removes what they left. Returns how many were ended. */
export async function redisDown(dir = defaultRedisDir()): Promise<number> {
  const servers = redisStatus(dir);
  await Promise.all(servers.map((server) => endOne(dir, server)));
  if (existsSync(dir)) {
    for (const name of readdirSync(dir))
      if (/^redis-\d+\.(pid|sock|log)$/.test(name)) rmSync(join(dir, name), { force: true });
  }
  return servers.length;
}
