// iotepserver with kernel peers: a client of twenty lines gets right replies, and Redis has what it sent.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { redisDown, redisUp } from '../../tools/redis/servers.js';
import { KERNEL, type LinkKind, Namespace, OURS, PREFIX_LENGTH } from './namespace.js';
import { interop } from './skip.js';

interface Context {
  folder: string;
  redis: string;
}

const MESSAGES = 500;
const peers = suite<Context>('iotepserver and a kernel client');

async function replies(namespace: Namespace, kind: LinkKind, redis: string): Promise<void> {
  const link = namespace.link(kind);
  const place = ['--device', link.device, '--host-ip', `${OURS}/${PREFIX_LENGTH}`];
  const server = namespace.program('apps/iotepserver/main.js', ...place, '--port', '80', '--redis', redis);
  await server.said(`listening ${OURS}:80`);
  namespace.giveAddress(link);
  const args = [OURS, '80', `${MESSAGES}`];
  const result = await namespace.result<{ right: number; wrong?: string }>('test/interop/peers/iot-device.js', ...args);
  assert.is(result.wrong, undefined);
  assert.is(result.right, MESSAGES);
  assert.is(await server.stop(), 0, server.err);
  assert.match(server.err, new RegExp(`high: ${MESSAGES} messages, ${MESSAGES} replies, 0 without Redis`));
}

async function stored(redis: string): Promise<{ sets: number; keys: string[] }> {
  const client = new Redis(redis);
  try {
    const text = await client.info('commandstats');
    return { sets: Number(/cmdstat_set:calls=(\d+)/.exec(text)?.[1] ?? 0), keys: await client.keys('s:*') };
  } finally {
    client.disconnect();
  }
}

await interop(peers, (tests) => {
  tests.before(async (context) => {
    context.folder = mkdtempSync(join(tmpdir(), 'qstack-interop-iot-'));
    context.redis = (await redisUp(1, join(context.folder, 'redis')))[0]?.socket ?? '';
  });
  tests.after(async ({ folder }) => {
    await redisDown(join(folder, 'redis'));
    rmSync(folder, { recursive: true, force: true });
  });

  for (const [index, kind] of (['tap', 'af_packet'] as const).entries()) {
    tests(
      `${MESSAGES} requests over ${kind} get their own replies, and Redis did the work of each`,
      async ({ redis }) => {
        const namespace = Namespace.make();
        try {
          await replies(namespace, kind, redis);
        } finally {
          await namespace.remove();
        }
        const { sets, keys } = await stored(redis);
        assert.is(sets, (index + 1) * MESSAGES);
        assert.ok(
          keys.every((key) => key.startsWith(`s:{${KERNEL}:`)),
          keys.join(' '),
        );
      },
    );
  }
});
peers.run();
