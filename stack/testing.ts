// qstack/testing: two stacks in one process, joined by a wire in memory: no root, no device, no Redis.
// In: a definition for each side. Out: both stacks, running; `explain` says which rule a frame meets and why.
import { type ConfigObject, type InlineStack, inline } from './inline.js';
import { Log } from './log.js';
import type { FaultOptions } from './native.js';
import { type ServeDefinition, serve } from './serve.js';

export { type Explanation, explain } from './classifier.js';
export { InlineStack } from './inline.js';

export const SERVER_ADDRESS = '10.99.0.1';
export const CLIENT_ADDRESS = '10.99.0.2';

export interface PairOptions {
  /** Keys of a configuration file, for each side. */
  serverConfig?: ConfigObject;
  clientConfig?: ConfigObject;
  log?: Log;
}

export interface Pair<S extends string, C extends string> extends AsyncDisposable {
  /** At SERVER_ADDRESS. */
  readonly server: InlineStack<S>;
  /** At CLIENT_ADDRESS. */
  readonly client: InlineStack<C>;
  stop(): Promise<void>;
}

const plainClient = serve({ levels: ['normal'], setup() {} });
let pairs = 0;

function config(address: string, more: ConfigObject | undefined): ConfigObject {
  return {
    host_ip: `${address}/24`,
    max_concurrency: 1000,
    max_num_buffers: 2048,
    drain_timeout: '2s',
    tcp_timewait: '100ms',
    log_level: 'warn',
    ...more,
  };
}

/** Both stacks run when it resolves. */
export async function pair<S extends string>(
  server: ServeDefinition<S>,
  options?: PairOptions,
): Promise<Pair<S, 'normal'>>;
export async function pair<S extends string, C extends string>(
  server: ServeDefinition<S>,
  options: PairOptions & { client: ServeDefinition<C> },
): Promise<Pair<S, C>>;
export async function pair<S extends string, C extends string>(
  server: ServeDefinition<S>,
  options: PairOptions & { client?: ServeDefinition<C> } = {},
): Promise<Pair<S, C | 'normal'>> {
  const ring = `pair${pairs++}`;
  const log = options.log ?? new Log({ level: 'warn' });
  const left = await inline(server, config(SERVER_ADDRESS, options.serverConfig), { log, ring: { ring, side: 0 } });
  try {
    const definition = (options.client ?? plainClient) as ServeDefinition<C | 'normal'>;
    const right = await inline(definition, config(CLIENT_ADDRESS, options.clientConfig), {
      log,
      ring: { ring, side: 1 },
    });
    const stop = async () => {
      await right.stop();
      await left.stop();
    };
    return { server: left, client: right, stop, [Symbol.asyncDispose]: stop };
  } catch (error) {
    await left.stop();
    throw error;
  }
}

export type { FaultOptions };
