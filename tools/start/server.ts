// Server: one iotepserver as `npm start` runs it, from its configuration to its last line.
// In: what differs between runs. Out: a process that is on the air (its `listening` line was seen), its memory, its end.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { RedisServer } from '../redis/servers.js';
import { onCore } from '../taskset.js';
import { Child } from './child.js';
import type { Layout } from './layout.js';
import { processBytes } from './memory.js';
import { programPath } from './place.js';

const ON_THE_AIR_MS = 60_000;
/**
 * The same in every run, so that a connection's price is not mixed with that of packets. They hold what a
 * generator can have on its way: seconds of messages that wait for Redis.
 */
export const PACKETS = 524_288;

export interface ServerPlan {
  folder: string;
  connections: number;
  priorities: boolean;
  redis: readonly RedisServer[];
  /** Otherwise threads of its own for stack and handlers, wherever the kernel likes. */
  layout?: Layout;
  /** Received ones and ones to send, each. */
  packets?: number;
  /** More of its configuration, such as `policy = weighted`. */
  lines?: readonly string[];
  stackThreads?: number;
  appThreads?: number;
  /** What runs the program, in place of Node alone. */
  node?: readonly string[];
  /** Another program than iotepserver, by its path in this package. */
  program?: string;
  /** More of its command line. */
  flags?: readonly string[];
  /** Hears each line of its stdout. */
  onLine?: ((line: string) => void) | undefined;
  /** Hears each line of its stderr; otherwise warnings are said. */
  onErrorLine?: (line: string) => void;
  /** Opens a channel for objects. */
  onMessage?: (message: unknown) => void;
}

export function socketPath(folder: string): string {
  return join(folder, 'memif', 'qstack.sock');
}

export function configText({
  folder,
  connections,
  priorities,
  redis,
  layout,
  packets = PACKETS,
  stackThreads = 1,
  appThreads = 1,
  lines = [],
}: ServerPlan): string {
  return [
    'host_ip = 10.0.0.1/16',
    `max_concurrency = ${connections}`,
    `max_num_buffers = ${packets}`,
    `stack_thread = ${stackThreads}`,
    `app_thread = ${appThreads}`,
    ...(layout?.inline === true ? ['arrangement = inline'] : []),
    ...(layout?.pin === undefined ? [] : [`pin = ${layout.pin}`]),
    `pri_enable = ${priorities ? 1 : 0}`,
    'answer = all',
    'port = 80',
    `device = memif:${socketPath(folder)}?server`,
    `redis = ${redis.map(({ socket }) => socket).join(', ')}`,
    'log_level = warn',
    ...lines,
    '',
  ].join('\n');
}

export function configPath(folder: string): string {
  return join(folder, 'iotepserver.conf');
}

export class Server {
  private constructor(readonly child: Child) {}

  static async start(plan: ServerPlan, say: (line: string) => void): Promise<Server> {
    mkdirSync(join(plan.folder, 'memif'), { recursive: true, mode: 0o700 });
    const file = configPath(plan.folder);
    writeFileSync(file, configText(plan));
    let heard = (): void => {};
    const onTheAir = new Promise<'on the air'>((done) => {
      heard = () => done('on the air');
    });
    const child = new Child({
      name: 'iotepserver',
      command: [
        ...onCore(plan.layout?.cores?.server),
        ...(plan.node ?? [process.execPath]),
        ...[programPath(plan.program ?? 'bin/iotepserver.mjs'), '-f', file],
        ...(plan.flags ?? []),
      ],
      onLine: (line, from) => {
        if (from === 'stdout') plan.onLine?.(line);
        if (line.includes('listening ')) heard();
        else if (from === 'stderr' && plan.onErrorLine !== undefined) plan.onErrorLine(line);
        else if (/\b(warn|error|fatal)\b/i.test(line)) say(`iotepserver: ${line}`);
      },
      ...(plan.onMessage === undefined ? {} : { onMessage: plan.onMessage }),
    });
    const tooLong = new Promise<'too long'>((done) => setTimeout(done, ON_THE_AIR_MS, 'too long').unref());
    const first = await Promise.race([onTheAir, child.ended, tooLong]);
    if (first === 'on the air') return new Server(child);
    if (first === 'too long') await child.stop('SIGKILL');
    throw new Error(first === 'too long' ? 'iotepserver was not on the air after 60 s' : child.failure());
  }

  get bytes(): number {
    return processBytes(this.child.pid);
  }

  async stop(): Promise<void> {
    if (!this.child.isRunning) throw new Error(this.child.failure());
    const code = await this.child.stop('SIGTERM');
    if (code !== 0) throw new Error(`iotepserver ended with exit code ${code}. ${this.child.failure()}`);
  }
}
