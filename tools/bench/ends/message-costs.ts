// What an event costs between two JavaScript threads, in nanoseconds: by the rings of mempool/ring.ts, and by MessageChannel.
// In: how many events. Out: "ready" and one line of JSON. Each event is 64 bytes and is looked at; batches of 64.
import { once } from 'node:events';
import { MessageChannel, type MessagePort, parentPort, Worker, workerData } from 'node:worker_threads';
import { RingConsumer, RingProducer } from '../../../mempool/ring.js';
import { RING_HEADER_BYTES } from '../../../stack/abi.js';

const BATCH = 64;
const CAPACITY = 4_096;
const WORDS = 16;

interface Work {
  count: number;
  memory: SharedArrayBuffer;
  port: MessagePort | undefined;
}

const place = { headerAt: 0, recordsAt: RING_HEADER_BYTES, capacity: CAPACITY, recordBytes: WORDS * 4 };

/** Field by field, as writers of records do it. */
function write(words: Int32Array, at: number, number: number): void {
  words[at] = number;
  words[at + 1] = 1;
  words[at + 2] = 2;
  words[at + 3] = 3;
  words[at + 4] = 4;
  words[at + 5] = 5;
  words[at + 6] = 6;
  words[at + 7] = 7;
  words[at + 8] = 8;
  words[at + 9] = 9;
  words[at + 10] = 10;
  words[at + 11] = 11;
  words[at + 12] = 12;
  words[at + 13] = 13;
  words[at + 14] = 14;
  words[at + 15] = 15;
}

function produce({ count, memory, port }: Work): void {
  if (port !== undefined) {
    for (let i = 0; i < count; ++i) port.postMessage([i, 0, 0, 0]);
    return;
  }
  const words = new Int32Array(memory);
  const ring = new RingProducer(words, place);
  for (let sent = 0; sent < count; ) {
    const n = Math.min(BATCH, count - sent);
    if (!ring.hasRoom(n)) continue;
    for (let i = 0; i < n; ++i) {
      write(words, ring.push(), sent + i);
    }
    ring.publish();
    sent += n;
  }
}

function consume({ count, memory }: Work): void {
  const words = new Int32Array(memory);
  const ring = new RingConsumer(words, place);
  for (let seen = 0; seen < count; ) {
    ring.refresh();
    let left = Math.min(ring.available, BATCH);
    for (; left > 0; --left, ++seen) {
      if (words[ring.peek()] !== seen) throw new Error(`event ${words[ring.peek()]} instead of ${seen}`);
      ring.advance();
    }
    ring.publish();
  }
}

function byMessages(port: MessagePort, count: number): Promise<void> {
  return new Promise((done, fail) => {
    let seen = 0;
    const take = ([number]: number[]) => {
      if (number !== seen) fail(new Error(`message ${number} instead of ${seen}`));
      if (++seen < count) return;
      port.off('message', take);
      done();
    };
    port.on('message', take);
  });
}

/** The first round compiles; the second one counts. The worker begins each when it is told to. */
async function cost(count: number, kind: 'ring' | 'messages'): Promise<number> {
  const memory = new SharedArrayBuffer(RING_HEADER_BYTES + CAPACITY * WORDS * 4);
  const { port1, port2 } = new MessageChannel();
  const work: Work = { count, memory, port: kind === 'ring' ? undefined : port2 };
  const transferList = kind === 'ring' ? [] : [port2];
  const worker = new Worker(new URL(import.meta.url), { workerData: work, transferList });
  await once(worker, 'message');
  let ns = 0;
  for (let round = 0; round < 2; ++round) {
    const start = performance.now();
    worker.postMessage('go');
    if (kind === 'ring') consume(work);
    else await byMessages(port1, count);
    ns = ((performance.now() - start) * 1e6) / count;
    await once(worker, 'message');
  }
  port1.close();
  await worker.terminate();
  return ns;
}

function serveRounds(work: Work, parent: MessagePort): void {
  parent.on('message', () => {
    produce(work);
    parent.postMessage('ready');
  });
  parent.postMessage('ready');
}

if (parentPort === null) {
  const count = Number(process.argv[2] ?? 1_000_000);
  process.stdout.write('ready\n');
  const typescript_ring_ns = await cost(count, 'ring');
  const message_channel_ns = await cost(Math.ceil(count / 10), 'messages');
  process.stdout.write(`${JSON.stringify({ typescript_ring_ns, message_channel_ns })}\n`);
} else {
  serveRounds(workerData as Work, parentPort);
}
