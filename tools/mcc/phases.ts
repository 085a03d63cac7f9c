// Phases: what mcc does once its connections stand, one after the other on the same connections.
// In: `wave:20000/1s/10s,capacity:3s,paced:150%/5s`. Out: typed phases, or the sentence that says what is wrong.
//   wave:BURST/INTERVAL/DURATION   a block of BURST connections sends every INTERVAL
//   paced:RATE/DURATION            RATE messages a second; `150%` is a share of the capacity measured before
//   poisson:RATE/DURATION          the same on average, as a Poisson process
//   capacity:[WINDOW/]DURATION     closed loop, WINDOW messages in flight: how much is answered a second
//   pause:DURATION
// A closed loop (`--mode`) is one phase of its own kind, and in no list.
//   flood:RATE                     from here on RATE SYNs a second come from random addresses as well; 0 ends it
import { parseCount, parseDurationMs, parseRatePerS } from '../../stack/config/units.js';
import type { Trace } from './trace.js';

export type Phase =
  | { kind: 'wave'; burst: number; intervalMs: number; durationMs: number }
  | { kind: 'paced' | 'poisson'; ratePerS: number; durationMs: number }
  | { kind: 'paced' | 'poisson'; ofCapacity: number; durationMs: number }
  | { kind: 'replay'; name: string; trace: Trace; durationMs: number }
  | { kind: 'capacity'; window: number; durationMs: number }
  | { kind: 'closed'; name: string; durationMs: number }
  | { kind: 'pause'; durationMs: number }
  | { kind: 'flood'; ratePerS: number };

/** Phases in which messages are sent. */
export type Run = Exclude<Phase, { kind: 'pause' | 'flood' }>;

export const PHASE_SYNTAX =
  'wave:BURST/INTERVAL/DURATION, paced:RATE/DURATION, paced:PERCENT%/DURATION, poisson:RATE/DURATION, poisson:PERCENT%/DURATION, capacity:[WINDOW/]DURATION, pause:DURATION, flood:RATE';
const WINDOW_DEFAULT = 2_048;

function duration(text: string | undefined): number | undefined {
  const ms = text === undefined ? undefined : parseDurationMs(text, 1_000);
  return ms !== undefined && ms > 0 ? ms : undefined;
}

function wave([burstText, intervalText, durationText, ...rest]: string[]): Phase | undefined {
  const burst = parseCount(burstText ?? '');
  const intervalMs = duration(intervalText);
  const durationMs = duration(durationText);
  if (!burst || intervalMs === undefined || durationMs === undefined || rest.length > 0) return undefined;
  return { kind: 'wave', burst, intervalMs, durationMs };
}

/** The rate may hold a slash itself: `5k/s/10s`. */
function paced(kind: 'paced' | 'poisson', parts: string[]): Phase | undefined {
  const durationMs = duration(parts.at(-1));
  const rate = parts.slice(0, -1).join('/');
  if (durationMs === undefined || rate === '') return undefined;
  const percent = /^(\d+(?:\.\d+)?)%$/.exec(rate);
  if (percent !== null) return { kind, ofCapacity: Number(percent[1]) / 100, durationMs };
  const ratePerS = Math.round(parseRatePerS(rate) ?? 0);
  return ratePerS >= 1 ? { kind, ratePerS, durationMs } : undefined;
}

function capacity(parts: string[]): Phase | undefined {
  const durationMs = duration(parts.at(-1));
  const window = parts.length === 2 ? parseCount(parts[0] ?? '') : parts.length === 1 ? WINDOW_DEFAULT : undefined;
  return durationMs === undefined || !window ? undefined : { kind: 'capacity', window, durationMs };
}

function parsePhase(text: string): Phase | undefined {
  const at = text.indexOf(':');
  const parts = text.slice(at + 1).split('/');
  const kind = text.slice(0, Math.max(0, at));
  switch (kind) {
    case 'wave':
      return wave(parts);
    case 'paced':
    case 'poisson':
      return paced(kind, parts);
    case 'capacity':
      return capacity(parts);
    case 'pause': {
      const durationMs = duration(parts.join('/'));
      return durationMs === undefined ? undefined : { kind: 'pause', durationMs };
    }
    case 'flood': {
      const ratePerS = parseRatePerS(parts.join('/'));
      return ratePerS === undefined ? undefined : { kind: 'flood', ratePerS };
    }
    default:
      return undefined;
  }
}

/** Phases, or the sentence that says what is wrong. `capacityKnown`: from elsewhere, before the first of them. */
export function parsePhases(text: string, capacityKnown: boolean): Phase[] | string {
  const parts = text.split(/[\s,;]+/).filter((part) => part !== '');
  if (parts.length === 0) return 'no phase is named';
  const phases: Phase[] = [];
  for (const part of parts) {
    const phase = parsePhase(part);
    if (phase === undefined) return `"${part}" is no phase`;
    const needsCapacity = 'ofCapacity' in phase;
    if (needsCapacity && !capacityKnown && !phases.some((before) => before.kind === 'capacity')) {
      return `"${part}" is a share of the capacity, which no phase before it measures, nor --capacity tells`;
    }
    phases.push(phase);
  }
  return phases;
}

/** Milliseconds in which every connection sends once. */
export function epochMs(phase: { burst: number; intervalMs: number }, connections: number): number {
  return Math.ceil(connections / phase.burst) * phase.intervalMs;
}
