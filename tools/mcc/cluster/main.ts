// The two ends of a cluster as programs: a worker until it is stopped, and a coordinator's generator for one test.
import { randomBytes } from 'node:crypto';
import type { FlagTexts } from '../flag-reader.js';
import { generatorOf } from '../generator.js';
import type { MccOptions } from '../options.js';
import { Clock } from './clock.js';
import { gather } from './gather.js';
import { Cluster } from './group.js';
import type { Coordinator, Participant } from './options.js';
import { Store } from './store.js';
import { Worker } from './worker.js';

type Note = (sentence: string) => void;

/** `own`: the flags that stood on the command line. The exit code. */
export async function takePart(role: Participant, own: FlagTexts, note: Note): Promise<number> {
  const store = new Store(role.place);
  await store.open();
  const worker = new Worker(store, { name: role.name, own, note, generatorOf });
  let signals = 0;
  const onSignal = () => {
    signals += 1;
    if (signals > 1) process.exit(1);
    worker.stop();
  };
  process.on('SIGINT', onSignal).on('SIGTERM', onSignal);
  try {
    await worker.run();
    return 0;
  } finally {
    store.close();
    process.off('SIGINT', onSignal).off('SIGTERM', onSignal);
  }
}

export interface Gathered {
  readonly role: Coordinator;
  readonly texts: FlagTexts;
  readonly options: MccOptions;
  readonly note: Note;
}

/** Waits for the workers. ^C meanwhile ends it with an error that says how many were there. */
export async function gathered({ role, texts, options, note }: Gathered): Promise<Cluster> {
  const store = new Store(role.place);
  await store.open();
  const clock = new Clock(() => store.timeUs());
  const id = randomBytes(6).toString('hex');
  let stopped = false;
  const onSignal = () => {
    stopped = true;
  };
  process.on('SIGINT', onSignal).on('SIGTERM', onSignal);
  try {
    for (let i = 0; i < 5; i += 1) await clock.sample();
    const presences = await gather(store, { test: id, workers: role.workers, note, isStopped: () => stopped });
    return new Cluster(store, clock, { id, texts, options, note }, presences);
  } catch (error) {
    store.close();
    throw error;
  } finally {
    process.off('SIGINT', onSignal).off('SIGTERM', onSignal);
  }
}
