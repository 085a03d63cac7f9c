// redis-benchmark against each server: what the stores behind a gateway can do at most, so that its figures mean something.
// In: servers, how much. Out: operations per second and latencies of SET and GET. Servers are measured one after the other, a
// cluster as a whole.
import { spawn } from 'node:child_process';
import type { RedisServer } from './servers.js';

export interface BenchOptions {
  requests: number;
  /** Commands per write: what makes the difference between a round trip and a server's work. */
  pipeline: number;
  clients: number;
  keys: number;
  valueBytes: number;
}

export interface BenchRow {
  server: string;
  test: string;
  requests_per_s: number;
  p50_ms: number | null;
  p99_ms: number | null;
}

interface Target {
  readonly name: string;
  readonly flags: readonly string[];
}

/** Singles one by one, members of a cluster together. */
export function targetsOf(servers: readonly RedisServer[]): Target[] {
  const member = servers.find(({ kind }) => kind === 'cluster');
  const singles = servers
    .filter(({ kind }) => kind === 'redis')
    .map(({ index, socket }) => ({ name: `redis-${index}`, flags: ['-s', socket] }));
  if (member === undefined) return singles;
  return [...singles, { name: 'cluster', flags: ['--cluster', '-h', '127.0.0.1', '-p', String(member.port)] }];
}

function numberOf(text: string | undefined): number | null {
  return text === undefined || text === '' || Number.isNaN(Number(text)) ? null : Number(text);
}

/** Lines of `redis-benchmark --csv`; columns by its first line, where it has one (6.2 and later). */
export function rowsOf(server: string, csv: string): BenchRow[] {
  const lines = csv
    .split(/[\r\n]+/)
    .filter((line) => line.startsWith('"'))
    .map((line) => line.split(',').map((cell) => cell.replaceAll('"', '').trim()));
  const head = lines.find(([first]) => first === 'test');
  const at = (name: string) => head?.indexOf(name) ?? -1;
  return lines
    .filter(([first]) => first !== 'test')
    .map((cells) => ({
      server,
      test: cells[0] as string,
      requests_per_s: Math.round(Number(cells[1])),
      p50_ms: numberOf(cells[at('p50_latency_ms')]),
      p99_ms: numberOf(cells[at('p99_latency_ms')]),
    }));
}

function flagsOf(options: BenchOptions): string[] {
  const { requests, pipeline, clients, keys, valueBytes } = options;
  const numbers = { n: requests, P: pipeline, c: clients, r: keys, d: valueBytes };
  return ['--csv', '-t', 'set,get', ...Object.entries(numbers).flatMap(([name, n]) => [`-${name}`, String(n)])];
}

export async function benchOf(target: Target, options: BenchOptions): Promise<BenchRow[]> {
  const child = spawn('redis-benchmark', [...target.flags, ...flagsOf(options)], { stdio: ['ignore', 'pipe', 'pipe'] });
  let [out, err] = ['', ''];
  child.stdout.on('data', (bytes) => {
    out += bytes;
  });
  child.stderr.on('data', (bytes) => {
    err += bytes;
  });
  const code = await new Promise<number | null>((done, fail) => {
    child.once('error', fail).once('close', done);
  }).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT') throw error;
    throw new Error('redis-benchmark is not installed: `node deps/check.mjs` names the command that installs it');
  });
  const rows = rowsOf(target.name, out);
  if (code === 0 && rows.length > 0) return rows;
  throw new Error(`redis-benchmark against ${target.name} ended with ${code}: ${`${err}${out}`.trim().slice(-300)}`);
}
