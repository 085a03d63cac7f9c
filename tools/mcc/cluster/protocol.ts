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
import type { MessageTemplate, ReplyForm } from '../message-options.js';
import type { NativeRun } from '../native.js';
import type { ShareState } from '../share.js';
import type { Trace } from '../trace.js';

export const VERSION = 3;

export interface Presence {
  readonly version: number;
  readonly id: string;
  readonly name: string;
  readonly host: string;
  readonly pid: number;
  /** Redis' clock, ms: the first to come take part first. */
  readonly since: number;
}

/** What is sent and how it is answered, as the coordinator has read it: a file of it lies on one machine alone. */
export interface Forms {
  /** One for each level; undefined: MCC's. */
  readonly messages?: readonly MessageTemplate[] | undefined;
  readonly reply: ReplyForm;
}

/** `flags` and addresses are those of the worker's share; its own place (device, socket, …) it knows by itself. */
export interface Create {
  readonly call: 'create';
  readonly flags: FlagTexts;
  readonly source: string;
  readonly ips: number;
  readonly forms: Forms;
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
  const isTyped = (value: unknown) => value instanceof Float64Array || value instanceof Uint8Array;
  return JSON.stringify(message, (_, value) => (isTyped(value) ? Array.from(value as Iterable<number>) : value));
}

function decodeTrace({ times, cycleNs, lengths, flows }: Trace): Trace {
  return {
    times: Float64Array.from(times),
    cycleNs,
    ...(lengths === undefined ? {} : { lengths: Float64Array.from(lengths) }),
    ...(flows === undefined ? {} : { flows: Float64Array.from(flows) }),
  };
}

export function decodeRequest(text: string): Request {
  const request = JSON.parse(text) as Request;
  if (request.call === 'run' && request.run.trace !== undefined) {
    return { ...request, run: { ...request.run, trace: decodeTrace(request.run.trace) } };
  }
  if (request.call !== 'create') return request;
  const messages = request.forms.messages?.map((one) => ({ ...one, bytes: Uint8Array.from(one.bytes) }));
  return { ...request, forms: { ...request.forms, messages } };
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
