// SendQueue: what is pushed comes out in order, byte for byte, whatever its size, and many small entries take little memory.
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { ChunkPool, type Command, SendQueue } from '../../stack/send-queue.js';

const SEND = 1;
const CLOSE = 3;

const command = (number: number, type = SEND): Command => ({
  type,
  level: number % 8,
  rxStamp: (0xffffff00 + number) >>> 0,
  packet: number,
  cookie: (0xffffffff - number) >>> 0,
  since: number * 3,
});

const bytesOf = (number: number, length: number) => new Uint8Array(length).map((_, at) => (number * 31 + at) & 0xff);

/** mulberry32's step is more than is needed here. */
function sizes(count: number): number[] {
  let state = 1;
  return Array.from({ length: count }, () => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    return [1, 2, 3, 146, 1_460, 70_000][state >>> 29] ?? state % 400;
  });
}

test('entries come out in order with all that was said of them, while others are pushed', () => {
  const queue = new SendQueue(7, 9, new ChunkPool());
  const lengths = sizes(3_000);
  let taken = 0;
  const takeOne = () => {
    const length = lengths[taken] as number;
    const { bytes, from, ...rest } = queue.first as NonNullable<typeof queue.first>;
    assert.equal(rest, command(taken, taken % 10 === 9 ? CLOSE : SEND));
    assert.is(from, 0);
    assert.is(queue.level, taken % 8);
    if (taken % 10 === 9) assert.is(bytes, null);
    else assert.ok(Buffer.from(bytes as Uint8Array).equals(bytesOf(taken, length)), `entry ${taken}`);
    queue.shift();
    taken++;
  };
  lengths.forEach((length, number) => {
    const isCommand = number % 10 === 9;
    queue.push(command(number, isCommand ? CLOSE : SEND), isCommand ? null : bytesOf(number, length));
    if (number % 3 === 2) takeOne();
  });
  while (queue.first !== undefined) takeOne();
  assert.is(taken, lengths.length);
});

test('bytes that can be copied from where they lie are copied when they are pushed', () => {
  const queue = new SendQueue(0, 0, new ChunkPool());
  const from = Uint8Array.of(1, 2, 3);
  const source = {
    byteLength: 3,
    copyInto: (target: Uint8Array, at: number, first: number, length: number) =>
      target.set(from.subarray(first, first + length), at),
  };
  queue.push(command(1), source);
  from.fill(0);
  assert.equal([...((queue.first as NonNullable<typeof queue.first>).bytes as Uint8Array)], [1, 2, 3]);
  assert.is(queue.bytes, 3);
});

test('how far the first entry has left is remembered until it is gone', () => {
  const queue = new SendQueue(0, 0, new ChunkPool());
  queue.push(command(0), bytesOf(0, 100));
  queue.push(command(1), bytesOf(1, 100));
  (queue.first as NonNullable<typeof queue.first>).from = 60;
  queue.push(command(2), bytesOf(2, 100));
  assert.is(queue.first?.from, 60);
  queue.shift();
  assert.equal([queue.first?.packet, queue.first?.from], [1, 0]);
  queue.clear();
  assert.equal([queue.first, queue.bytes, queue.level], [undefined, 0, 0]);
});

test('a single reply takes what it is long, and ten thousand take little more each', () => {
  const before = process.memoryUsage().arrayBuffers;
  const single = new SendQueue(0, 0, new ChunkPool());
  single.push(command(0), bytesOf(0, 146));
  const many = new SendQueue(1, 0, new ChunkPool());
  const reply = bytesOf(1, 146);
  for (let number = 0; number < 10_000; number++) many.push(command(number), reply);
  const each = (process.memoryUsage().arrayBuffers - before) / 10_000;
  assert.ok(each < 220, `${each} bytes`);
  assert.is(many.bytes, 1_460_000);
});

test('queues that come and go use their chunks again', () => {
  const pool = new ChunkPool();
  const reply = bytesOf(1, 146);
  const fillAndClear = () => {
    const queue = new SendQueue(0, 0, pool);
    for (let number = 0; number < 10_000; number++) queue.push(command(number), reply);
    while (queue.bytes > 1_000_000) {
      queue.bytes -= queue.first?.bytes?.length ?? 0;
      queue.shift();
    }
    assert.ok(Buffer.from(queue.first?.bytes as Uint8Array).equals(reply));
    queue.clear();
  };
  fillAndClear();
  const before = process.memoryUsage().arrayBuffers;
  for (let round = 0; round < 20; round++) fillAndClear();
  const grown = process.memoryUsage().arrayBuffers - before;
  assert.ok(grown < 10_000_000, `${grown} bytes of 34 million`);
});

test.run();
