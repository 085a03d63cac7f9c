import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { Log } from '../../stack/log.js';

function logger(human: boolean) {
  const lines: string[] = [];
  const clock = { nowMs: 1_000_000 };
  const log = new Log({ human, write: (line) => lines.push(line), nowMs: () => clock.nowMs });
  return { log, lines, clock };
}

test('an event is one line of JSON with level, code, sentence and fields where no person reads', () => {
  const { log, lines } = logger(false);
  log.warn('redis_lost', 'Redis is away', { shard: 1 });
  assert.is(lines.length, 1);
  const event = JSON.parse(lines[0] ?? '') as Record<string, unknown>;
  assert.equal([event.level, event.code, event.msg, event.shard], ['warn', 'redis_lost', 'Redis is away', 1]);
  assert.type(event.time, 'string');
});

test('at a terminal it is a sentence', () => {
  const { log, lines } = logger(true);
  log.error('port_down', 'the peer is gone', { port: 0 });
  assert.match(lines[0] ?? '', /^\d\d:\d\d:\d\d error the peer is gone {2}code=port_down {2}port=0\n$/);
});

test('one code is written once a second, and the next line says how many were held back', () => {
  const { log, lines, clock } = logger(false);
  for (let i = 0; i < 10; i += 1) log.warn('bad', 'bad record');
  log.warn('other', 'another code is not held back');
  assert.is(lines.length, 2);
  clock.nowMs += 1_000;
  log.warn('bad', 'bad record');
  assert.is((JSON.parse(lines[2] ?? '') as { suppressed: number }).suppressed, 9);
});

test('sources of one code may have gates of their own', () => {
  const { log, lines } = logger(false);
  for (let i = 0; i < 3; i += 1) for (const name of ['a', 'b']) log.warn('slow', 'too slow', { name }, `slow ${name}`);
  log.flush();
  const told = lines.map((line) => JSON.parse(line) as { code: string; name?: string; suppressed?: number });
  assert.equal(
    told.map(({ code, name, suppressed }) => [code, name, suppressed]),
    [
      ['slow', 'a', undefined],
      ['slow', 'b', undefined],
      ['slow', undefined, 2],
      ['slow', undefined, 2],
    ],
  );
});

test('what was held back at the end is told by a flush', () => {
  const { log, lines } = logger(false);
  log.warn('bad', 'bad record');
  log.warn('bad', 'bad record');
  log.flush();
  log.flush();
  assert.is(lines.length, 2);
  assert.is((JSON.parse(lines[1] ?? '') as { suppressed: number }).suppressed, 1);
});

test('events below the level are not written and not counted', () => {
  const { log, lines } = logger(false);
  log.debug('detail', 'hidden');
  log.level = 'debug';
  log.debug('detail', 'shown');
  assert.is(lines.length, 1);
  assert.not.match(lines[0] ?? '', /suppressed/);
});

test.run();
