// The configuration under random text: every text is settings or faults, never an exception, and never half of each.
import fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { formatFault } from '../../stack/config/fault.js';
import { KEY_NAMES, KEYS } from '../../stack/config/keys.js';
import { type Loaded, loadSettings } from '../../stack/config/load.js';
import { parseConfText } from '../../stack/config/text.js';
import { cases } from '../cases.js';

const MACHINE = { machine: { cores: 2, memoryBytes: 2 ** 34 } };

/** Values that some key accepts, or nearly does. */
const SAMPLES = [
  ...['0', '1', '-1', '2', '80', '65535', '65536', '1_000', '14M', '1e9', '0x10', '99999999999999999999'],
  ...['30s', '250ms', '1h', '0.5us', '5 s', 'never', 'off', '64KiB', '2GiB', '1.5MB', '16 MiB', '5%', '0.05', '101%'],
  ...['yes', 'no', 'true', 'yield', 'busy', 'separate', 'inline', 'shared', 'hiredis', 'ioredis', 'all', 'iot', 'http'],
  ...['10.0.0.1/24', '10.0.0.1', '10.0.0.1/33', '255.255.255.255/8', '10.0.0.0/30', '10.0.0.2 02:00:00:00:00:02'],
  ...['10.0.0.2-10.0.0.9 02:00:00:00:00:02', '10.0.0.0/24 03:00:00:00:00:02', '127.0.0.1:6379', '/run/redis.sock'],
  ...['memif:/run/a.sock?client', 'tap:q0', 'af_packet:eth0', 'net_pcap0,iface=x', 'memif:', 'high, low', 'a b c'],
  ...['payload[5] == 1 and length > 80 -> high', 'payload[5] -> high', 'dst port 80 -> a', '__proto__', 'constructor'],
];

const values = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom(...SAMPLES) },
  { weight: 1, arbitrary: fc.string({ unit: 'binary', maxLength: 20 }) },
  { weight: 1, arbitrary: fc.integer().map(String) },
  {
    weight: 1,
    arbitrary: fc.tuple(fc.double({ noNaN: true }), fc.constantFrom('s', 'KiB', '%', 'M')).map((p) => p.join('')),
  },
);
const keys = fc.oneof(
  { weight: 9, arbitrary: fc.constantFrom(...KEY_NAMES) },
  { weight: 1, arbitrary: fc.constantFrom(...KEY_NAMES).map((key) => key.replaceAll('_', '-')) },
  { weight: 1, arbitrary: fc.constantFrom('max_concurency', 'toString', '__proto__', 'prot', 'PORT') },
);
const settingLines = fc.tuple(keys, fc.constantFrom(' = ', '=', '  =\t'), values).map((parts) => parts.join(''));
const lines = fc.oneof(
  { weight: 12, arbitrary: settingLines },
  { weight: 1, arbitrary: settingLines.map((line) => `${line} # why`) },
  { weight: 1, arbitrary: fc.string({ unit: 'binary', maxLength: 30 }) },
  { weight: 1, arbitrary: fc.constantFrom('', '#', '# a comment', '=', 'port', 'port = ', '\uFEFF') },
);
const texts = fc
  .tuple(fc.array(lines, { maxLength: 12 }), fc.constantFrom('\n', '\r\n', '\r'))
  .map(([all, end]) => all.join(end));

function load(text: string): Loaded {
  const { entries, faults } = parseConfText(text, 'a.conf');
  const loaded = loadSettings({ flags: entries }, MACHINE);
  return { ...loaded, faults: [...faults, ...loaded.faults] };
}

/** Every number that came out of an accepted configuration, however deep. */
function numbersIn(value: unknown): number[] {
  if (typeof value === 'number') return [value];
  return typeof value === 'object' && value !== null ? Object.values(value).flatMap(numbersIn) : [];
}

function checkFaults(text: string, faults: Loaded['faults']): void {
  const last = text.split(/\r\n|\n|\r/).length;
  for (const fault of faults) {
    const line = Number(/^a\.conf:(\d+)$/.exec(fault.where)?.[1] ?? (fault.where === 'defaults' ? 1 : 0));
    assert.ok(line >= 1 && line <= last, formatFault(fault));
    assert.ok(fault.fault.length > 0, text);
  }
}

test('any text is a complete configuration or a list of faults with their lines', () => {
  let accepted = 0;
  fc.assert(
    fc.property(texts, (text) => {
      const { settings, faults, warnings } = load(text);
      checkFaults(text, [...faults, ...warnings]);
      if (settings === undefined) return assert.ok(faults.length > 0, text);
      accepted += 1;
      for (const number of numbersIn(settings)) assert.ok(Number.isFinite(number) && number >= 0, text);
      assert.ok(settings.port >= 1 && settings.port <= 65_535 && settings.connectionsMax >= 1, text);
      assert.equal(load(text), load(text));
    }),
    { numRuns: cases(3_000) },
  );
  assert.ok(accepted > cases(3_000) / 100, `${accepted} were accepted`);
});

test('the order of the lines does not matter', () => {
  const single = KEY_NAMES.filter((key) => !KEYS[key].many);
  const some = fc.uniqueArray(fc.tuple(fc.constantFrom(...single), fc.constantFrom(...SAMPLES)), {
    maxLength: 5,
    selector: ([key]) => key,
  });
  fc.assert(
    fc.property(some, (pairs) => {
      const written = pairs.map(([key, value]) => `${key} = ${value}`);
      const [forward, backward] = [load(written.join('\n')), load(written.toReversed().join('\n'))];
      assert.equal(backward.settings, forward.settings);
      assert.is(backward.faults.length, forward.faults.length);
    }),
    { numRuns: cases(1_000) },
  );
});

test.run();
