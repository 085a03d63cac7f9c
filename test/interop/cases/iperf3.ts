// Debian's iperf3 against ours, in both roles: what each of them has counted, the other one has to say as well.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import type { Command } from '../../apps/program.js';
import { KERNEL, OURS, PREFIX_LENGTH } from '../namespace.js';
import { awaken, type InteropCase, type Spot } from './case.js';

/** The part of iperf3's JSON that is compared. */
interface Iperf3Json {
  error?: string;
  start: { test_start: { num_streams: number; reverse: number; blksize: number } };
  intervals: object[];
  end: {
    streams: { sender: { bytes: number }; receiver: { bytes: number } }[];
    sum_sent: { bytes: number; bits_per_second: number };
    sum_received: { bytes: number; bits_per_second: number };
  };
}

interface Variant {
  streams: number;
  reverse: boolean;
}

const VARIANTS: readonly Variant[] = [
  { streams: 1, reverse: false },
  { streams: 1, reverse: true },
  { streams: 4, reverse: false },
  { streams: 4, reverse: true },
];
/** Above the length of a test: connecting, and what the kernel's iperf3 waits for. */
const GRACE_MS = 30_000;

function ours(spot: Spot, flags: readonly string[]): Command {
  const place = ['--device', spot.link.device, '--host-ip', `${OURS}/${PREFIX_LENGTH}`, ...spot.faultFlags];
  return spot.namespace.program('tools/qstack/main.js', 'iperf3', '-J', ...flags, ...place);
}

async function jsonOf(program: Command, limitMs: number): Promise<Iperf3Json> {
  const watchdog = setTimeout(() => program.child.kill('SIGKILL'), limitMs);
  const code = await program.ended;
  clearTimeout(watchdog);
  assert.is(code, 0, `our iperf3: ${code}: ${program.out.slice(-2_000)}${program.err}`);
  return JSON.parse(program.out) as Iperf3Json;
}

function flagsOf({ streams, reverse }: Variant, seconds: number): string[] {
  return ['-t', `${seconds}`, '-P', `${streams}`, ...(reverse ? ['-R'] : [])];
}

/** Each side has its own count, and that of the other by the exchange of results; so the two files have to agree. */
function compare(client: Iperf3Json, server: Iperf3Json, { streams, reverse }: Variant): void {
  for (const { error, start, intervals } of [client, server]) {
    assert.is(error, undefined);
    assert.is(start.test_start.num_streams, streams);
    assert.is(start.test_start.reverse, reverse ? 1 : 0);
    assert.ok(intervals.length > 0);
  }
  assert.is(client.end.streams.length, streams);
  const [sender, receiver] = reverse ? [server, client] : [client, server];
  assert.is(client.end.sum_sent.bytes, sender.end.sum_sent.bytes);
  assert.is(client.end.sum_received.bytes, receiver.end.sum_received.bytes);
  assert.ok(client.end.sum_received.bytes > 0, 'nothing was received');
  assert.ok(client.end.sum_received.bytes <= client.end.sum_sent.bytes, 'more was received than sent');
  for (const stream of client.end.streams) assert.ok(stream.receiver.bytes > 0, 'a stream has moved nothing');
}

/** Debian's iperf3 is the client. */
async function serverOfOurs(spot: Spot, variant: Variant): Promise<Iperf3Json> {
  const program = ours(spot, ['-s', '-1']);
  await program.said('Server listening');
  spot.namespace.giveAddress(spot.link);
  const said = await spot.namespace.say('iperf3', '-c', OURS, '-J', ...flagsOf(variant, spot.seconds));
  const client = JSON.parse(said) as Iperf3Json;
  compare(client, await jsonOf(program, GRACE_MS), variant);
  return client;
}

/** Debian's iperf3 is the server; a tap is there only once our stack is. */
async function clientOfOurs(spot: Spot, variant: Variant): Promise<Iperf3Json> {
  const file = join(spot.folder, 'server.json');
  writeFileSync(file, '');
  const server = spot.namespace.command('iperf3', '-s', '-1', '-J');
  const program = ours(spot, ['-c', KERNEL, ...flagsOf(variant, spot.seconds)]);
  await program.said('Connecting to');
  // Our first question came before there was an address, so two are left.
  spot.namespace.giveAddress(spot.link);
  if (spot.faultFlags.length > 0) await awaken(spot.namespace);
  const client = await jsonOf(program, spot.seconds * 1000 + GRACE_MS);
  assert.is(await server.ended, 0, server.err);
  compare(client, JSON.parse(server.out) as Iperf3Json, variant);
  return client;
}

async function measure(spot: Spot, variants: readonly Variant[], test: typeof serverOfOurs): Promise<string> {
  const said: string[] = [];
  for (const variant of variants) {
    const { end } = await test(spot, variant);
    const rate = (end.sum_received.bits_per_second / 1e6).toPrecision(3);
    said.push(`${Number(rate)}${variant.streams > 1 ? ' -P 4' : ''}${variant.reverse ? ' -R' : ''}`);
  }
  return `Mbit/s: ${said.join(', ')}`;
}

const SECONDS = 5;

export function iperf3Server(variants: readonly Variant[] = VARIANTS): InteropCase {
  return {
    tool: 'iperf3 -s',
    program: 'iperf3',
    says: "our iperf3 server and Debian's client, with -R and -P 4 and without, the JSON of both compared",
    seconds: SECONDS,
    parts: variants.length,
    run: (spot) => measure(spot, variants, serverOfOurs),
  };
}

export function iperf3Client(variants: readonly Variant[] = VARIANTS): InteropCase {
  return {
    tool: 'iperf3 -c',
    program: 'iperf3',
    says: "our iperf3 client and Debian's server, with -R and -P 4 and without, the JSON of both compared",
    seconds: SECONDS,
    parts: variants.length,
    run: (spot) => measure(spot, variants, clientOfOurs),
  };
}
