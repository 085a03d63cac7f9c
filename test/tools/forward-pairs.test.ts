// Pairs of addresses of `qstack forward`, as they are typed.
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { parseEndpoint } from '../../stack/config/address.js';
import { defaultSource, formatPair, hostIpOf, isLoopback, type Pair, parsePairs } from '../../tools/forward/pairs.js';

function pairs(text: string): Pair[] {
  const read = parsePairs(text.split(' '));
  if (typeof read === 'string') throw new Error(read);
  return read;
}

test('pairs come two by two, and a port alone is one of 127.0.0.1', () => {
  const read = pairs('8080 10.0.0.1:80 [::1]:7777 [fd00::1]:7');
  assert.equal(read.map(formatPair), ['127.0.0.1:8080 -> 10.0.0.1:80', '[::1]:7777 -> [fd00::1]:7']);
});

test('what is no pair is refused with a sentence that shows one', () => {
  assert.match(parsePairs(['8080']) as string, /come in pairs, such as 127\.0\.0\.1:8080 10\.0\.0\.1:80/);
  assert.match(parsePairs(['x:1', '10.0.0.1:80']) as string, /"x:1" is no address to listen on/);
  assert.match(parsePairs(['8080', '10.0.0.1']) as string, /"10\.0\.0\.1" is no address of a server/);
  for (const text of ['10.0.0.1:0', '10.0.0.1:65536', '10.0.0.256:1', '[10.0.0.1:1', 'fd00::1:80', '']) {
    assert.is(parseEndpoint(text), undefined, text);
  }
});

test('our own address lies in the network of the first server, and is none of the servers', () => {
  assert.is(defaultSource(pairs('1 10.0.0.1:80')), '10.0.1.1');
  assert.is(defaultSource(pairs('1 10.0.1.1:80 2 10.0.1.2:80')), '10.0.1.3');
  assert.is(defaultSource(pairs('1 [fd00::1]:80')), undefined);
  assert.is(hostIpOf('10.0.0.9'), '10.0.0.9/16');
  assert.is(hostIpOf('fd00::9'), 'fd00::9/64');
  assert.is(hostIpOf('10.0.0.9/24'), '10.0.0.9/24');
});

test('loopback is told from what others can reach', () => {
  assert.equal(
    pairs('1 10.0.0.1:1 [::1]:2 10.0.0.1:1 0.0.0.0:3 10.0.0.1:1').map(({ listen }) => isLoopback(listen)),
    [true, true, false],
  );
});

test.run();
