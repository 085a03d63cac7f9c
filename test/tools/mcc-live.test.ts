// mcc's progress: one table drawn again on a terminal, a line per period elsewhere, nothing when quiet.
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { twoLevels } from '../../tools/mcc/levels.js';
import { Live, type LiveOptions } from '../../tools/mcc/live.js';
import type { View } from '../../tools/mcc/native.js';

const [CONNECTING, RUNNING, CLOSED] = [1, 3, 6];

function view(number: number, phase: number, sent: number): View {
  const level = { offered: sent, sent, answered: sent - 1, errors: 0, failed: 0, unsent: 0 };
  const times = { p50Ns: 50_000, p99Ns: 1_500_000, p999Ns: 1_800_000, maxNs: 2e6 };
  const counts = { connected: 7, retries: 1, reconnects: 2, renewals: 0, mismatched: 0, late: 0, unexpected: 0 };
  const levels = [
    { ...level, ...times },
    { ...level, ...times },
  ];
  return { number, phase, run: 1, elapsedNs: number * 1e9, answeredNs: 0, ...counts, inFlight: 3, waiting: 4, levels };
}

function live(part: Partial<LiveOptions>) {
  const out: string[] = [];
  const clock = { ms: 0 };
  const options = { quiet: false, periodMs: 1_000, isTerminal: false, connections: 10, levels: twoLevels(0.5) };
  const write = (text: string) => void out.push(text);
  return { out, clock, live: new Live({ ...options, write, nowMs: () => clock.ms, ...part }) };
}

test('a line says the phase and the connections; a running one also rates and latencies of the interval', () => {
  const { out, clock, live: progress } = live({});
  progress.show(view(1, CONNECTING, 1));
  clock.ms = 1_000;
  progress.show(view(2, RUNNING, 1));
  clock.ms = 2_000;
  progress.show(view(3, RUNNING, 501));
  assert.is(out.length, 3);
  assert.match(out[0] ?? '', /^connecting \| connected 7\/10 \| retries 1 reconnects 2\n$/);
  assert.match(out[2] ?? '', /high {2}500\/s sent 500\/s answered p50 50 us p99 1\.5 ms/);
  assert.match(out[2] ?? '', /in flight 3 waiting 4 mismatched 0\n$/);
});

test('more views than the period allows are left out', () => {
  const { out, clock, live: progress } = live({ periodMs: 60_000 });
  for (let second = 0; second <= 60; second++) {
    clock.ms = second * 1_000;
    progress.show(view(second, RUNNING, second));
  }
  assert.is(out.length, 2);
});

test('a terminal draws over the last table, and below what was printed between', () => {
  const { out, clock, live: progress } = live({ isTerminal: true });
  progress.show(view(1, CONNECTING, 1));
  clock.ms = 1_000;
  progress.show(view(2, CONNECTING, 1));
  progress.leave();
  progress.show(view(3, CONNECTING, 1));
  assert.match(out[0] ?? '', /^connecting {2}█{17}░{7}\nconnected 7 of 10 {3}retries 1/);
  assert.ok((out[1] ?? '').startsWith('\u001b[2A\u001b[0J'));
  assert.is(out[2], '\u001b[2A\u001b[0J');
  assert.ok((out[3] ?? '').startsWith('connecting'));
});

test('when the connections are closed the terminal keeps the results alone', () => {
  const { out, live: progress } = live({ isTerminal: true });
  progress.show(view(1, RUNNING, 1));
  progress.show(view(2, CLOSED, 1));
  const lines = (out[0] ?? '').split('\n').length - 1;
  assert.is(out[1], `\u001b[${lines}A\u001b[0J`);
  assert.is(out.length, 2);
});

test('while a run lasts the terminal shows how far it is, rates and latencies by level, and the machine', () => {
  const hiccups = () => ({ p99Ns: 120_000, maxNs: 3e6 });
  const { out, clock, live: progress } = live({ isTerminal: true, hiccups });
  progress.begin({ name: 'paced:500', durationMs: 4_000 });
  progress.show(view(1, RUNNING, 1));
  clock.ms = 1_000;
  progress.show(view(2, RUNNING, 501));
  const lines = (out[1] ?? '').split('\n');
  assert.match(lines[0] ?? '', /paced:500 {2}█{12}░{12} {2}2 s of 4 s$/);
  assert.is(lines[2], 'in flight 3   waiting 4   hiccup p99 120 us, max 3 ms');
  assert.match(lines[3] ?? '', /^level +offered\/s +sent\/s +answered\/s +errors\/s +p50 +p99 +max$/);
  assert.match(lines[4] ?? '', /^high +500 +500 +500 +0 +50 us +1\.5 ms +2 ms$/);
  assert.ok(lines.every((line) => line.length < 100));
});

test('a run without an end has no bar, and what a narrow terminal would wrap is cut', () => {
  const { out, live: progress } = live({ isTerminal: true, columns: () => 30 });
  progress.begin({ name: 'paced:500', durationMs: 1e9 });
  progress.show(view(90, RUNNING, 1));
  assert.match(out[0] ?? '', /^paced:500 {2}1\.5 min, until \^C|paced:500 {2}90 s, until \^C/);
  assert.ok((out[0] ?? '').split('\n').every((line) => line.length < 30));
});

test('quiet says nothing', () => {
  const { out, live: progress } = live({ quiet: true });
  progress.show(view(1, RUNNING, 1));
  assert.equal(out, []);
});

test.run();
