// Which part of a cluster this mcc is. In: --cluster and the flags beside it. Out: a role, undefined without --cluster, or faults
// kept by the reader.
import { hostname } from 'node:os';
import type { FlagReader } from '../flag-reader.js';
import type { Phase } from '../phases.js';
import { type Place, parsePlace } from './store.js';

export const WORKERS_MAX = 1_024;
/** Messages of a traffic model, which travel through Redis: some 20 bytes each. */
const SHARED_MAX = 2_000_000;

export interface Coordinator {
  readonly role: 'coordinator';
  readonly place: Place;
  readonly workers: number;
}

export interface Participant {
  readonly role: 'worker';
  readonly place: Place;
  readonly name: string;
}

export type ClusterRole = Coordinator | Participant;

interface Load {
  readonly connections: number;
  readonly phases: readonly Phase[];
}

/** What has no shares. */
function refuseUnshared(reader: FlagReader, workers: number, { connections, phases }: Load): void {
  if (workers > connections) {
    reader.faults.push(`--workers: ${connections} connections are shares for at most ${connections} workers; raise -c`);
  }
  const longest = Math.max(0, ...phases.map((phase) => (phase.kind === 'replay' ? phase.trace.times.length : 0)));
  if (workers > 0 && longest > SHARED_MAX) {
    const most = `at most ${SHARED_MAX.toLocaleString('en-US')} are shared out`;
    reader.faults.push(
      `--workers: the traffic model has ${longest.toLocaleString('en-US')} messages, ${most}; take a part of it, or start mcc on each machine by itself`,
    );
  }
}

export function readCluster(reader: FlagReader, isWorker: boolean, load: Load): ClusterRole | undefined {
  const text = reader.text('cluster');
  const workers = reader.count('workers', '--workers', 1, WORKERS_MAX);
  const name = reader.text('name') ?? hostname();
  if (text === undefined) {
    const lone =
      workers > 0 ? '--workers' : isWorker ? '--worker' : reader.text('name') === undefined ? undefined : '--name';
    if (lone !== undefined) reader.faults.push(`${lone}: it goes with --cluster redis://host:port`);
    return undefined;
  }
  const place = parsePlace(text);
  if (typeof place === 'string') {
    reader.faults.push(`--cluster: ${place}`);
    return undefined;
  }
  if (isWorker === workers > 0) {
    reader.faults.push('--cluster: say --workers N to give out a test, or --worker to take part in one');
    return undefined;
  }
  refuseUnshared(reader, workers, load);
  if (!/^[\w.-]{1,40}$/.test(name)) reader.refuse('--name', name, 'up to 40 letters, digits and ._-');
  return isWorker ? { role: 'worker', place, name } : { role: 'coordinator', place, workers };
}
