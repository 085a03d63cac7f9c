// Connections opened and closed at random by kernel clients, every byte checked: peers/churn.ts, in several processes because of
// the limit of open files.
import * as assert from 'uvu/assert';
import { ECHO_PORT } from '../echo-server.js';
import { OURS, resultOf } from '../namespace.js';
import { type InteropCase, type Spot, withServer } from './case.js';

interface ChurnResult {
  opened: number;
  finished: number;
  reset: number;
  bytes: number;
  peak: number;
  /** Connections that had not ended when time was over. */
  left: object[];
  faults: Record<string, number>;
  /** The first connections that had one. */
  faulty: object[];
}

const PER_PROCESS = 2_500;
const LIFE_MS_MAX = 10_000;
const END_MS = 90_000;
/**
 * Where a machine has more to do than it has time for, ten thousand connections overrun a device's ring of a thousand frames, and
 * retransmissions that are due together lose together. So nobody is given up sooner than by Linux.
 */
const PATIENT = ['--syn-retries', '5', '--keepalive-count', '60'];

const lifeMsOf = (seconds: number) => Math.min(LIFE_MS_MAX, (seconds * 1000) / 6);

async function churn({ namespace, seconds, seed }: Spot, connections: number): Promise<ChurnResult[]> {
  const processes = Math.ceil(connections / PER_PROCESS);
  const each = Math.ceil(connections / processes);
  // A client needs its ports again before TIME-WAIT is over; RFC 6191 by the kernel's hand. And it repeats a SYN for longer than
  // for the usual 6 s: a busy machine may lose so many in a row at the device.
  namespace.run('sysctl', '-qw', 'net.ipv4.tcp_tw_reuse=1', 'net.ipv4.tcp_syn_retries=12');
  const clients = Array.from({ length: processes }, (_, index) => {
    const numbers = [ECHO_PORT, each, seconds, lifeMsOf(seconds), seed + index].map(String);
    return namespace.program('test/interop/peers/churn.js', OURS, ...numbers);
  });
  return Promise.all(clients.map((client) => resultOf<ChurnResult>(client, seconds * 1000 + END_MS)));
}

async function judgeChurn(spot: Spot, connections: number): Promise<string> {
  const results = await churn(spot, connections);
  const sum = (name: 'opened' | 'finished' | 'reset' | 'bytes' | 'peak') =>
    results.reduce((total, result) => total + result[name], 0);
  for (const { faults, faulty } of results) {
    assert.equal(faults, {}, `seed ${spot.seed}: ${JSON.stringify(faults)}, first ${JSON.stringify(faulty)}`);
  }
  const left = results.flatMap((result) => result.left);
  assert.is(
    left.length,
    0,
    `${left.length} of ${sum('opened')} connections did not end: ${JSON.stringify(left.slice(0, 5))}`,
  );
  assert.is(sum('finished') + sum('reset'), sum('opened'));
  assert.ok(sum('peak') > connections * 0.8, `at most ${sum('peak')} at once`);
  const megabytes = Math.round(sum('bytes') / 1e6);
  return `${sum('opened')} opened, ${sum('peak')} at once, ${sum('reset')} reset, ${megabytes} MB checked`;
}

export function connectionsCase(connections: number, seconds: number): InteropCase {
  return {
    tool: 'connections',
    program: 'node',
    says: `${connections} kernel connections opened and closed at random, every byte checked, pools as before`,
    seconds,
    parts: 1,
    run: (spot) => withServer(spot, () => judgeChurn(spot, connections), PATIENT),
  };
}

export const connections = connectionsCase(10_000, 300);
