// The pooled path makes no garbage: bytes of heap per message, from the event record to the send and release records.
import { setFlagsFromString } from 'node:v8';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Coroutine } from '../../coroutine/op.js';
import { strictPolicy } from '../../coroutine/scheduler.js';
import { sleep } from '../../coroutine/sleep.js';
import { timeout } from '../../coroutine/timeout.js';
import {
  EVENT_RECORD_BYTES,
  RING_DIRECTORY_AT,
  RING_EMPTY,
  RING_ENTRY_BYTES,
  RING_EVENT,
  RING_HEADER_HEAD_U32,
  RING_HEADER_TAIL_U32,
  RING_RELEASE,
  RING_SEND,
} from '../../stack/abi.js';
import { AppCore } from '../../stack/app-core.js';
import type { MessageInbox } from '../../stack/handler.js';
import { ListenerState } from '../../stack/listener-state.js';
import { FakeStack } from './fake-stack.js';

// A collection between two looks at the heap would hide what was allocated.
setFlagsFromString('--semi-space-growth-factor=1');
setFlagsFromString('--min-semi-space-size=64');

const BATCH = 32;

/** Drives a core through the same 32 messages over and over without allocating anything itself. */
class Treadmill {
  readonly core: AppCore<string>;
  private readonly stack = new FakeStack({ levels: 2, rxPackets: 64, txPackets: 64 });
  private readonly words: Uint32Array;

  constructor(handler: (inbox: MessageInbox<string>) => Coroutine<void>) {
    const { stack } = this;
    this.words = stack.arena.u32;
    this.core = new AppCore<string>({
      arena: stack.arena,
      app: 0,
      levels: ['high', 'low'],
      otherwise: 'low',
      policy: { options: strictPolicy(2), maxAgesMs: null },
      kick: () => {},
      onError: () => false,
    });
    this.core.addListener(
      0,
      new ListenerState<string>({ framing: { kind: 'segment' }, order: 'none' }, { pooled: handler }),
    );
    for (let slot = 0; slot < 4; slot++) stack.opened(slot);
    stack.tick(1);
    this.core.turn();
    stack.giveTx(2 * BATCH);
    // Two rounds of the low event ring are the same 64 records from now on.
    for (let i = 0; i < 64; i++) stack.message(i & 3, '0123456789', 1);
    this.core.turn();
  }

  private ring(index: number): number {
    return (this.words[(RING_DIRECTORY_AT + index * RING_ENTRY_BYTES) >>> 2] as number) >>> 2;
  }

  /** Takes all that the app has published in this ring; returns how much it was. */
  private take(index: number): number {
    const { words } = this;
    const at = this.ring(index);
    const taken = ((words[at + RING_HEADER_TAIL_U32] as number) - (words[at + RING_HEADER_HEAD_U32] as number)) >>> 0;
    words[at + RING_HEADER_HEAD_U32] = words[at + RING_HEADER_TAIL_U32] as number;
    return taken;
  }

  private give(index: number, records: number): void {
    const at = this.ring(index) + RING_HEADER_TAIL_U32;
    this.words[at] = (this.words[at] as number) + records;
  }

  /** A batch comes; what the app writes is taken, and its packets come back. */
  round(): void {
    this.stack.tick(1);
    this.give(EVENTS, BATCH);
    do {
      this.take(RING_RELEASE);
      this.give(RING_EMPTY, this.take(SENDS));
      // The peers acknowledge everything at once.
      for (let slot = 0; slot < this.core.table.size; slot++) this.core.table.setUnconfirmed(slot, 0);
    } while (this.core.turn());
  }
}

const EVENTS = RING_EVENT + 1;
const SENDS = RING_SEND + 1;

function bytesPerMessage(mill: Treadmill, rounds: number): number {
  const before = process.memoryUsage().heapUsed;
  for (let i = 0; i < rounds; i++) mill.round();
  return (process.memoryUsage().heapUsed - before) / (rounds * BATCH);
}

function judge(name: string, bytesMax: number, handler: (inbox: MessageInbox<string>) => Coroutine<void>): void {
  test(name, () => {
    assert.is(EVENT_RECORD_BYTES, 64);
    const mill = new Treadmill(handler);
    for (let i = 0; i < 3000; i++) mill.round();
    const { sent } = mill.core.counts();
    const samples: number[] = [];
    for (let i = 0; i < 5; i++) samples.push(bytesPerMessage(mill, 500));
    const answered = mill.core.counts().sent - sent;
    assert.ok(Math.abs(answered - 5 * 500 * BATCH) <= 4 * BATCH, `${answered} messages were answered`);
    const [, , median = 0] = samples.sort((a, b) => a - b);
    assert.ok(median < bytesMax, `${samples.map((sample) => sample.toFixed(1)).join(' ')} bytes a message`);
  });
}

judge('a pooled coroutine that echoes', 24, function* (inbox) {
  for (;;) {
    const message = yield* inbox.next();
    message.reply(message);
  }
});

judge('a pooled coroutine that waits with a time-out', 40, function* (inbox) {
  for (;;) {
    const message = yield* inbox.next();
    yield* timeout(50, sleep(0));
    message.reply(message);
  }
});

test.run();
