// The IoT replies: QStack's 146 bytes with the counter behind them, and valid HTTP.
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { classKey, IOT_REPLY_BYTES, makeReplies } from '../../apps/iotepserver/wire.js';

const text = (bytes: Uint8Array) => Buffer.from(bytes).toString('latin1');

test('an iot reply has 146 bytes, label 3 at byte 6, the counter at 126, then zeros', () => {
  const { done, unavailable } = makeReplies('iot');
  for (const template of [done, unavailable]) {
    const bytes = template.with(0xdeadbeef);
    assert.is(bytes.length, IOT_REPLY_BYTES);
    assert.is(bytes[6], 3);
    assert.is(text(bytes.subarray(0, 6)), 'HTTP/1');
    assert.is(text(bytes.subarray(122, 126)), '\r\n\r\n');
    assert.is(text(bytes.subarray(126, 134)), 'deadbeef');
    assert.equal(bytes.subarray(134), new Uint8Array(12));
  }
  assert.is(text(done.bytes.subarray(9, 12)), '200');
  assert.is(text(unavailable.bytes.subarray(9, 12)), '503');
});

test('an http reply is valid HTTP with the counter in X-Counter', () => {
  const { done, unavailable } = makeReplies('http');
  assert.is(text(done.with(1)), 'HTTP/1.1 200 OK\r\nContent-Length: 0\r\nX-Counter: 00000001\r\n\r\n');
  assert.match(text(unavailable.with(0xffffffff)), /^HTTP\/1\.1 503 .*X-Counter: ffffffff\r\n\r\n$/s);
});

test('a template is written again for the next counter', () => {
  const { done } = makeReplies('iot');
  assert.is(text(done.with(255).subarray(126, 134)), '000000ff');
  assert.is(text(done.with(0).subarray(126, 134)), '00000000');
});

test("the class is the last byte of the client's address", () => {
  assert.is(classKey({ remoteAddress: 0x0a0001fe, remotePort: 1 }), 0xfe);
  assert.is(classKey({ remoteAddress: 0, remotePort: 1, remote: { address: 'fd00::12:34fe' } }), 0xfe);
  assert.is(classKey({ remoteAddress: 0, remotePort: 1, remote: { address: 'fd00::' } }), 0);
});

test.run();
