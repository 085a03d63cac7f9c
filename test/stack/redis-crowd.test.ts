// How many commands are enough: the floor, four times what the servers hold, and no limit while they are silent.
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { STAMP_SHIFT } from '../../stack/abi.js';
import { RedisCrowd } from '../../stack/redis-crowd.js';

const MS = 1_000_000 / 2 ** STAMP_SHIFT;

/** Replies at a steady pace for some time; returns the stamp at the end. */
function replies(crowd: RedisCrowd, startMs: number, durationMs: number, perMs: number, elapsedMs: number): number {
  for (let n = 0; n < durationMs * perMs; n++) {
    const stamp = Math.round((startMs + n / perMs) * MS) >>> 0;
    crowd.reply(stamp, Math.round(elapsedMs * MS));
    crowd.isCrowded(0, stamp);
  }
  return Math.round((startMs + durationMs) * MS) >>> 0;
}

test('a server on this machine needs no more than the floor', () => {
  const crowd = new RedisCrowd();
  const now = replies(crowd, 0, 300, 200, 0.1);
  assert.equal([crowd.isCrowded(512, now), crowd.isCrowded(513, now)], [false, true]);
});

test('a server far away is kept busy: four times its pace and its round trip', () => {
  const crowd = new RedisCrowd();
  const now = replies(crowd, 0, 300, 100, 20);
  assert.equal([crowd.isCrowded(7_900, now), crowd.isCrowded(8_100, now)], [false, true]);
});

test('queues that grow do not raise the limit: the fastest reply counts', () => {
  const crowd = new RedisCrowd();
  replies(crowd, 0, 100, 100, 0.1);
  const now = replies(crowd, 100, 300, 100, 50);
  assert.ok(crowd.isCrowded(513, now));
});

test('servers that are silent hold nothing back', () => {
  const crowd = new RedisCrowd();
  const now = replies(crowd, 0, 300, 100, 0.1);
  assert.not.ok(crowd.isCrowded(100_000, now + 11 * MS));
});

test('the stamps may run over their end', () => {
  const crowd = new RedisCrowd();
  const now = replies(crowd, 2 ** 32 / MS - 150, 300, 100, 0.1);
  assert.equal([crowd.isCrowded(512, now), crowd.isCrowded(513, now)], [false, true]);
});

test.run();
