// Is Redis there? Asked once before the start, so that a wrong socket is a sentence and not a stream of error replies.
// In: addresses. Out: for each that cannot be reached, the sentence that says why.
import { connect } from 'node:net';
import { join } from 'node:path';
import type { RedisAddress } from '../../stack/config/keys.js';
import { runtimeDir } from '../../stack/config/runtime-dir.js';

const LIMIT_MS = 2_000;

/** Where `qstack redis up` puts its first server. */
export function defaultRedis(): RedisAddress[] {
  return [{ kind: 'unix', path: join(runtimeDir(), 'redis', 'redis-0.sock') }];
}

export function redisName(address: RedisAddress): string {
  return address.kind === 'unix' ? address.path : `${address.host}:${address.port}`;
}

function why(code: string | undefined): string {
  if (code === 'ENOENT') return 'there is no such socket';
  if (code === 'ECONNREFUSED') return 'nobody listens there';
  if (code === 'EACCES') return 'this user may not open it';
  return code ?? 'it does not answer';
}

function fault(address: RedisAddress): Promise<string | undefined> {
  return new Promise((resolve) => {
    const options = address.kind === 'unix' ? { path: address.path } : { host: address.host, port: address.port };
    const socket = connect(options);
    const done = (text: string | undefined) => {
      socket.destroy();
      resolve(text);
    };
    socket.setTimeout(LIMIT_MS, () => done('it does not answer'));
    socket.on('connect', () => socket.write('PING\r\n'));
    // A Redis that wants a password says so, and is a Redis as well.
    socket.on('data', (bytes) => done(/^[+-]/.test(bytes.toString('latin1')) ? undefined : 'what answers is no Redis'));
    socket.on('error', (error: NodeJS.ErrnoException) => done(why(error.code)));
    socket.on('end', () => done('it closes at once'));
  });
}

export async function redisFaults(addresses: readonly RedisAddress[]): Promise<string[]> {
  const faults = await Promise.all(addresses.map(fault));
  return faults.flatMap((text, index) =>
    text === undefined
      ? []
      : [`redis ${redisName(addresses[index] as RedisAddress)}: ${text}; \`qstack redis up\` starts one`],
  );
}
