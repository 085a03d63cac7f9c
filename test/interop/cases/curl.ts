// Bulk with a kernel peer: curl gets a file, and an echo comes back, byte for byte.
import { createHash, randomBytes } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { ECHO_PORT, HTTP_PORT } from '../echo-server.js';
import { OURS, resultOf } from '../namespace.js';
import { type InteropCase, type Spot, withServer } from './case.js';

const BYTES = 100_000_000;
/** Loss of 5 % both ways: an order of magnitude less. */
const BYTES_WITH_FAULTS = 10_000_000;
const LIMIT_MS = 120_000;

const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');
const rate = (bytes: number, seconds: number) => `${Math.round((bytes * 8) / seconds / 1e6)} Mbit/s`;

async function download({ namespace, folder }: Spot, bytes: number): Promise<string> {
  const content = randomBytes(bytes);
  const copy = join(folder, 'copy.bin');
  writeFileSync(join(folder, 'file.bin'), content);
  const flags = ['-sS', '--max-time', `${LIMIT_MS / 1000}`, '-o', copy, '-w', '%{http_code} %{time_total}'];
  const said = await namespace.say('curl', ...flags, `http://${OURS}:${HTTP_PORT}/file.bin`);
  const [status, seconds = 0] = said.split(' ').map(Number);
  assert.is(status, 200);
  assert.is(sha256(readFileSync(copy)), sha256(content), 'the file has other bytes');
  return rate(bytes, seconds);
}

async function echo({ namespace }: Spot, bytes: number): Promise<string> {
  const client = namespace.program('test/interop/peers/echo-client.js', OURS, `${ECHO_PORT}`, `${bytes}`);
  const result = await resultOf<{ sent: string; received: string; bytes: number; seconds: number }>(client, LIMIT_MS);
  assert.is(result.bytes, bytes);
  assert.is(result.received, result.sent, 'other bytes came back');
  return rate(bytes, result.seconds);
}

export const curl: InteropCase = {
  tool: 'curl',
  program: 'curl',
  says: `curl gets a file and an echo comes back, ${BYTES / 1e6} MB each (${BYTES_WITH_FAULTS / 1e6} MB with faults), byte for byte`,
  seconds: 0,
  parts: 1,
  run: (spot) =>
    withServer(spot, async () => {
      const bytes = spot.faultFlags.length > 0 ? BYTES_WITH_FAULTS : BYTES;
      const [down, both] = [await download(spot, bytes), await echo(spot, bytes)];
      return `${bytes / 1e6} MB: file ${down}, echo ${both}`;
    }),
};
