// The server of a long run: gateway.ts on the air, by the flags, the configuration and the SIGHUP of iotepserver. Whoever started
// it with a channel is told twice a second what of the stack is in use.
import { setTimeout as sleep } from 'node:timers/promises';
import { Command } from 'commander';
import { LEVELS } from '../../apps/iotepserver/server.js';
import { programFlags, reloadOnHangup, runProgram, sayListening, settingsOf, untilSignal } from '../../apps/launch.js';
import type { Stack } from '../../stack/control.js';
import { Log } from '../../stack/log.js';
import { start } from '../../stack/start.js';
import { type Census, type RedisCensus, recordsInRings, stackCensus } from './census.js';

const PERIOD_MS = 500;

export interface ServerState {
  readonly census: Census;
  readonly counters: Readonly<Record<string, number>>;
  /** App threads that answered: one that has just died does not. */
  readonly apps: number;
}

async function stateOf(stack: Stack): Promise<ServerState> {
  const apps = await stack.counts();
  const counters = stack.counters();
  const redis = apps.map(({ user }) => user as RedisCensus);
  const sum = (name: keyof RedisCensus) => redis.reduce((all, one) => all + (one[name] ?? 0), 0);
  return {
    apps: apps.length,
    counters: counters.counters,
    census: {
      ...stackCensus(counters, apps),
      'records in rings': recordsInRings(stack.id, stack.settings.appThreads),
      'Redis commands': sum('Redis commands'),
      'Redis replies': sum('Redis replies'),
    },
  };
}

/** Until the program stops. */
async function tell(stack: Stack, stopping: { readonly aborted: boolean }): Promise<void> {
  while (!stopping.aborted) {
    process.send?.(await stateOf(stack));
    await sleep(PERIOD_MS);
  }
}

async function main(): Promise<void> {
  const program = programFlags(new Command('soak-server').description('iotepserver whose app threads die when told'));
  program.parse();
  const settings = settingsOf(program, LEVELS.length);
  const log = new Log({ level: settings.logLevel, human: false });
  const stack = await start(new URL('./gateway.js', import.meta.url), settings, { log });
  const signal = untilSignal();
  reloadOnHangup(stack, program);
  sayListening(stack, `up to ${settings.connectionsMax} connections`);
  const stopping = new AbortController();
  const told = tell(stack, stopping.signal);
  await signal;
  stopping.abort();
  await told;
  await stack.stop();
}

await runProgram('soak-server', main);
