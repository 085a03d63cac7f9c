// The program of the README, with Redis: compiled as it stands there, and run over two stacks in one process.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { all, frameLength, lengthPrefix, level, payload, serve, timeout } from '../../index.js';
import { pair, SERVER_ADDRESS } from '../../stack/testing.js';
import { redisDown, redisUp } from '../../tools/redis/servers.js';

const program = serve({
  levels: ['alarm', 'normal', 'bulk'],
  otherwise: 'normal',
  classify: [
    level('alarm').when(payload(2).u8().is(0x01)),
    level('bulk').when(payload(2).u8().in(0x10, 0x1f).and(frameLength.over(1000))),
  ],
  policy: { kind: 'strict', starvationBoundMs: 20 },
  setup(app) {
    const redis = app.redis();
    const last = app.column('last_seq', 'u32');
    app.listen({ port: 7000, framing: lengthPrefix({ offset: 0, width: 2 }), order: 'level' }, function* (message) {
      const seq = message.u32(4);
      if (seq <= last.get(message.connection)) return;
      last.set(message.connection, seq);
      const key = message.slice(8, 16);
      // The README says 50 ms; a loaded test machine may take longer.
      const [config] = yield* timeout(5000, all(redis.get(key), redis.set(key, message)));
      message.reply(config ?? 'none');
    });
  },
});

function request(seq: number, key: string, kind = 0): Buffer {
  const bytes = Buffer.alloc(64);
  bytes.writeUInt16BE(bytes.length, 0);
  bytes[2] = kind;
  bytes.writeUInt32BE(seq, 4);
  bytes.write(key, 8, 8, 'latin1');
  return bytes;
}

const folder = mkdtempSync(join(tmpdir(), 'qstack-example-'));

test.after(async () => {
  await redisDown(folder);
  rmSync(folder, { recursive: true, force: true });
});

test('the example answers from Redis, and forgets repeated sequence numbers', async () => {
  const servers = await redisUp(2, folder);
  const redis = servers.map(({ socket }) => socket).join(' ');
  await using both = await pair(program, { serverConfig: { redis } });
  const connection = await both.client.app.connect({ address: SERVER_ADDRESS, port: 7000 });
  const ask = async (bytes: Buffer, length: number) => {
    connection.send(bytes);
    const parts: Uint8Array[] = [];
    for (let have = 0; have < length; ) {
      const message = await connection.receive();
      if (message === null) break;
      parts.push(message.copy());
      have += message.length;
    }
    return Buffer.concat(parts);
  };
  assert.is((await ask(request(1, 'device-1'), 4)).toString(), 'none');
  assert.ok((await ask(request(2, 'device-1', 1), 64)).equals(request(1, 'device-1')));
  assert.is((await ask(request(3, 'device-2'), 4)).toString(), 'none');
  connection.send(request(3, 'device-1'));
  assert.ok(
    (await ask(request(4, 'device-1'), 64)).equals(request(2, 'device-1', 1)),
    'the repeated one had no answer',
  );
  assert.equal(both.server.counters().messagesByLevel.slice(0, 3), [1, 4, 0]);
});

test.run();
