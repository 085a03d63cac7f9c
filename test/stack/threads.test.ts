// A stack with its own thread and app threads; the peer is an inline stack in this thread.
import { readdirSync, readFileSync } from 'node:fs';
import { getPriority } from 'node:os';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { fixed, type InlineStack, inline, type Stack, segment, serve, start } from '../../index.js';
import { coresText, usableCores } from '../../stack/config/topology.js';
import { Log } from '../../stack/log.js';
import { CLIENT_ADDRESS, SERVER_ADDRESS } from '../../stack/testing.js';

const module = new URL('./fixtures/echo.js', import.meta.url);
const client = serve({ levels: ['normal'], setup() {} });
const base = { max_concurrency: 500, max_num_buffers: 1024, log_level: 'silent', drain_timeout: '1s' };
let rings = 0;

async function both(
  more: Record<string, unknown>,
  work: (server: Stack, peer: InlineStack<'normal'>, lines: string[]) => Promise<void>,
  onFatal: () => void = () => {},
  handlers = module,
): Promise<void> {
  const ring = `threads${rings++}`;
  const lines: string[] = [];
  const log = new Log({ level: 'info', human: false, write: (line) => lines.push(line) });
  const config = { ...base, host_ip: `${SERVER_ADDRESS}/24`, ...more };
  const server = await start(handlers, config, { ring: { ring, side: 0 }, log, onFatal });
  try {
    const peer = await inline(client, { ...base, host_ip: `${CLIENT_ADDRESS}/24` }, { ring: { ring, side: 1 }, log });
    try {
      await work(server, peer, lines);
    } finally {
      await peer.stop();
    }
  } finally {
    await server.stop();
  }
}

const message = (first: number, last = 0) => Uint8Array.of(first, 0, 0, 0, 0, 0, 0, last);
const target = { address: SERVER_ADDRESS, port: 7, framing: fixed(8) };

test('two app threads share the connections, and every message is answered', async () => {
  await both({ app_thread: 2 }, async (server, peer) => {
    const connections = [];
    for (let i = 0; i < 10; i++) connections.push(await peer.app.connect(target));
    for (const connection of connections) for (let i = 0; i < 5; i++) connection.send(message(i & 1, i));
    for (const connection of connections) {
      const seen: number[] = [];
      for (let i = 0; i < 5; i++) seen.push((await connection.receive())?.u8(7) ?? -1);
      assert.equal(seen.sort(), [0, 1, 2, 3, 4]);
    }
    const counts = await server.counts();
    assert.equal(
      counts.map(({ connections: n, messages }) => [n, messages]),
      [
        [5, 25],
        [5, 25],
      ],
    );
    assert.equal(
      counts.map(({ user }) => user.thread),
      [0, 1],
    );
    assert.equal(server.counters().messagesByLevel.slice(0, 2), [20, 30]);
    assert.equal(
      server.addresses.map((address) => Number(address.split(':').pop())),
      [7],
    );
  });
});

test('an app thread is nicer than the thread that started it, by app_nice', async () => {
  await both({ app_nice: 3 }, async (server) => {
    const [counts] = await server.counts();
    assert.is(counts?.user.niceness, Math.min(19, getPriority(0) + 3));
  });
});

/** Of the threads of this process that have this name. */
function coresByName(name: string): string[] {
  return readdirSync('/proc/self/task')
    .filter((id) => readFileSync(`/proc/self/task/${id}/comm`, 'utf8').trim() === name)
    .map((id) => /^Cpus_allowed_list:\s+(\S+)$/m.exec(readFileSync(`/proc/self/task/${id}/status`, 'utf8'))?.[1] ?? '');
}

test('each thread runs on the core that `pin` names for it, workers on theirs', async () => {
  const [first = 0, second = first] = usableCores();
  const pinned = new URL('./fixtures/pinned.js', import.meta.url);
  const ask = async (pin: string) => {
    let answer = '';
    const work = async (_: Stack, peer: InlineStack<'normal'>) => {
      const connection = await peer.app.connect({ ...target, framing: segment });
      connection.send(message(0));
      answer = `${coresByName('qstack-stack0').join()} ${(await connection.receive())?.latin1()}`;
    };
    await both({ workers: 1, pin }, work, () => {}, pinned);
    return answer;
  };
  assert.is(await ask(`stack=${first} app=${second} workers=${first}`), `${first} ${second} ${first}`);
  const rest = usableCores().filter((core) => core !== first && core !== second);
  const unnamed = coresText(rest.length > 0 ? rest : usableCores());
  assert.is(await ask(`stack=${first} app=${second}`), `${first} ${second} ${unnamed}`);
});

test('an app thread that dies is reported with its stack, its connections are reset, and it comes back', async () => {
  await both({}, async (server, peer, lines) => {
    const connection = await peer.app.connect(target);
    connection.send(message(0, 0xdd));
    const end = connection.closed;
    let reason: string | undefined;
    void end.then((found) => {
      reason = found;
    });
    while (reason === undefined) assert.ok((await server.counts()).length <= 1);
    assert.is(reason, 'reset');
    for (let tries = 0; !lines.some((line) => line.includes('APP_RESTARTED')); tries++) {
      assert.ok(tries < 300, 'restarted within 3 s');
      await new Promise((done) => setTimeout(done, 10));
    }
    assert.ok(lines.some((line) => line.includes('APP_DIED') && line.includes('died on demand')));
    const again = await peer.app.connect(target);
    again.send(message(0, 3));
    assert.is((await again.receive())?.u8(7), 3);
  });
});

test('five deaths within a minute are fatal', async () => {
  let fatal = 0;
  await both(
    {},
    async (_server, peer) => {
      for (let death = 0; death < 5; death++) {
        for (let tries = 0; ; tries++) {
          assert.ok(tries < 20);
          const connection = await peer.app.connect(target);
          connection.send(message(0, 0xdd));
          if ((await connection.closed) === 'reset') break;
        }
        await new Promise((done) => setTimeout(done, 300));
      }
      assert.is(fatal, 1);
    },
    () => fatal++,
  );
});

test('a function is refused with an example of a module', async () => {
  try {
    await start((() => {}) as unknown as URL, {});
    assert.unreachable();
  } catch (error) {
    assert.is((error as { code?: string }).code, 'QST_ERR_HANDLER_NOT_A_MODULE');
    assert.match((error as Error).message, 'export default serve(');
  }
});

test('a module without serve() is refused', async () => {
  try {
    await start('node:path', {});
    assert.unreachable();
  } catch (error) {
    assert.is((error as { code?: string }).code, 'QST_ERR_HANDLER_NOT_A_MODULE');
  }
});

test('stop waits for what is under way and closes the connections in order', async () => {
  await both({}, async (server, peer) => {
    const connection = await peer.app.connect(target);
    connection.send(message(0, 1));
    assert.is((await connection.receive())?.u8(7), 1);
    const stopped = server.stop();
    assert.is(await connection.receive(), null);
    connection.close();
    await stopped;
  });
});

test.run();
