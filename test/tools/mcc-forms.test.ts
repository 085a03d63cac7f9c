// What mcc sends and when, as options: arrivals, steps, traces, messages and replies; and what does not go together.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { mccCommand } from '../../tools/mcc/command.js';
import { type MccOptions, type Parsed, readOptions } from '../../tools/mcc/options.js';
import type { Phase } from '../../tools/mcc/phases.js';
import { traceOfGaps } from '../../tools/mcc/trace.js';
import { segment } from '../stack/classifier-frames.js';
import { pcapFile } from './pcap-file.js';

interface Context {
  folder: string;
}

const forms = suite<Context>('forms of load');
forms.before((context) => {
  context.folder = mkdtempSync(join(tmpdir(), 'qstack-forms-'));
});
forms.after(({ folder }) => rmSync(folder, { recursive: true }));

function parse(...words: string[]): Parsed {
  const command = mccCommand();
  command.parse(words, { from: 'user' });
  return readOptions(command.opts(), 2);
}

function options(...words: string[]): MccOptions {
  const { options: read, faults } = parse(...words);
  if (read === undefined) throw new Error(faults.join('\n'));
  return read;
}

const phases = (line: string): Phase[] => options(...line.split(' ')).phases;
const fault = (line: string) => parse(...line.split(' ')).faults.join('\n');
const text = (bytes: Uint8Array | undefined) => Buffer.from(bytes ?? []).toString('latin1');

forms('--rate FROM..TO becomes evenly spaced steps, both ends among them', () => {
  const rates = (line: string) =>
    phases(line).map((phase) => [
      phase.kind,
      'ratePerS' in phase && phase.ratePerS,
      'durationMs' in phase && phase.durationMs,
    ]);
  assert.equal(rates('--rate 10k..500k/30s --steps 3'), [
    ['paced', 10_000, 30_000],
    ['paced', 255_000, 30_000],
    ['paced', 500_000, 30_000],
  ]);
  assert.is(rates('--arrival poisson --rate 10k/s..1k/s/500ms').length, 10);
  assert.equal(rates('--arrival poisson --rate 10k/s..1k/s -d 2 --steps 2'), [
    ['poisson', 10_000, 2_000],
    ['poisson', 1_000, 2_000],
  ]);
  assert.match(fault('--rate 1k..2k'), /says nothing of the length of a step/);
  assert.match(fault('--rate 1k..x/3s'), /^--rate: "1k..x\/3s" is not accepted; RATE..RATE\/TIME/);
  assert.match(fault('--rate 1k --steps 4'), /^--steps: it goes with --rate/);
  assert.match(fault('--steps 4'), /^--steps: it goes with --rate/);
});

forms('--arrival has to go with its flags', () => {
  assert.equal(phases('--arrival poisson --rate 5k/s -d 3'), [{ kind: 'poisson', ratePerS: 5_000, durationMs: 3_000 }]);
  assert.is(phases('--arrival wave -b 5')[0]?.kind, 'wave');
  assert.match(fault('--arrival poisson'), /poisson goes with --rate/);
  assert.match(fault('--arrival wave --rate 1k'), /wave goes with -b and -e/);
  assert.match(fault('--arrival replay'), /replay goes with --traffic-model/);
  assert.match(fault('--arrival random'), /one of wave, paced, poisson, replay/);
  assert.match(fault('--arrival paced --phases pause:1'), /^--arrival: --phases says how each run is made/);
  assert.equal(phases('--answer all --phases capacity:1s,poisson:50%/5s,poisson:1k/s/2s').slice(1), [
    { kind: 'poisson', ofCapacity: 0.5, durationMs: 5_000 },
    { kind: 'poisson', ratePerS: 1_000, durationMs: 2_000 },
  ]);
});

forms('a traffic model is a list of gaps; times are their sums, exactly', ({ folder }) => {
  const trace = traceOfGaps([3, 0, 7]);
  assert.ok(typeof trace !== 'string');
  assert.equal([[...trace.times], trace.cycleNs], [[0, 3, 3], 10]);
  assert.is(traceOfGaps([0, 0]), 'all its gaps are 0');
  const path = join(folder, 'model.txt');
  for (const [content, sentence] of [
    ['1 2 x', /"x" is no whole number of nanoseconds/],
    ['', /it holds no number/],
    ['-5', /"-5" is no whole number/],
  ] as const) {
    writeFileSync(path, content);
    assert.match(fault(`--traffic-model ${path}`), sentence);
  }
  assert.match(fault(`--traffic-model ${folder}/none`), /ENOENT/);
  writeFileSync(path, '1000000\n2000000\n');
  const [phase] = phases(`--traffic-model ${path}`);
  assert.is(phase?.kind === 'replay' ? phase.durationMs : 0, 3);
});

forms("of a capture the client's segments with payload are played, those sent again left out", ({ folder }) => {
  const at = (payload: number, sourcePort: number, sequence: number, more = {}) => {
    const frame = segment({ payload: new Uint8Array(payload), sourcePort, destinationPort: 8_080, ...more });
    new DataView(frame.buffer).setUint32(38, sequence);
    return frame;
  };
  const answer = segment({ payload: [1], sourcePort: 8_080, destinationPort: 5_000 });
  const [syn, first, second] = [at(0, 5_000, 1, { flags: 2 }), at(30, 5_000, 2), at(5, 5_001, 2)];
  const path = join(folder, 'traffic.pcap');
  writeFileSync(path, pcapFile([syn, answer, first, second, first, at(2_000, 5_000, 32)]));
  const [phase] = phases(`--traffic-model ${path}`); // the port is that of the SYN
  assert.ok(phase?.kind === 'replay');
  const { times, cycleNs, lengths, flows } = phase.trace;
  assert.equal([...times], [0, 250_000, 750_000]);
  assert.is(cycleNs, 1_125_000);
  assert.equal([...(lengths ?? [])], [30, 10, 1_448]);
  assert.equal([...(flows ?? [])], [0, 1, 0]);
  writeFileSync(path, pcapFile([answer]));
  assert.match(fault(`--traffic-model ${path} --port 9`), /no segment with payload goes to port 9 in it; --port/);
});

forms('messages: bytes with the place of the counter, and the level filled in', ({ folder }) => {
  const [high, low] =
    options('--message', 'hex:00 01_{counter:be}{level}ff', '--levels', 'a=0.5,b', '--answer', 'all').messages ?? [];
  assert.equal([...(high?.bytes ?? [])], [0, 1, 0, 0, 0, 0, 0, 255]);
  assert.equal([...(low?.bytes ?? [])], [0, 1, 0, 0, 0, 0, 1, 255]);
  assert.equal([high?.counterAt, high?.counterForm], [2, 'be']);
  const http = options('--message', 'http:/{level}/x', '--dest', '10.0.0.9').messages?.[0];
  const head = 'GET /high/x HTTP/1.1\r\nHost: 10.0.0.9\r\nX-Counter: ';
  assert.ok(text(http?.bytes).startsWith(head));
  assert.ok(text(http?.bytes).endsWith('X-Level: high\r\n\r\n'));
  assert.equal([http?.counterAt, http?.counterForm], [head.length, 'hex']);
  const path = join(folder, 'message.bin');
  writeFileSync(path, Buffer.from([1, 2, 255]));
  const [file] = options('--message', `file:${path}`).messages ?? [];
  assert.equal([[...(file?.bytes ?? [])], file?.counterAt], [[1, 2, 255], undefined]);
  assert.is(options('-l', '20').messages, undefined);
});

forms('what is no message or reply, or does not go together, is refused', () => {
  for (const [line, sentence] of [
    ['--message hex:0', /^--message: "0" is no whole number of bytes/],
    ['--message hex:{counter}{counter}', /one counter at most/],
    ['--message morse:x', /"morse:x" is no message; iot, http\[:PATH\]/],
    ['--message http:x', /is no message/],
    ['--message file:/none/there', /ENOENT/],
    [`--message hex:${'00'.repeat(1_449)}`, /1 to 1448 bytes, not 1449/],
    ['--message hex:00 -l 5', /^-l:/],
    ['--message hex:00 -l 50', /^-l: --message has a length of its own/],
    ['--reply maybe', /^--reply: "maybe" is no reply; auto, http, echo, fixed:BYTES or lengthPrefix/],
    ['--reply fixed:0', /^--reply: a message has 1 to 1664 bytes/],
    ['--reply lengthPrefix:offset=0,width=3', /the width is 3/],
    ['--reply fixed:4 -r 0.5', /told by their order, so all have to be answered: --answer all/],
    ['--reconnect-after 0', /^--reconnect-after/],
  ] as const) {
    assert.match(fault(line), sentence, line);
  }
  const { reply } = options('--reply', 'lengthPrefix:offset=1,width=4,order=le,adjust=5,maximum=900');
  assert.equal(reply, { kind: 'lengthPrefix', offset: 1, width: 4, littleEndian: true, adjust: 5, length: 900 });
  assert.is(options('--message', 'hex:00').reply.kind, 'echo');
  assert.is(options('--message', 'http:/x').reply.kind, 'http');
  assert.is(options().reply.kind, 'auto');
});

forms.run();
