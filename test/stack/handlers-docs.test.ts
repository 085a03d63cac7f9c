// docs/handlers.md against the code: its program runs, and what it says of AsyncLocalStorage, names and codes is so.
import { AsyncLocalStorage } from 'node:async_hooks';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { type Coroutine, Scheduler, sleep } from '../../coroutine/index.js';
import * as library from '../../index.js';
import { KEYS } from '../../stack/config/keys.js';
import type { ServeDefinition } from '../../stack/serve.js';
import { pair, SERVER_ADDRESS } from '../../stack/testing.js';

const PAGE = readFileSync(fileURLToPath(new URL('../../../docs/handlers.md', import.meta.url)), 'utf8');
const LIBRARY = new URL('../../index.js', import.meta.url).href;

/** The program of the page is plain JavaScript as it stands. */
async function program(): Promise<ServeDefinition> {
  const text = [...PAGE.matchAll(/```ts\n(import[\s\S]*?)```/g)][0]?.[1] ?? '';
  const folder = mkdtempSync(join(tmpdir(), 'qstack-handlers-'));
  try {
    const file = join(folder, 'server.mjs');
    writeFileSync(file, text.replace("'qstack'", `'${LIBRARY}'`));
    return ((await import(pathToFileURL(file).href)) as { default: ServeDefinition }).default;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

test('the program of the page answers, and leaves no timer and no error behind', async () => {
  await using both = await pair(await program());
  const connection = await both.client.app.connect({ address: SERVER_ADDRESS, port: 7000 });
  connection.send('ab01ab02ab03ab04ab05');
  let text = '';
  while (text.length < 5 * 'report ab01'.length) text += (await connection.receive())?.utf8() ?? '?';
  assert.equal(
    text.match(/report ab\d\d/g)?.sort(),
    [1, 2, 3, 4, 5].map((n) => `report ab0${n}`),
  );
  const { core } = both.server.app;
  assert.equal([core.counts().handlersFailed, core.scheduler.timers.size], [0, 0]);
});

test('AsyncLocalStorage is lost at the yield* of a generator and kept across the await of an async handler', async () => {
  const store = new AsyncLocalStorage<string>();
  const scheduler: Scheduler = new Scheduler({ levels: 1, kick: () => setImmediate(() => scheduler.runTurn(64)) });
  const turns = async () => {
    for (let i = 0; i < 6; i++) await new Promise(setImmediate);
  };
  const seen: unknown[] = [];
  scheduler.advance(0);
  scheduler.task(0).begin(function* (): Coroutine<void> {
    store.enterWith('generator');
    yield* sleep(1);
    seen.push(store.getStore());
  }, undefined);
  scheduler.task(0).begin(
    () =>
      store.run('async', async () => {
        await sleep(1);
        seen.push(store.getStore());
      }),
    undefined,
  );
  await turns();
  scheduler.advance(10 * 15625);
  await turns();
  assert.equal(seen.sort(), ['async', undefined]);
});

test('every code, key and op that the page names exists', () => {
  for (const [code] of PAGE.matchAll(/QST_ERR_\w+/g)) assert.ok(code in library.ERROR_CODES, code);
  for (const key of ['slow_handler', 'trace_ops', 'max_age', 'arrangement']) {
    assert.ok(PAGE.includes(`\`${key}`), key);
    assert.ok(key in KEYS, key);
  }
  for (const name of ['sleep', 'timeout', 'all', 'race', 'wait', 'spawn', 'Semaphore', 'pooled', 'inline']) {
    assert.ok(PAGE.includes(name), name);
    assert.type((library as Record<string, unknown>)[name], 'function');
  }
});

test.run();
