// The pcap device: frames out of one capture file, answers into another; and live on an interface of the kernel.
// In: frames that are made here, byte by byte. Needs root for the live part only.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Program } from '../apps/program.js';
import { runCase } from './cases/case.js';
import { curl } from './cases/curl.js';
import { interop } from './skip.js';

const ARP = 0x0806;
const IPV4 = 0x0800;
const PEER_MAC = '020000000002';
const [OURS, PEER] = ['0a4d0001', '0a4d0002'];
const PORT = 7;
/** As many as leave in one turn: a file comes in faster than answers to strangers may go out. */
const ECHO = 200;

/** Ones' complement sum of RFC 1071. */
function checksum(bytes: Buffer): number {
  let sum = 0;
  for (let at = 0; at < bytes.length; at += 2) sum += (bytes[at] as number) * 256 + (bytes[at + 1] ?? 0);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return ~sum & 0xffff;
}

function ethernet(to: string, type: number, body: Buffer): Buffer {
  const frame = Buffer.concat([Buffer.from(to + PEER_MAC, 'hex'), Buffer.from([type >> 8, type & 255]), body]);
  return Buffer.concat([frame, Buffer.alloc(Math.max(0, 60 - frame.length))]);
}

const whoHas = ethernet(
  'ffffffffffff',
  ARP,
  Buffer.from(`0001080006040001${PEER_MAC}${PEER}000000000000${OURS}`, 'hex'),
);

function ipv4(to: string, protocol: number, body: Buffer): Buffer {
  const head = Buffer.from(
    `4500${(20 + body.length).toString(16).padStart(4, '0')}0000400040${protocol.toString(16).padStart(2, '0')}0000${PEER}${OURS}`,
    'hex',
  );
  head.writeUInt16BE(checksum(head), 10);
  return ethernet(to, IPV4, Buffer.concat([head, body]));
}

function echoRequest(to: string, sequence: number): Buffer {
  const body = Buffer.from(`08000000abcd${sequence.toString(16).padStart(4, '0')}${'55'.repeat(32)}`, 'hex');
  body.writeUInt16BE(checksum(body), 2);
  return ipv4(to, 1, body);
}

function syn(to: string): Buffer {
  const body = Buffer.alloc(20);
  body.writeUInt16BE(40_000, 0);
  body.writeUInt16BE(PORT, 2);
  body.writeUInt32BE(1_000, 4);
  body.writeUInt16BE(0x5002, 12);
  body.writeUInt16BE(65_535, 14);
  const pseudo = Buffer.from(`${PEER}${OURS}00060014`, 'hex');
  body.writeUInt16BE(checksum(Buffer.concat([pseudo, body])), 16);
  return ipv4(to, 6, body);
}

/** A classic capture file: microseconds, Ethernet. */
function capture(frames: readonly Buffer[]): Buffer {
  const head = Buffer.from('d4c3b2a1020004000000000000000000ffff000001000000', 'hex');
  const records = frames.map((frame, index) => {
    const record = Buffer.alloc(16);
    record.writeUInt32LE(index + 1, 0);
    record.writeUInt32LE(frame.length, 8);
    record.writeUInt32LE(frame.length, 12);
    return Buffer.concat([record, frame]);
  });
  return Buffer.concat([head, ...records]);
}

function framesOf(file: string): Buffer[] {
  const bytes = readFileSync(file);
  const frames: Buffer[] = [];
  for (let at = 24; at < bytes.length; ) {
    const length = bytes.readUInt32LE(at + 8);
    frames.push(bytes.subarray(at + 16, at + 16 + length));
    at += 16 + length;
  }
  return frames;
}

const pcap = suite<{ folder: string }>('pcap');
pcap.before((context) => {
  context.folder = mkdtempSync(join(tmpdir(), 'qstack-pcap-'));
});
pcap.after(({ folder }) => rmSync(folder, { recursive: true, force: true }));

function server(device: string, root: string): Program {
  const flags = ['--device', device, '--host-ip', '10.77.0.1/24', '--port', `${PORT}`, '--http-port', '0'];
  return new Program('apps/echo_server/main.js', [...flags, '--root', root, '--stats-json']);
}

/** What the stack has answered to these frames, once it has read them all. */
async function answers(folder: string, frames: readonly Buffer[]): Promise<Buffer[]> {
  const [rx, tx] = [join(folder, 'in.pcap'), join(folder, 'out.pcap')];
  writeFileSync(rx, capture(frames));
  const program = server(`pcap:rx=${rx},tx=${tx}`, folder);
  await program.said(`"rx_packets":${frames.length},`);
  assert.is(await program.stop(), 0, program.err);
  return framesOf(tx);
}

const typeOf = (frame: Buffer) => frame.readUInt16BE(12);
const isEchoReply = (frame: Buffer) => typeOf(frame) === IPV4 && frame[23] === 1 && frame[34] === 0;
const isSynAck = (frame: Buffer) =>
  typeOf(frame) === IPV4 && frame[23] === 6 && ((frame[47] as number) & 0x3f) === 0x12;

pcap('each frame of a file is answered in the other one: ARP, ICMP echo and a SYN', async ({ folder }) => {
  const [reply] = (await answers(folder, [whoHas])).filter((frame) => typeOf(frame) === ARP && frame[21] === 2);
  assert.is(reply?.subarray(28, 32).toString('hex'), OURS);
  const mac = (reply as Buffer).toString('hex', 6, 12);

  const requests = Array.from({ length: ECHO }, (_, sequence) => echoRequest(mac, sequence));
  const echoes = (await answers(folder, [whoHas, ...requests])).filter(isEchoReply);
  assert.equal(
    echoes.map((frame) => frame.readUInt16BE(40)),
    requests.map((_, sequence) => sequence),
  );
  assert.ok(echoes.every((frame) => frame.toString('hex', 42, 74) === '55'.repeat(32)));
  const synAck = (await answers(folder, [whoHas, syn(mac)])).find(isSynAck);
  assert.is(synAck?.readUInt16BE(34), PORT);
  assert.is(synAck?.readUInt32BE(42), 1_001);
});

pcap('a file that is not there is named, in one sentence', async ({ folder }) => {
  const program = server('pcap:rx=/none/in.pcap,tx=/none/out.pcap', folder);
  assert.is(await program.ended, 1);
  assert.match(program.err, /frames cannot be read from \/none\/in\.pcap: ENOENT/);
  assert.is(program.err.trim().split('\n').length, 1, program.err);
});

pcap('a file that is no capture is refused with the words of libpcap', async ({ folder }) => {
  const file = join(folder, 'text.pcap');
  writeFileSync(file, 'this is no capture at all');
  const program = server(`pcap:rx=${file}`, folder);
  assert.is(await program.ended, 1);
  assert.match(program.err, /unknown file format/);
});

await interop(pcap, (tests) => {
  tests('live on a veth: curl and an echo, byte for byte', async () => {
    console.log(`pcap: ${await runCase(curl, { kind: 'pcap', faults: false })}`);
  });
});
pcap.run();
