// What a kernel peer may expect of our stack, whatever the device: the tests of tap.test.ts and af-packet.test.ts.
// In: a suite and the kind of device. Out: the suite with its tests. One server serves them all, so that each test also finds
// what the ones before it left behind.
import { createHash, randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { uvu } from 'uvu';
import * as assert from 'uvu/assert';
import type { StackCounters } from '../../stack/native.js';
import { ECHO_PORT, EchoServer, HTTP_PORT } from './echo-server.js';
import { KERNEL, type Link, type LinkKind, Namespace, OURS, PREFIX_LENGTH, resultOf } from './namespace.js';

const LARGE = 100_000_000;
const REVERSE = 10_000_000;
const LISTENER_PORT = 4_000;
const RATE = 1_000;
const SHORT_SECONDS = process.env.QSTACK_LONG === '1' ? 30 : 5;

export interface PeerContext {
  namespace: Namespace;
  link: Link;
  server: EchoServer;
  folder: string;
  /** Counters before the first connection. */
  fresh: StackCounters;
}

export interface EchoResult {
  sent: string;
  received: string;
  bytes: number;
  seconds: number;
  fault?: string;
}

interface ShortResult {
  opened: number;
  answered: number;
  fault?: string;
  seconds: number;
}

export const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');

/** For the reader of a long run; the tests judge bytes, not speed. */
export function sayRate(what: string, bytes: number, seconds: number): void {
  console.log(`${what}: ${Math.round((bytes * 8) / seconds / 1e6)} Mbit/s`);
}

/** A device with so many queues, and as many stacks, in DPDK's words: frames of a whole packet, blocks of whole pages. */
function withQueues(link: Link, queues: number, folder: string): { link: Link; flags: string[] } {
  const config = join(folder, 'queues.conf');
  writeFileSync(config, `stack_thread = ${queues}\n`);
  const device = `net_af_packet9,iface=ours0,qpairs=${queues},framesz=1664,blocksz=${13 * 4_096},framecnt=1024`;
  return { link: { ...link, device }, flags: ['-f', config] };
}

function setUp(suite: uvu.Test<PeerContext>, kind: LinkKind, queues: number): void {
  suite.before(async (context) => {
    context.folder = mkdtempSync(join(tmpdir(), 'qstack-interop-'));
    writeFileSync(join(context.folder, 'large.bin'), randomBytes(LARGE));
    writeFileSync(join(context.folder, 'small.txt'), 'small\n');
    context.namespace = Namespace.make();
    const link = context.namespace.link(kind);
    const shared = queues === 1 ? { link, flags: [] } : withQueues(link, queues, context.folder);
    context.link = shared.link;
    context.server = await EchoServer.start(context.namespace, context.link, {
      root: context.folder,
      flags: [...shared.flags, '--max-concurrency', '10000', '--tcp-timewait', '1s'],
    });
    context.fresh = context.server.counters();
  });
  suite.after(async ({ namespace, folder }) => {
    await namespace?.remove();
    rmSync(folder, { recursive: true, force: true });
  });
}

function bulk(suite: uvu.Test<PeerContext>): void {
  suite('curl gets a file of 100 MB byte for byte', ({ namespace, folder }) => {
    const copy = join(folder, 'copy.bin');
    const format = '%{http_code} %{size_download} %{time_total}';
    const url = `http://${OURS}:${HTTP_PORT}/large.bin`;
    const said = namespace.run('curl', '-sS', '--max-time', '60', '-o', copy, '-w', format, url);
    const [status, size, seconds] = said.split(' ').map(Number);
    sayRate('curl, 100 MB', size ?? 0, seconds ?? 0);
    assert.equal([status, size], [200, LARGE]);
    assert.is(sha256(readFileSync(copy)), sha256(readFileSync(join(folder, 'large.bin'))));
    rmSync(copy);
  });

  suite('100 MB come back from the echo port byte for byte', async ({ namespace }) => {
    const peer = ['test/interop/peers/echo-client.js', OURS, `${ECHO_PORT}`, `${LARGE}`] as const;
    const { sent, received, bytes, seconds } = await namespace.result<EchoResult>(...peer);
    sayRate('echo, 100 MB', bytes, seconds);
    assert.is(bytes, LARGE);
    assert.is(received, sent);
  });
}

export interface PeerOptions {
  /** 1,000 connections a second, for so long. */
  shortSeconds?: number;
  /** Of the device, and stacks; of af_packet. */
  queues?: number;
}

export function kernelPeers(
  suite: uvu.Test<PeerContext>,
  kind: LinkKind,
  { shortSeconds = SHORT_SECONDS, queues = 1 }: PeerOptions = {},
): void {
  setUp(suite, kind, queues);

  suite('ping is answered', ({ namespace }) => {
    const said = namespace.run('ping', '-c', '5', '-i', '0.05', '-W', '2', OURS);
    assert.match(said, /5 packets transmitted, 5 received/);
    const large = namespace.run('ping', '-c', '3', '-i', '0.05', '-W', '2', '-s', '1400', OURS);
    assert.match(large, /3 packets transmitted, 3 received/);
  });

  suite('a port on which nothing listens refuses the connection', ({ namespace }) => {
    const { status, err } = namespace.try('curl', '-sS', '--max-time', '5', `http://${OURS}:81/`);
    assert.is(status, 7, err);
    assert.match(err, /refused|connect to/i);
  });

  bulk(suite);

  suite(`1,000 short connections per second for ${shortSeconds} s are all answered, and leave nothing`, async (context) => {
    const { namespace, server, fresh } = context;
    const numbers = [ECHO_PORT, HTTP_PORT, RATE, shortSeconds].map(String);
    const result = await namespace.result<ShortResult>('test/interop/peers/connections.js', OURS, ...numbers);
    assert.is(result.opened, RATE * shortSeconds);
    assert.is(result.answered, result.opened, result.fault);
    await server.leavesNothing(kind, fresh);
  });

  suite('the server ends in order', async ({ server }) => {
    assert.is(await server.program.stop(), 0, server.program.err);
    assert.match(server.program.err, /connections were opened/);
  });

  suite('our stack opens a connection to a kernel listener, and 10 MB come back byte for byte', async (context) => {
    const { namespace, link } = context;
    const listener = namespace.program('test/interop/peers/echo-listener.js', `${LISTENER_PORT}`);
    await listener.said('listening');
    const device = [`device=${link.device}`, `host_ip=${OURS}/${PREFIX_LENGTH}`, `stack_thread=${queues}`];
    const args = [KERNEL, `${LISTENER_PORT}`, `${REVERSE}`, ...device];
    const client = namespace.program('test/interop/peers/stack-client.js', ...args);
    await client.said('on the air');
    namespace.giveAddress(link);
    const { sent, received, bytes, seconds, fault } = await resultOf<EchoResult>(client);
    sayRate('echo of ours by the kernel, 10 MB', bytes, seconds);
    assert.is(fault, undefined);
    assert.is(bytes, REVERSE);
    assert.is(received, sent);
    await listener.stop();
  });
}
