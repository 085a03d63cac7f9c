// Framings as a configuration writes them: each means what the helper of that name makes, and a wrong one is told why.
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { loadSettings } from '../../stack/config/load.js';
import { fixed, lengthPrefix, parseFraming, segment, stream } from '../../stack/framing.js';

test('a line means what the helper of that name makes', () => {
  assert.equal(parseFraming('stream'), stream);
  assert.equal(parseFraming('segment'), segment);
  assert.equal(parseFraming(' fixed  64 '), fixed(64));
  assert.equal(parseFraming('lengthPrefix'), lengthPrefix({ offset: 0, width: 2 }));
  assert.equal(
    parseFraming('lengthPrefix offset=3 width=4 order=le adjust=-7 maximum=100'),
    lengthPrefix({ offset: 3, width: 4, order: 'le', adjust: -7, maximum: 100 }),
  );
});

test('what is no framing is told why', () => {
  for (const text of ['', 'streams', 'stream 5', 'fixed', 'fixed 5 6']) assert.is(parseFraming(text), undefined, text);
  const wrong = [
    ['fixed 0', /1 to 1664 bytes, not "0"/],
    ['fixed x', /not "x"/],
    ['lengthPrefix width=3', /the width is 3; 1, 2 or 4/],
    ['lengthPrefix offset=', /"offset=" says nothing/],
    ['lengthPrefix length=2', /"length=2" says nothing/],
    ['lengthPrefix maximum=2000', /2 to 1664/],
  ] as const;
  for (const [text, why] of wrong) assert.match(String(parseFraming(text)), why);
});

test('the configuration takes framing, order and unordered, and faults name their key', () => {
  const load = (object: Record<string, unknown>) =>
    loadSettings({ object }, { machine: { cores: 2, memoryBytes: 2 ** 34 } });
  const { settings, faults } = load({ framing: 'fixed 64', order: 'level', unordered: 0 });
  assert.equal(faults, []);
  assert.equal([settings?.framing, settings?.order, settings?.unordered], [fixed(64), 'level', false]);
  assert.equal([load({}).settings?.framing, load({}).settings?.order], [undefined, undefined]);
  assert.match(JSON.stringify(load({ framing: 'fixed 2000' }).faults), /framing.*1 to 1664/);
  assert.match(JSON.stringify(load({ order: 'lane' }).faults), /order.*connection \| level \| none/);
});

test.run();
