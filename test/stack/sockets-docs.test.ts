// docs/sockets.md against the code, both ways: options with their ranges and defaults, fields of info() and what is idle.
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { type Connection, type SocketOptionName, serve, stream } from '../../index.js';
import { KEYS } from '../../stack/config/keys.js';
import { optionWords, SOCKET_OPTION_NAMES } from '../../stack/socket-options.js';
import { pair, SERVER_ADDRESS } from '../../stack/testing.js';

const PAGE = readFileSync(fileURLToPath(new URL('../../../docs/sockets.md', import.meta.url)), 'utf8');
const [OPTIONS = '', INFO = ''] = PAGE.split('## Info');

/** Cells of each row whose first cell is a name. */
function rows(text: string): string[][] {
  return [...text.matchAll(/^\| `(\w+)` \| (.*) \|$/gm)].map(([, name = '', rest = '']) => [
    name,
    ...rest.split(' | '),
  ]);
}

async function idleConnection<T>(ask: (connection: Connection<'normal'>) => Promise<T>): Promise<T> {
  const server = serve({
    levels: ['normal'],
    setup(app) {
      app.listen({ port: 7 });
    },
  });
  await using both = await pair(server);
  return await ask(await both.client.app.connect({ address: SERVER_ADDRESS, port: 7, framing: stream }));
}

test('every option stands in the table once, in the order of the code', () => {
  assert.equal(
    rows(OPTIONS).map(([name]) => name),
    SOCKET_OPTION_NAMES,
  );
});

test('the range of a number is that of the code', () => {
  let ranges = 0;
  for (const [name = '', value = ''] of rows(OPTIONS)) {
    const [, min, max, orNull] = /^([\d,]+) to ([\d,]+)(, or null)?$/.exec(value) ?? [];
    if (min === undefined || max === undefined) continue;
    ranges++;
    const [low, high] = [min, max].map((text) => Number(text.replaceAll(',', ''))) as [number, number];
    for (const right of [low, high, ...(orNull ? [null] : [])]) optionWords(name, right);
    for (const wrong of [low - 1, high + 1, ...(orNull ? [] : [null])]) {
      assert.throws(() => optionWords(name, wrong), /accepted is/, `${name} ${wrong}`);
    }
  }
  assert.is(ranges, 12);
});

test('a default is what a connection has, or the key of the configuration that gives it', async () => {
  await idleConnection(async (connection) => {
    for (const [name = '', , preset = ''] of rows(OPTIONS)) {
      const [, key] = /^`(\w+)`/.exec(preset) ?? [];
      if (key !== undefined) assert.ok(Object.hasOwn(KEYS, key), `${name}: ${key} is a key`);
      else assert.is(String(await connection.option(name as SocketOptionName)), preset, name);
    }
  });
});

test('every field of info() stands in the table, in order, with what it says of an idle connection', async () => {
  const info = await idleConnection((connection) => connection.info() as unknown as Promise<object>);
  const documented = rows(INFO);
  assert.equal(
    documented.map(([name]) => name),
    Object.keys(info),
  );
  for (const [name = '', , idle = ''] of documented) {
    const value = (info as Record<string, unknown>)[name];
    if (idle === 'undefined' || idle === '0') assert.is(String(value), idle, name);
    else if (idle.startsWith('`')) assert.is(`\`${value}\``, idle, name);
    else assert.is(idle, 'known', name);
  }
});

test.run();
