// The redis-server processes of one folder of mode 0700: started, found again, ended.
// In: how many, and what they may use. Out: `<dir>/redis-<i>.sock` (`cluster-<i>.sock`), and a record for each (process.ts).
// Doing it twice is doing it once: what runs is left alone, what is missing is started, what is not there is ended already.
import type { ChildProcess } from 'node:child_process';
import { existsSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { SOCKET_PATH_MAX } from '../../stack/config/device.js';
import { makePrivateDir, runtimeDir } from '../../stack/config/runtime-dir.js';
import { endProcess, isRunning, readRecord } from './process.js';
import { fileOf, type RedisKind, type ServerPlace, startServer } from './server.js';

export const SERVERS_MAX = 64;

export interface RedisServer {
  kind: RedisKind;
  index: number;
  pid: number;
  socket: string;
  /** On 127.0.0.1; 0: no TCP. */
  port: number;
}

export interface UpOptions {
  /** Processes are given to the caller here, and end with it; otherwise they outlive it. */
  foreground?: ChildProcess[] | undefined;
  /** One for each server in turn; otherwise they run wherever the kernel likes. */
  cores?: readonly number[] | undefined;
  /** What each may keep. */
  memoryBytes?: number | undefined;
  /** Of the first server; each next one has the next port. Otherwise they have no TCP. */
  port?: number | undefined;
  kind?: RedisKind;
  /** Further settings of each. */
  settings?: (place: ServerPlace) => Readonly<Record<string, string>>;
}

export function defaultRedisDir(): string {
  return join(runtimeDir(), 'redis');
}

function serverAt(place: ServerPlace): RedisServer | undefined {
  const record = readRecord(fileOf(place, 'pid'));
  if (record === undefined || !isRunning(record)) return undefined;
  return { kind: place.kind, index: place.index, pid: record.pid, socket: fileOf(place, 'sock'), port: record.port };
}

function placesOf(dir: string): ServerPlace[] {
  if (!existsSync(dir)) return [];
  return readdirSync(dir)
    .map((name) => /^(redis|cluster)-(\d+)\.pid$/.exec(name))
    .filter((match) => match !== null)
    .map(([, kind, index]) => ({ dir, kind: kind as RedisKind, index: Number(index) }))
    .sort((a, b) => b.kind.localeCompare(a.kind) || a.index - b.index);
}

/** The servers of `dir` that run. */
export function redisStatus(dir = defaultRedisDir()): RedisServer[] {
  return placesOf(dir).flatMap((place) => serverAt(place) ?? []);
}

/** Sees that servers 0 … n-1 of `dir` run; those that do are left alone, whatever they were started with. */
export async function redisUp(n: number, dir = defaultRedisDir(), options: UpOptions = {}): Promise<RedisServer[]> {
  const { kind = 'redis', foreground, cores = [], memoryBytes, port = 0, settings } = options;
  if (!(Number.isInteger(n) && n >= 1 && n <= SERVERS_MAX))
    throw new Error(`${n} servers; 1 to ${SERVERS_MAX} are possible`);
  if (Buffer.byteLength(fileOf({ dir, kind, index: n }, 'sock')) > SOCKET_PATH_MAX)
    throw new Error(`${dir} is too long for a socket's path`);
  makePrivateDir(dir);
  const servers: RedisServer[] = [];
  for (let index = 0; index < n; index += 1) {
    const place = { dir, kind, index };
    let server = serverAt(place);
    if (server === undefined) {
      const own = port === 0 ? 0 : port + index;
      const core = cores[index % cores.length];
      const more = settings === undefined ? {} : { settings: settings(place) };
      const child = await startServer(place, {
        mortal: foreground !== undefined,
        core,
        port: own,
        memoryBytes,
        ...more,
      });
      if (foreground === undefined) child.unref();
      else foreground.push(child);
      server = { kind, index, pid: child.pid as number, socket: fileOf(place, 'sock'), port: own };
    }
    servers.push(server);
  }
  return servers;
}

/** Ends the servers of `dir` that were started here, and removes what they left. Returns how many were ended. */
export async function redisDown(dir = defaultRedisDir()): Promise<number> {
  const running = placesOf(dir).filter((place) => serverAt(place) !== undefined);
  await Promise.all(
    running.map(async (place) => {
      const record = readRecord(fileOf(place, 'pid'));
      if (record !== undefined) await endProcess(record);
    }),
  );
  if (existsSync(dir)) {
    for (const name of readdirSync(dir))
      if (/^(redis|cluster)-\d+\.(pid|sock|log|nodes)$/.test(name)) rmSync(join(dir, name), { force: true });
  }
  return running.length;
}
