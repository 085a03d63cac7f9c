// What an event costs between two JavaScript threads, in nanoseconds: by the rings of mempool/ring.ts, and by MessageChannel.
// In: how many events. Out: "ready" and one line of JSON. Each event is 64 bytes and is looked at; batches of 64.
import { isMainThread, MessageChannel, type MessagePort, Worker, workerData } from 'node:worker_threads';
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
      const at = ring.push();
      words[at] = sent + i;
      for (let word = 1; word < WORDS; ++word) words[at + word] = word;
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
    port.on('message', ([number]: number[]) => {
      if (number !== seen) fail(new Error(`message ${number} instead of ${seen}`));
      if (++seen === count) done();
    });
  });
}

async function cost(count: number, kind: 'ring' | 'messages'): Promise<number> {
  const memory = new SharedArrayBuffer(RING_HEADER_BYTES + CAPACITY * WORDS * 4);
  const { port1, port2 } = new MessageChannel();
  const work: Work = { count, memory, port: kind === 'ring' ? undefined : port2 };
  const worker = new Worker(new URL(import.meta.url), {
    workerData: work,
    transferList: kind === 'ring' ? [] : [port2],
  });
  await new Promise((online) => worker.once('online', online));
  const start = performance.now();
  if (kind === 'ring') consume(work);
  else await byMessages(port1, count);
  const ns = ((performance.now() - start) * 1e6) / count;
  port1.close();
  await worker.terminate();
  return ns;
}

if (isMainThread) {
  const count = Number(process.argv[2] ?? 1_000_000);
  process.stdout.write('ready\n');
  const typescript_ring_ns = await cost(count, 'ring');
  const message_channel_ns = await cost(Math.ceil(count / 10), 'messages');
  process.stdout.write(`${JSON.stringify({ typescript_ring_ns, message_channel_ns })}\n`);
} else {
  produce(workerData as Work);
}
