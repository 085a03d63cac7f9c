// The file server's HTTP and file lookup without any stack: heads cut anywhere, paths that try to leave the root.
import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite, test } from 'uvu';
import * as assert from 'uvu/assert';
import { openBelow } from '../../apps/echo_server/files.js';
import {
  HEAD_MAX,
  HeadReader,
  parseHead,
  type Request,
  resolveRange,
  responseHead,
  statusResponse,
} from '../../apps/echo_server/http.js';

const bytes = (text: string) => new Uint8Array(Buffer.from(text, 'latin1'));

test('a head may come in chunks cut at any byte', () => {
  const text = 'GET /a?b=1 HTTP/1.1\r\nHost: x\r\n\r\nHEAD /c HTTP/1.1\r\nhost: x\r\nConnection: close\r\n\r\n';
  for (let cut = 1; cut < text.length; cut++) {
    const reader = new HeadReader();
    const got = [...reader.push(bytes(text.slice(0, cut))), ...reader.push(bytes(text.slice(cut)))] as Request[];
    assert.equal(
      got.map(({ method, path, keepAlive }) => [method, path, keepAlive]),
      [
        ['GET', '/a', true],
        ['HEAD', '/c', false],
      ],
    );
  }
});

test('what cannot be served is refused by its status', () => {
  const refused = (head: string) => parseHead(head);
  assert.equal(refused('POST / HTTP/1.1\r\nHost: x'), { refused: 405 });
  assert.equal(refused('GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 5'), { refused: 413 });
  assert.equal(refused('GET / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked'), { refused: 413 });
  assert.equal(refused('GET / HTTP/1.1'), { refused: 400 });
  assert.equal(refused('GET / HTTP/2.0\r\nHost: x'), { refused: 505 });
  assert.equal(refused('nonsense'), { refused: 400 });
  assert.equal(refused('GET / HTTP/1.1\r\nHost: x\r\nbad line'), { refused: 400 });
});

test('a head without an end is refused when it is too long', () => {
  const reader = new HeadReader();
  assert.equal(reader.push(bytes('a'.repeat(HEAD_MAX))), []);
  assert.equal(reader.push(bytes('a')), [{ refused: 431 }]);
});

test('HTTP/1.0 closes unless asked to keep the connection', () => {
  assert.is((parseHead('GET / HTTP/1.0') as Request).keepAlive, false);
  assert.is((parseHead('GET / HTTP/1.0\r\nConnection: keep-alive') as Request).keepAlive, true);
});

test('ranges: from, to, last bytes, none that fits', () => {
  const range = (text: string) => (parseHead(`GET / HTTP/1.1\r\nHost: x\r\nRange: ${text}`) as Request).range;
  assert.equal(range('bytes=5-9'), { first: 5, last: 9 });
  assert.is(range('bytes=1-2,5-6'), undefined);
  assert.is(range('lines=1-2'), undefined);
  assert.equal(resolveRange({ first: 5, last: undefined }, 10), { first: 5, last: 9 });
  assert.equal(resolveRange({ first: undefined, last: 3 }, 10), { first: 7, last: 9 });
  assert.equal(resolveRange({ first: 0, last: 99 }, 10), { first: 0, last: 9 });
  assert.is(resolveRange({ first: 10, last: undefined }, 10), undefined);
});

test('answers end with an empty line and name their length', () => {
  assert.is(responseHead(200, { 'Content-Length': 3 }), 'HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n');
  assert.match(statusResponse(404, true, true), /Content-Length: 14\r\nConnection: keep-alive\r\n\r\n404 Not Found\n$/);
  assert.match(statusResponse(405, false, false), /Allow: GET, HEAD\r\n\r\n$/);
});

const files = suite<{ root: string; folder: string }>('files');
files.before((context) => {
  context.folder = realpathSync(mkdtempSync(join(tmpdir(), 'qstack-files-')));
  context.root = join(context.folder, 'root');
  mkdirSync(join(context.root, 'sub'), { recursive: true });
  writeFileSync(join(context.folder, 'secret.txt'), 'secret');
  mkdirSync(join(context.folder, 'root-too'));
  writeFileSync(join(context.folder, 'root-too', 'x.txt'), 'secret');
  writeFileSync(join(context.root, 'a b.txt'), 'hello');
  writeFileSync(join(context.root, 'sub', 'index.html'), '<p>');
  symlinkSync('../secret.txt', join(context.root, 'link.txt'));
  symlinkSync('a b.txt', join(context.root, 'inner.txt'));
});
files.after(({ folder }) => rmSync(folder, { recursive: true, force: true }));

async function look(root: string, path: string): Promise<string | number> {
  const found = await openBelow(root, path);
  if (typeof found === 'number') return found;
  const text = await found.handle.readFile('utf8');
  await found.handle.close();
  return `${text}:${found.size}:${found.type}`;
}

files('files below the root are found, percent-encoded or behind a link that stays inside', async ({ root }) => {
  assert.is(await look(root, '/a%20b.txt'), 'hello:5:text/plain; charset=utf-8');
  assert.is(await look(root, '/inner.txt'), 'hello:5:text/plain; charset=utf-8');
  assert.is(await look(root, '/sub/'), '<p>:3:text/html; charset=utf-8');
});

files('no path leads out of the root', async ({ root }) => {
  for (const path of [
    '/../secret.txt',
    '/%2e%2e/secret.txt',
    '/sub/../../secret.txt',
    '/..%2fsecret.txt',
    '/link.txt',
    '/../root-too/x.txt',
    '/../../../../../../etc/passwd',
  ]) {
    assert.is(await look(root, path), 404, path);
  }
  for (const path of ['secret.txt', '/a%00b', '/%zz']) assert.is(await look(root, path), 400, path);
});

files('folders and what is missing are 404', async ({ root }) => {
  assert.is(await look(root, '/sub'), 404);
  assert.is(await look(root, '/nothing'), 404);
});

test.run();
files.run();
