// Shares: what each of several workers is told to open. In: the coordinator's flags as they were typed, and what they mean. Out:
// flags for each worker, and its local addresses. Invariant: shares add up to the whole; no two workers have an address, and none
// has the server's.
import { formatIpv4 } from '../../../stack/config/address.js';
import type { FlagTexts } from '../flag-reader.js';
import { shareOf } from '../merge.js';
import type { MccOptions } from '../options.js';
import type { Create } from './protocol.js';

/** Ports 1025 … 65535 of each local address. */
const PORTS = 64_511;
/** Far apart, so that the generators' random sequences are. */
const SEED_STEP = 0x9e3779b9;

/** What a machine knows of itself, and what only the coordinator does. */
const OWN = [
  ...['device', 'socket', 'mac', 'core', 'packets', 'networkStack', 'smp', 'source', 'ips'],
  ...['cluster', 'workers', 'worker', 'name', 'json', 'quiet', 'plan', 'logDuration'],
  ...['html', 'hgrm', 'hlog', 'clientLog', 'dashboard', 'dashboardToken', 'failIf'],
  // Their files are read here, and what is in them is told.
  ...['arrival', 'trafficModel', 'message', 'reply'],
] as const;

/** Whole numbers that are shared out; 0 has a meaning of its own and stays. */
const SHARED = { conn: 'connections', flows: 'flows', lambda: 'opensPerS' } as const;

function shared(options: MccOptions, index: number, count: number): FlagTexts {
  const wholes = {
    connections: options.connections,
    flows: options.loop?.flows ?? 0,
    opensPerS: options.loop?.opensPerS ?? 0,
  };
  const share = (whole: number) => String(Math.max(1, shareOf(whole, index, count)));
  const texts = Object.entries(SHARED).map(([flag, of]) => [flag, wholes[of]] as const);
  return Object.fromEntries(texts.filter(([, whole]) => whole > 0).map(([flag, whole]) => [flag, share(whole)]));
}

export function sharesOf(texts: FlagTexts, options: MccOptions, count: number): Create[] {
  const flags = Object.fromEntries(Object.entries(texts).filter(([name]) => !OWN.some((own) => own === name)));
  const { messages, reply } = options;
  let next = options.source;
  return Array.from({ length: count }, (_, index) => {
    const connections = shareOf(options.connections, index, count);
    const ips = Math.max(1, Math.ceil(connections / PORTS), shareOf(options.ips, index, count));
    if (options.destination >= next && options.destination < next + ips) next = options.destination + 1;
    const source = formatIpv4(next);
    next += ips;
    const seed = String((options.seed + index * SEED_STEP) % Number.MAX_SAFE_INTEGER);
    return {
      call: 'create',
      flags: { ...flags, ...shared(options, index, count), seed },
      source,
      ips,
      forms: { messages, reply },
    };
  });
}
