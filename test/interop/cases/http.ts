// ab and wrk against the file server: every request answered, with and without keep-alive.
import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { HTTP_PORT } from '../echo-server.js';
import { OURS } from '../namespace.js';
import { type InteropCase, type Spot, withServer } from './case.js';

const FILES: Readonly<Record<string, number>> = { 'small.bin': 200, 'large.bin': 100_000 };
const CONNECTIONS = '50';
/** ab is told a number of requests beside the time: otherwise it stops at 50,000. */
const REQUESTS = '10000000';
/**
 * ab opens one connection and waits for its answer before it opens the others. Where a fault takes the first SYN or its
 * answer, that is a second, and three where it takes the next one as well: all of a short run's time.
 */
const TRIES = 6;

const url = (file: string) => `http://${OURS}:${HTTP_PORT}/${file}`;

function figure(said: string, pattern: RegExp): number {
  const text = pattern.exec(said)?.[1];
  if (text === undefined) throw new Error(`${pattern} is not in: ${said}`);
  return Number(text);
}

const completeOf = (said: string) => figure(said, /^Complete requests: +(\d+)/m);

async function ab({ namespace, faultFlags }: Spot, seconds: number, keepAlive: boolean, file: string): Promise<number> {
  const flags = ['-q', '-c', CONNECTIONS, '-t', `${seconds}`, '-n', REQUESTS, '-s', '30', ...(keepAlive ? ['-k'] : [])];
  const load = () => namespace.say('ab', ...flags, url(file));
  let said = await load();
  for (let tries = 1; tries < TRIES && faultFlags.length > 0 && completeOf(said) === 0; tries++) said = await load();
  const complete = completeOf(said);
  assert.ok(complete > 0, said);
  assert.is(figure(said, /^Failed requests: +(\d+)/m), 0, said);
  assert.not.match(said, /^Non-2xx responses/m);
  assert.is(figure(said, /^Document Length: +(\d+)/m), FILES[file]);
  assert.is(keepAlive ? figure(said, /^Keep-Alive requests: +(\d+)/m) : complete, complete, said);
  return complete;
}

async function wrk({ namespace }: Spot, seconds: number, keepAlive: boolean, file: string): Promise<number> {
  const header = keepAlive ? [] : ['-H', 'Connection: close'];
  const flags = ['-t', '2', '-c', CONNECTIONS, '-d', `${seconds}s`, '--timeout', '30s', ...header];
  const said = await namespace.say('wrk', ...flags, url(file));
  const complete = figure(said, /^ +(\d+) requests in /m);
  assert.ok(complete > 0, said);
  assert.not.match(said, /Socket errors|Non-2xx/);
  return complete;
}

export interface Load {
  file: 'small.bin' | 'large.bin';
  keepAlive: boolean;
}

const LOADS: readonly Load[] = [
  { file: 'small.bin', keepAlive: true },
  { file: 'large.bin', keepAlive: true },
  { file: 'small.bin', keepAlive: false },
  { file: 'large.bin', keepAlive: false },
];

/** The time is shared out evenly. */
async function measure(spot: Spot, loads: readonly Load[], tool: typeof ab): Promise<string> {
  for (const [name, size] of Object.entries(FILES)) writeFileSync(join(spot.folder, name), randomBytes(size));
  const seconds = Math.max(1, Math.round(spot.seconds / loads.length));
  const said: string[] = [];
  for (const { file, keepAlive } of loads) {
    const complete = await tool(spot, seconds, keepAlive, file);
    said.push(`${Math.round(complete / seconds)} ${file.replace('.bin', '')}${keepAlive ? ' keep-alive' : ''}`);
  }
  return `requests/s: ${said.join(', ')}; none failed`;
}

const SECONDS = 20;

export function apacheBench(loads: readonly Load[] = LOADS): InteropCase {
  return {
    tool: 'ab',
    program: 'ab',
    says: 'ab against the file server, 200 B and 100 kB, with keep-alive and without',
    seconds: SECONDS,
    parts: 1,
    run: (spot) => withServer(spot, () => measure(spot, loads, ab)),
  };
}

export function wrkLoad(loads: readonly Load[] = LOADS): InteropCase {
  return {
    tool: 'wrk',
    program: 'wrk',
    says: 'wrk against the file server, 200 B and 100 kB, with keep-alive and without',
    seconds: SECONDS,
    parts: 1,
    run: (spot) => withServer(spot, () => measure(spot, loads, wrk)),
  };
}
