// Whether the Redis servers of a configuration answer, asked once at the start: a wrong socket is a sentence, not a retry.
// In: settings. Out: a fault for each server that is not there or is no Redis. While a program runs, a Redis that goes away is
// not a fault: its client comes back by itself.
import { existsSync } from 'node:fs';
import { connect, type NetConnectOpts } from 'node:net';
import { join } from 'node:path';
import type { Fault } from './fault.js';
import type { RedisAddress } from './keys.js';
import { runtimeDir } from './runtime-dir.js';

const ANSWER_MS = 2_000;
const SERVERS_MAX = 64;
const START_ONE = '`qstack redis up` starts one';

function socketOf(index: number, folder = join(runtimeDir(), 'redis')): RedisAddress {
  return { kind: 'unix', path: join(folder, `redis-${index}.sock`) };
}

/** Where `qstack redis up` puts its first server, whether it runs or not. */
export function firstRedis(): RedisAddress {
  return socketOf(0);
}

/** Those that `qstack redis up` has started: redis-0.sock and on, without a gap. */
export function defaultRedis(folder?: string): RedisAddress[] {
  const found: RedisAddress[] = [];
  while (found.length < SERVERS_MAX) {
    const next = socketOf(found.length, folder);
    if (next.kind !== 'unix' || !existsSync(next.path)) break;
    found.push(next);
  }
  return found;
}

function options(address: RedisAddress): NetConnectOpts {
  return address.kind === 'unix' ? { path: address.path } : { host: address.host, port: address.port };
}

export function formatRedis(address: RedisAddress): string {
  return address.kind === 'unix' ? address.path : `${address.host}:${address.port}`;
}

function reasonOf(code: string | undefined): string {
  const reasons: Record<string, string> = {
    ENOENT: 'there is no such socket',
    ECONNREFUSED: 'nobody listens there',
    EACCES: 'this user may not open it',
    ENOTSOCK: 'it is no socket',
    ENOTDIR: 'there is no such folder',
  };
  return reasons[code ?? ''] ?? `it cannot be reached (${code ?? 'unknown'})`;
}

interface Question {
  readonly bytes: string;
  readonly answer: RegExp;
}

const PING: Question = { bytes: 'PING\r\n', answer: /^(\+PONG$|-LOADING)/ };
/** 40 digits name a server of a cluster. */
const MYID: Question = { bytes: 'CLUSTER MYID\r\n', answer: /^(\$40$|-LOADING)/ };

/** What a first question comes to: undefined when it is answered as Redis does. */
function ask(address: RedisAddress, question: Question): Promise<string | undefined> {
  return new Promise((done) => {
    const socket = connect(options(address));
    const end = (said: string | undefined) => {
      socket.destroy();
      done(said);
    };
    socket.setTimeout(ANSWER_MS, () => end(`it does not answer within ${ANSWER_MS / 1_000} s`));
    socket.once('connect', () => socket.write(question.bytes));
    socket.once('data', (bytes) => {
      const answer = bytes.toString('latin1').split('\r\n', 1)[0] ?? '';
      if (question.answer.test(answer)) end(undefined);
      else if (answer.startsWith('-NOAUTH')) end('it asks for a password, which is not supported');
      else if (answer.includes('cluster support disabled')) end('it is no server of a cluster');
      else end('what answers there is no Redis');
    });
    socket.once('error', (error: NodeJS.ErrnoException) => end(reasonOf(error.code)));
    socket.once('end', () => end('it closed the connection'));
  });
}

async function faultsOf(redis: readonly RedisAddress[], fault: Omit<Fault, 'fault'>, question: Question) {
  const said = await Promise.all(redis.map((address) => ask(address, question)));
  return redis.flatMap((address, index) => {
    const reason = said[index];
    return reason === undefined ? [] : [{ ...fault, fault: `${formatRedis(address)}: ${reason}` }];
  });
}

export async function redisFaults(redis: readonly RedisAddress[], where = 'configuration'): Promise<Fault[]> {
  return faultsOf(redis, { where, key: 'redis', accepts: START_ONE }, PING);
}

/** Those of a configuration. Of a cluster one server that answers is enough: it names the others. */
export async function redisFaultsOf(settings: {
  redis: readonly RedisAddress[];
  redisCluster: readonly RedisAddress[];
}): Promise<Fault[]> {
  const { redis, redisCluster } = settings;
  const cluster = { where: 'configuration', key: 'redis_cluster', accepts: '`qstack redis up --cluster` starts one' };
  const faults = await faultsOf(redisCluster, cluster, MYID);
  return [...(await redisFaults(redis)), ...(faults.length < redisCluster.length ? [] : faults)];
}

/** For a line about the start. */
export function formatRedisOf({
  redis,
  redisCluster,
}: {
  redis: RedisAddress[];
  redisCluster: RedisAddress[];
}): string {
  const servers = [...redis, ...redisCluster].map(formatRedis).join(' ');
  return redisCluster.length > 0 ? `cluster ${servers}` : servers || 'none';
}
