// The slot map of a cluster, as ioredis keeps it and as the native client gets it.
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { isSameTopology, REDIS_SLOTS, topologyOf } from '../../stack/redis-topology.js';

const topology = suite('redis topology');

const halves = (first: string, second: string) =>
  Array.from({ length: REDIS_SLOTS }, (_, slot) => [slot < REDIS_SLOTS / 2 ? first : second, 'replica:1']);

topology('each master is named once, and each slot by its number; replicas are not asked', async () => {
  const made = await topologyOf(halves('127.0.0.1:7000', '::1:7001'));
  assert.equal(made?.servers, [
    { host: '127.0.0.1', port: 7000 },
    { host: '::1', port: 7001 },
  ]);
  assert.equal([made?.slots[0], made?.slots[8_191], made?.slots[8_192], made?.slots[16_383]], [0, 0, 1, 1]);
});

topology('a name is looked up, since the packet’s line asks no resolver', async () => {
  const made = await topologyOf(halves('localhost:7000', 'localhost:7000'));
  const [server] = made?.servers ?? [];
  assert.ok(server !== undefined && 'host' in server && ['127.0.0.1', '::1'].includes(server.host));
});

topology('a slot without a server is the first one’s; without any server there is no map', async () => {
  const made = await topologyOf([undefined, ['127.0.0.1:7000']]);
  assert.equal(made?.servers, [{ host: '127.0.0.1', port: 7000 }]);
  assert.is(made?.slots[0], 0);
  assert.is(await topologyOf([]), undefined);
});

topology('a map is another one when a server or a slot is', async () => {
  const [a, b, c] = await Promise.all(
    [halves('1.1.1.1:1', '1.1.1.2:1'), halves('1.1.1.1:1', '1.1.1.3:1'), halves('1.1.1.1:1', '1.1.1.1:1')].map(
      (owners) => topologyOf(owners),
    ),
  );
  assert.ok(a !== undefined && b !== undefined && c !== undefined);
  assert.ok(isSameTopology(a, { servers: [...a.servers], slots: a.slots.slice() }));
  assert.not(isSameTopology(a, b));
  assert.not(isSameTopology(a, c));
});

topology.run();
