// One redis-server process on a unix socket in a private folder: no persistence, never the system's service.
// In: its place and what it may use. Out: a process that answers, with its record beside its socket.
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, existsSync, openSync, readFileSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { giveWay } from '../niceness.js';
import { OWN_GROUP } from '../own-group.js';
import { onCore } from '../taskset.js';
import { writeRecord } from './process.js';

const READY_MS = 10_000;
const POLL_MS = 20;
/** That of app threads: where they share a core, the stack thread that feeds them goes first. */
const NICENESS = 3;
/**
 * Of the system's jemalloc, which Debian's redis-server is linked with: it asks for transparent huge pages for all that it gives
 * out, and for its own records.
 */
const MALLOC_CONF = 'thp:always,metadata_thp:always';

/** Servers of their own, or members of one cluster. */
export type RedisKind = 'redis' | 'cluster';

export interface ServerPlace {
  readonly dir: string;
  readonly kind: RedisKind;
  readonly index: number;
}

export interface ServerOptions {
  /** The kernel ends the server together with the thread that started it, however that one ends. */
  readonly mortal: boolean;
  readonly core: number | undefined;
  /** On 127.0.0.1; 0: no TCP. */
  readonly port: number;
  /** What it may keep; undefined: as much as there is. */
  readonly memoryBytes: number | undefined;
  /** Further settings of redis-server. */
  readonly settings?: Readonly<Record<string, string>>;
}

export function fileOf({ dir, kind, index }: ServerPlace, ending: 'sock' | 'pid' | 'log' | 'nodes'): string {
  return join(dir, `${kind}-${index}.${ending}`);
}

/** Everything on the command line: no configuration file, so nothing of the system's service is read. */
function serverArguments(place: ServerPlace, options: ServerOptions): string[] {
  const settings: Record<string, string> = {
    port: String(options.port),
    bind: '127.0.0.1',
    unixsocket: fileOf(place, 'sock'),
    unixsocketperm: '700',
    dir: place.dir,
    save: '',
    appendonly: 'no',
    daemonize: 'no',
    databases: '1',
    'io-threads': '1',
    // A histogram per command costs as much as a small command's own work; `INFO commandstats` stays.
    'latency-tracking': 'no',
    // Where they are on for all programs, Redis would turn huge pages off for itself: copy-on-write behind a fork is dear with them,
    // and without persistence nothing forks but a master that has a new replica.
    'disable-thp': 'no',
    // Kernel's listen queue: reconnects of several clients at once.
    'tcp-backlog': '128',
    maxclients: '1000',
    ...(options.memoryBytes === undefined ? {} : { maxmemory: String(options.memoryBytes) }),
    ...options.settings,
  };
  return Object.entries(settings).flatMap(([name, value]) => [`--${name}`, value]);
}

function spawnServer(place: ServerPlace, options: ServerOptions): ChildProcess {
  const log = openSync(fileOf(place, 'log'), 'w', 0o600);
  rmSync(fileOf(place, 'sock'), { force: true });
  const command = [
    ...(options.mortal ? ['setpriv', '--pdeathsig', 'TERM', ...OWN_GROUP] : []),
    ...onCore(options.core),
    'redis-server',
    ...serverArguments(place, options),
  ];
  const child = spawn(command[0] as string, command.slice(1), {
    stdio: ['ignore', log, log],
    detached: !options.mortal,
    env: { MALLOC_CONF, ...process.env },
  });
  closeSync(log);
  if (child.pid !== undefined) giveWay(child.pid, NICENESS, { leadsSession: !options.mortal });
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

function failure(place: ServerPlace, child: ChildProcess, error: Error | undefined): Error {
  if ((error as NodeJS.ErrnoException | undefined)?.code === 'ENOENT') {
    return new Error('redis-server is not installed: `node deps/check.mjs` names the command that installs it');
  }
  const said = readFileSync(fileOf(place, 'log'), 'utf8').trim().split('\n').slice(-3).join(' | ');
  const how =
    error?.message ?? (child.exitCode === null ? 'does not answer' : `ended with exit code ${child.exitCode}`);
  return new Error(`redis-server ${place.index} in ${place.dir} ${how}: ${said}`);
}

export async function startServer(place: ServerPlace, options: ServerOptions): Promise<ChildProcess> {
  const child = spawnServer(place, options);
  let error: Error | undefined;
  child.once('error', (fault) => {
    error = fault;
  });
  const deadline = Date.now() + READY_MS;
  const pid = child.pid ?? 0;
  if (pid > 0) writeRecord(fileOf(place, 'pid'), pid, options.port);
  while (error === undefined && child.exitCode === null && Date.now() < deadline) {
    if (existsSync(fileOf(place, 'sock')) && (await ping(fileOf(place, 'sock')))) return child;
    await sleep(POLL_MS);
  }
  if (pid > 0 && child.exitCode === null) child.kill('SIGKILL');
  rmSync(fileOf(place, 'pid'), { force: true });
  throw failure(place, child, error);
}
