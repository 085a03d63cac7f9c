// What an app thread keeps by connection lies on huge pages: it asks the kernel for them before it touches any of it.
import { readFileSync } from 'node:fs';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { fixed, serve } from '../../index.js';
import { touched } from '../../mempool/touch.js';
import { ConnectionTable } from '../../stack/connection-table.js';
import { loadNative } from '../../stack/native.js';
import { pair } from '../../stack/testing.js';

const native = loadNative();
const MIB = 2 ** 20;

/** Address space of this process for which huge pages were asked (`hg` in smaps). */
function advisedBytes(): number {
  const mappings = readFileSync('/proc/self/smaps', 'utf8').split(/^(?=[0-9a-f]+-[0-9a-f]+ )/m);
  const advised = mappings.filter((mapping) => /^VmFlags:.* hg( |$)/m.test(mapping));
  return advised.reduce((sum, mapping) => sum + Number(/^Size:\s+(\d+) kB/m.exec(mapping)?.[1]) * 1_024, 0);
}

test('the kernel is asked for the whole huge pages of a buffer, and for nothing where none fits', () => {
  const before = advisedBytes();
  const [large, small] = [new ArrayBuffer(64 * MIB), new ArrayBuffer(MIB)];
  native.adviseHugePages(small);
  native.adviseHugePages(new ArrayBuffer(0));
  assert.is(advisedBytes(), before);
  native.adviseHugePages(large);
  const more = advisedBytes() - before;
  assert.ok(more >= 62 * MIB && more <= 64 * MIB, `${more} bytes`);
  assert.is(large.byteLength + small.byteLength, 65 * MIB);
});

test('what is no ArrayBuffer is refused', () => {
  for (const wrong of [undefined, 7, new Uint8Array(8)]) {
    assert.throws(
      () => native.adviseHugePages(wrong as unknown as ArrayBuffer),
      /adviseHugePages: an ArrayBuffer is expected/,
    );
  }
});

test('memory is prepared before it is touched', () => {
  const array = touched(new Uint8Array(4), (buffer) => new Uint8Array(buffer).fill(9));
  assert.equal([...array], [0, 0, 0, 0]);
});

test('a table of connections has its records and each new column prepared, once', () => {
  const prepared: number[] = [];
  const table = new ConnectionTable(100, (buffer) => prepared.push(buffer.byteLength));
  table.column('seen', 'u16');
  table.column('seen', 'u16');
  assert.equal(prepared, [100 * 32, 100 * 2]);
});

test('an app thread asks for huge pages for its records, its columns and its lists by level', async () => {
  const { adviseHugePages } = native;
  const asked: number[] = [];
  const spy = (buffer: ArrayBuffer) => {
    asked.push(buffer.byteLength);
    adviseHugePages(buffer);
  };
  const server = serve({
    levels: ['high', 'normal', 'low'],
    setup(app) {
      app.column('seen', 'u16');
      app.listen({ port: 7, framing: fixed(8), order: 'level' }, () => {});
    },
  });
  Object.assign(native, { adviseHugePages: spy });
  try {
    const both = await pair(server, { serverConfig: { max_concurrency: 700 }, clientConfig: { max_concurrency: 900 } });
    await both.stop();
  } finally {
    Object.assign(native, { adviseHugePages });
  }
  assert.equal(asked, [700 * 32, 700 * 2, 700 * 3 * 4, 900 * 32]);
});

test.run();
