// Views over the arena: reads in place, checked against a naive reference, and their end.
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { isByteSource } from '../../mempool/index.js';
import { ArenaView } from '../../mempool/view.js';
import { FakeStack } from '../stack/fake-stack.js';

class TestView extends ArenaView {
  show(at: number, size: number): this {
    this.at = at;
    this.size = size;
    this.epoch = this.lifetime;
    return this;
  }
  expire(): void {
    this.lifetime++;
  }
}

const { arena } = new FakeStack();
const code = (expected: string) => (error: { code?: string }) => error.code === expected;

test('numbers are read in network order, or little-endian by name, at any alignment', () => {
  for (let shift = 0; shift < 4; shift++) {
    const at = arena.payloadOf(1) + shift;
    arena.u8.set([0xfe, 0xdc, 0xba, 0x98, 0x76], at);
    const view = new TestView(arena).show(at, 5);
    const reference = new DataView(arena.u8.buffer, at, 5);
    for (let i = 0; i < 5; i++) assert.is(view.u8(i), reference.getUint8(i));
    for (let i = 0; i < 4; i++) {
      assert.is(view.u16(i), reference.getUint16(i));
      assert.is(view.u16le(i), reference.getUint16(i, true));
    }
    for (let i = 0; i < 2; i++) {
      assert.is(view.u32(i), reference.getUint32(i));
      assert.is(view.u32le(i), reference.getUint32(i, true));
    }
  }
});

test('strings, digits and searches are read without a copy of the bytes', () => {
  const at = arena.payloadOf(2);
  arena.u8.set(Buffer.from('key=0042;é'), at);
  const view = new TestView(arena).show(at, 11);
  assert.is(view.latin1(0, 3), 'key');
  assert.is(view.utf8(9), 'é');
  assert.is(view.decimal(4, 8), 42);
  assert.ok(Number.isNaN(view.decimal(3, 8)) && Number.isNaN(view.decimal(4, 4)));
  assert.equal([view.indexOf(0x3d), view.indexOf(0x3d, 4), view.indexOf(0x3b, 4)], [3, -1, 8]);
  assert.ok(view.startsWith(Buffer.from('42'), 6) && !view.startsWith(Buffer.from('é!'), 9));
  assert.ok(view.slice(0, 3).equals(Buffer.from('key')) && !view.slice(0, 3).equals(Buffer.from('kez')));
});

test('a slice of a slice shows the same bytes and ends with the message', () => {
  const at = arena.payloadOf(3);
  arena.u8.set(Buffer.from('abcdefgh'), at);
  const view = new TestView(arena).show(at, 8);
  const inner = view.slice(2, 7).slice(1, 3);
  assert.is(inner.utf8(), 'de');
  assert.is(inner.arenaOffset, at + 3);
  assert.throws(() => inner.u8(2), code('QST_ERR_OUT_OF_RANGE'));
  view.expire();
  assert.throws(() => inner.utf8(), code('QST_ERR_MESSAGE_RELEASED'));
  view.show(at, 8);
  assert.ok(view.isValid);
  assert.throws(() => inner.length, code('QST_ERR_MESSAGE_RELEASED'), 'not even when the object shows something else');
});

test('copy and copyInto give bytes of their own', () => {
  const at = arena.payloadOf(4);
  arena.u8.set(Buffer.from('abcdef'), at);
  const view = new TestView(arena).show(at, 6);
  const copy = view.copy(1, 3);
  const target = new Uint8Array(4);
  view.copyInto(target, 1, 2, 3);
  view.copyInto(arena.u8, arena.payloadOf(5), 0, 6);
  arena.u8[at + 2] = 0;
  assert.is(Buffer.from(copy).toString(), 'bc');
  assert.equal([...target], [0, 0x63, 0x64, 0x65]);
  assert.is(arena.u8[arena.payloadOf(5) + 2], 0x63);
  assert.ok(isByteSource(view) && !isByteSource(target) && !isByteSource(null));
});

test.run();
