// DashboardSource: what a program gives so that the dashboard can show it. A stack is one, a load generator another.
// In: asked once a second while anybody looks. Out: readings of everything counted so far, and what two of them come to.
import type { ConnectionQuery, ConnectionsFound } from '../connection-list.js';
import type { ProgramFacts, Snapshot, StageSpectrum } from './snapshot.js';

export interface Reading {
  atMs: number;
}

export interface DashboardSource<R extends Reading = Reading> {
  readonly program: ProgramFacts;
  read(): Promise<R>;
  snapshot(now: R, before: R): Omit<Snapshot, 'number'> | Promise<Omit<Snapshot, 'number'>>;
  /** In the text format of Prometheus. */
  metrics(): Promise<string>;
  /** Puts these rules in the place of the configuration's. Throws QST_ERR_CLASSIFIER_INVALID. */
  classify?(lines: readonly string[]): void;
  /** Puts this policy, lines of a configuration, in the place of the configuration's. Throws QST_ERR_CONFIG_INVALID. */
  schedule?(lines: readonly string[]): void;
  /** Since the start. */
  stages?(): Promise<StageSpectrum[]>;
  connections?(query: ConnectionQuery): Promise<ConnectionsFound>;
}
