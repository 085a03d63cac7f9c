// Gather: the coordinator's beginning: it takes the key, and waits until enough workers of its own version are there.
// In: the store, how many. Out: their presences, those that came first; workers of another version are told so.
import { setTimeout as sleep } from 'node:timers/promises';
import { LOST_MS } from './members.js';
import { encode, type Presence, VERSION, versionFault, versionOf } from './protocol.js';
import type { Store } from './store.js';

const POLL_MS = 200;

export interface Gathering {
  readonly test: string;
  readonly workers: number;
  note(sentence: string): void;
  isStopped(): boolean;
}

async function present(store: Store): Promise<{ ours: Presence[]; others: Presence[] }> {
  const nowMs = (await store.timeUs()) / 1_000;
  const beats = await store.beats();
  const found = (await store.presences()).map((text) => ({
    ...(JSON.parse(text) as Presence),
    version: versionOf(text),
  }));
  const alive = found.filter(({ id }) => nowMs - (beats.get(id) ?? 0) < LOST_MS);
  alive.sort((a, b) => a.since - b.since);
  return {
    ours: alive.filter(({ version }) => version === VERSION),
    others: alive.filter(({ version }) => version !== VERSION),
  };
}

async function refuse(store: Store, test: string, { id, version }: Presence): Promise<void> {
  const sentence = versionFault('this worker', version).replace('this mcc', 'the coordinator');
  await store.append(
    store.key('commands', id),
    encode({ version: VERSION, test, number: 1, call: 'refuse', sentence }),
  );
}

export async function gather(store: Store, { test, workers, note, isStopped }: Gathering): Promise<Presence[]> {
  if (!(await store.claim('coordinator', `waiting ${test}`))) {
    throw new Error(`another mcc gives out a test at ${store.where}: wait for its end, or say another key`);
  }
  await store.makeStream(store.key('reports', test), 'coordinator');
  const refused = new Set<string>();
  let said = '';
  for (;;) {
    await store.hold('coordinator', `waiting ${test}`, store.key('reports', test));
    const { ours, others } = await present(store);
    for (const other of others.filter(({ id }) => !refused.has(id))) {
      refused.add(other.id);
      note(versionFault(`worker ${other.name}`, other.version));
      await refuse(store, test, other);
    }
    const names = ours.slice(0, workers).map(({ name }) => name);
    const sentence = `${names.length} of ${workers} workers at ${store.where}${names.length > 0 ? `: ${names.join(', ')}` : ''}`;
    if (sentence !== said) note(sentence);
    said = sentence;
    if (ours.length >= workers) return ours.slice(0, workers);
    if (isStopped()) throw new Error(`stopped while waiting: ${sentence}`);
    await sleep(POLL_MS);
  }
}
