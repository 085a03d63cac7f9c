// Events of node:diagnostics_channel: connections, messages, drops and Redis, over two stacks in this process and a real Redis;
// and docs/metrics.md names each channel with its fields.
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { fixed, serve } from '../../index.js';
import * as channels from '../../stack/diagnostics.js';
import { Log } from '../../stack/log.js';
import { pair, SERVER_ADDRESS } from '../../stack/testing.js';
import { redisDown, redisUp } from '../../tools/redis/servers.js';

const { CONNECTION_CLOSED, CONNECTION_OPENED, DROP, MESSAGE, REDIS } = channels;
const ALL = [CONNECTION_OPENED, CONNECTION_CLOSED, MESSAGE, DROP, REDIS];
const PAGE = readFileSync(new URL('../../../docs/metrics.md', import.meta.url), 'utf8');

const definition = serve({
  levels: ['high', 'low'],
  setup(app) {
    const redis = app.redis();
    app.listen({ port: 1, framing: fixed(8) }, function* (message) {
      yield* redis.get('nothing');
      message.reply(message);
    });
  },
});

test('a connection, its messages, its Redis commands, its end and what is dropped are published', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'qstack-diagnostics-'));
  const events: { name: string; event: Record<string, unknown> }[] = [];
  const listener = (event: unknown, name: string | symbol) =>
    void events.push({ name: String(name), event: event as Record<string, unknown> });
  try {
    const redis = (await redisUp(1, folder)).map(({ socket }) => socket);
    await using both = await pair(definition, {
      serverConfig: { redis: redis.join(',') },
      log: new Log({ level: 'silent' }),
    });
    const ask = async (port: number) => {
      const connection = await both.client.app.connect({ address: SERVER_ADDRESS, port, framing: fixed(8) });
      connection.send('12345678');
      await connection.receive();
      connection.close();
      await connection.closed;
    };
    await ask(1);
    assert.equal(events, []);
    for (const name of ALL) subscribe(name, listener);
    await ask(1);
    // Drops are counted from the first second with a subscriber on.
    for (let tries = 0; tries < 20 && !events.some(({ name }) => name === DROP); tries++) {
      await ask(2).catch(() => {});
      await new Promise((done) => setTimeout(done, 300));
    }
    const named = (wanted: string) => events.filter(({ name }) => name === wanted).map(({ event }) => event);
    const opened = named(CONNECTION_OPENED).find(({ local }) => (local as { port: number }).port === 1);
    assert.is((opened?.local as { address: string } | undefined)?.address, SERVER_ADDRESS);
    const closed = named(CONNECTION_CLOSED).find(
      ({ slot, generation }) => slot === opened?.slot && generation === opened?.generation,
    );
    assert.is(closed?.reason, 'finished');
    const message = named(MESSAGE).find(({ level }) => level === 'low');
    assert.equal([message?.length, message?.slot], [8, opened?.slot]);
    const command = named(REDIS)[0];
    assert.equal([command?.server, command?.ok, command?.level], [0, true, 1]);
    assert.ok((command?.elapsedUs as number) > 0);
    assert.ok(named(DROP).some(({ reason, count }) => reason === 'no_listener' && (count as number) > 0));
    for (const { name, event } of events) {
      const row = PAGE.split('\n').find((line) => line.startsWith(`| \`${name}\``)) ?? '';
      for (const field of Object.keys(event)) assert.match(row, new RegExp(`\`${field}\``), `${name} ${field}`);
    }
  } finally {
    for (const name of ALL) unsubscribe(name, listener);
    await redisDown(folder);
    rmSync(folder, { recursive: true, force: true });
  }
});

test('docs/metrics.md names every channel, and no other', () => {
  const documented = [...PAGE.matchAll(/^\| `(qstack:[\w:]+)` \|/gm)].map(([, name]) => name);
  assert.equal(documented.sort(), [...ALL].sort());
});

test.run();
