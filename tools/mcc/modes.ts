// Modes: the open loop, and the closed loops that take the place of MCC's echo_client, http_loader and wan_loader and of mTCP's
// epwget. In: flags. Out: what native/mcc/closed_loop.hh is told; undefined for the open loop.
//   echo   ping-pong: -l bytes there and back, again and again on each of -c connections
//   http   GET, the reply, GET …; with -n 1 a connection per request; with --flows so many in all (epwget)
//   wan    short connections of -n messages each, opened by a Poisson process (--lambda) or one after the other
import { formatIpv4 } from '../../stack/config/address.js';
import { parseRatePerS } from '../../stack/config/units.js';
import type { FlagReader } from './flag-reader.js';
import type { Level } from './levels.js';

export const MODES = ['open', 'echo', 'http', 'wan'] as const;
export type ModeName = (typeof MODES)[number];

export interface ClosedLoop {
  readonly name: Exclude<ModeName, 'open'>;
  /** Of a connection; 0: without end. */
  readonly messages: number;
  /** Connections in all; 0: as many as there is time for. */
  readonly flows: number;
  /** Connections a second, Poisson; 0: one when another one has ended. */
  readonly opensPerS: number;
  readonly randomLength: boolean;
  /** Of HTTP; empty: an echo. */
  readonly request: string;
}

/** Levels of a closed loop's counts, as native/mcc/closed_loop.hh numbers them. */
export const CLOSED_LEVELS: Level[] = [
  { name: 'request', share: 1 },
  { name: 'connection', share: 0 },
];

const MESSAGES_MAX = 1e9;
const FLOWS_MAX = 1e12;
const OPENS_MAX_PER_S = 1e7;
const PATH_MAX = 1_024;
/** A short connection of MCC's wan_loader. */
const WAN_MESSAGES = 10;

const OPEN_ONLY = {
  ...{ arrival: '--arrival', rate: '--rate', steps: '--steps', trafficModel: '--traffic-model', phases: '--phases' },
  ...{ flood: '--flood', capacity: '--capacity', levels: '--levels', message: '--message' },
  reconnectAfter: '--reconnect-after',
};
const CLOSED_ONLY = { messages: '-n', flows: '--flows', lambda: '--lambda', path: '--path', host: '--host' };

/** Flags of the other kind of loop would be without effect. */
function refuseOthers(reader: FlagReader, flags: Readonly<Record<string, string>>, why: string): void {
  for (const [name, flag] of Object.entries(flags)) {
    if (reader.text(name) !== undefined) reader.refuse(flag, reader.text(name), why);
  }
}

function httpRequest(reader: FlagReader, destination: number, once: boolean): string {
  const path = reader.text('path') ?? '/';
  const host = reader.text('host') ?? formatIpv4(destination);
  const printable = /^[\x21-\x7e]+$/;
  if (!path.startsWith('/') || !printable.test(path) || path.length > PATH_MAX) {
    reader.refuse('--path', path, `a path from / on, of at most ${PATH_MAX} characters without spaces`);
  }
  if (!printable.test(host) || host.length > 255) reader.refuse('--host', host, 'a name without spaces');
  const head = [`GET ${path} HTTP/1.1`, `Host: ${host}`, 'User-Agent: mcc', ...(once ? ['Connection: close'] : [])];
  return `${head.join('\r\n')}\r\n\r\n`;
}

/** `isRandom`: --random-length. */
export function readMode(reader: FlagReader, destination: number, isRandom: boolean): ClosedLoop | undefined {
  const name = reader.choice('mode', '--mode', MODES) as ModeName;
  if (name === 'open') {
    refuseOthers(reader, CLOSED_ONLY, 'it goes with --mode echo, http or wan');
    if (isRandom) reader.refuse('--random-length', '', 'it goes with --mode echo or wan');
    return undefined;
  }
  refuseOthers(reader, OPEN_ONLY, 'it goes with --mode open');
  const flows = reader.count('flows', '--flows', 1, FLOWS_MAX);
  const accepts = `a rate from 1/s to ${OPENS_MAX_PER_S}/s, such as 200/s`;
  const rate = (text: string) => {
    const perS = Math.round(parseRatePerS(text) ?? 0);
    return perS >= 1 && perS <= OPENS_MAX_PER_S ? perS : undefined;
  };
  const opensPerS = reader.number('lambda', '--lambda', rate, accepts);
  const least = name === 'wan' || flows > 0 || opensPerS > 0 ? 1 : 0;
  const messages = reader.count('messages', '-n', least, MESSAGES_MAX, name === 'wan' ? WAN_MESSAGES : least);
  if (name !== 'http') refuseOthers(reader, { path: '--path', host: '--host' }, 'it goes with --mode http');
  if (name === 'http' && isRandom) reader.refuse('--random-length', '', 'it goes with --mode echo or wan');
  const request = name === 'http' ? httpRequest(reader, destination, messages === 1) : '';
  return { name, messages, flows, opensPerS, randomLength: isRandom, request };
}

/** Connections stay until the test ends. */
export function isLasting(loop: ClosedLoop): boolean {
  return loop.messages === 0;
}
