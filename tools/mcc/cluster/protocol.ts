// Protocol: what a coordinator and its workers say to each other through Redis.
// In: objects. Out: one JSON text per entry of a stream, and back. Invariant: each text says which version it speaks; another one
// is refused with a sentence, never guessed at. Commands are numbered from 1 within a test, so one that comes twice is known.
//
//   KEY:coordinator          who has the key; expires when the coordinator is gone
//   KEY:workers              sorted set: worker by the time of its last heartbeat (Redis' clock, ms)
//   KEY:worker:ID            Presence; expires when the worker is gone
//   KEY:commands:ID          stream to a worker, read by its group and acknowledged when a command is done
//   KEY:reports:TEST         stream to the coordinator, read by its group and acknowledged when a report is taken in
import type { FlagTexts } from '../flag-reader.js';
import type { NativeRun } from '../native.js';
import type { ShareState } from '../share.js';

export const VERSION = 1;

export interface Presence {
  readonly version: number;
  readonly id: string;
  readonly name: string;
  readonly host: string;
  readonly pid: number;
  /** Redis' clock, ms: the first to come take part first. */
  readonly since: number;
}

/** `flags` and addresses are those of the worker's share; its own place (device, socket, …) it knows by itself. */
export interface Create {
  readonly call: 'create';
  readonly flags: FlagTexts;
  readonly source: string;
  readonly ips: number;
}

export type Command =
  | Create
  /** `startUs`: Redis' clock. */
  | { readonly call: 'run'; readonly run: NativeRun; readonly startUs: number }
  | { readonly call: 'flood'; readonly ratePerS: number }
  | { readonly call: 'connect' | 'stop' | 'close' | 'end' }
  | { readonly call: 'refuse'; readonly sentence: string };

export type Request = Command & { readonly version: number; readonly test: string; readonly number: number };

export type News =
  | { readonly state: ShareState; readonly clockErrorUs: number }
  | { readonly fault: string; readonly number: number }
  | { readonly left: true };

export type Report = News & { readonly version: number; readonly worker: string };

export function encode(message: Request | Report | Presence): string {
  return JSON.stringify(message, (_, value) => (value instanceof Float64Array ? Array.from(value) : value));
}

/** The version of whatever stands there; 0: it is none of our messages. */
export function versionOf(text: string): number {
  try {
    const { version } = JSON.parse(text) as { version?: unknown };
    return typeof version === 'number' ? version : 0;
  } catch {
    return 0;
  }
}

export function versionFault(who: string, version: number): string {
  return `${who} speaks version ${version} of the cluster's protocol, this mcc version ${VERSION}: install the same qstack on both`;
}

export function decodeReport(text: string): Report {
  const report = JSON.parse(text) as Report;
  if (!('state' in report)) return report;
  const { cells, result } = report.state;
  const state = { ...report.state, cells: cells.map((level) => Float64Array.from(level)) };
  if (result === undefined) return { ...report, state };
  const levels = result.levels.map((level) => ({ ...level, cells: Float64Array.from(level.cells) }));
  return { ...report, state: { ...state, result: { ...result, levels } } };
}
