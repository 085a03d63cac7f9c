// mcc --client-log: lines in the form of MCC's own client_log.
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { ClientLog } from '../../tools/mcc/client-log.js';
import type { View } from '../../tools/mcc/native.js';

const [READY, RUNNING, CLOSED] = [2, 3, 6];

function view(run: number, phase: number, sent: number): View {
  const level = (share: number) => ({
    offered: sent * share,
    sent: sent * share,
    answered: Math.max(0, sent * share - 1),
    errors: 0,
    failed: 0,
    unsent: 0,
    p50Ns: 0,
    p99Ns: 0,
    p999Ns: 0,
    maxNs: 0,
  });
  const counts = { connected: 7, retries: 1, reconnects: 2, renewals: 0, mismatched: 0, late: 0, unexpected: 0 };
  const rest = { elapsedNs: 0, answeredNs: 0, inFlight: 0, waiting: 0 };
  return { number: 1, phase, run, ...counts, ...rest, levels: [level(1), level(9)] };
}

function log(periodMs: number) {
  const clock = { ms: new Date(2026, 0, 2, 3, 4, 5, 6).getTime() };
  const lines: string[] = [];
  return {
    clock,
    lines,
    log: new ClientLog(
      (line) => lines.push(line),
      periodMs,
      () => clock.ms,
    ),
  };
}

test("a line has MCC's form: connections now, messages, requests and answers a second", () => {
  const { clock, lines, log: written } = log(1_000);
  clock.ms += 1_000;
  written.view(view(1, RUNNING, 100));
  clock.ms += 1_000;
  written.view(view(1, RUNNING, 300));
  assert.is(
    lines[0],
    'INFO  2026-01-02 03:04:06,006 [cpu 0]client_log - connected: 7 send: 1000 request: 100 received: 998\n',
  );
  assert.match(lines[1] ?? '', /03:04:07,006 .* connected: 7 send: 2000 request: 200 received: 2000\n$/);
});

test('views within the period are summed up, over the end of a run too', () => {
  const { clock, lines, log: written } = log(10_000);
  for (let second = 1; second <= 5; second++) {
    clock.ms += 1_000;
    written.view(view(1, second < 5 ? RUNNING : READY, second * 10));
  }
  for (let second = 1; second <= 5; second++) {
    clock.ms += 1_000;
    written.view(view(2, RUNNING, second * 10));
  }
  assert.is(lines.length, 1);
  assert.match(lines[0] ?? '', /send: 100 request: 10 /);
});

test('a run that is over is counted once, whatever number its counts have then', () => {
  const { clock, lines, log: written } = log(10_000);
  const views = [
    view(1, RUNNING, 50),
    view(2, READY, 60),
    view(3, RUNNING, 70),
    view(4, READY, 90),
    view(4, CLOSED, 90),
  ];
  for (const each of views) {
    clock.ms += 1_000;
    written.view(each);
  }
  assert.is(lines.length, 1);
  assert.match(lines[0] ?? '', /send: 300 request: 30 /); // 1,500 in 5 s
});

test('the last line is written when the connections have closed', () => {
  const { clock, lines, log: written } = log(10_000);
  clock.ms += 2_000;
  written.view(view(1, CLOSED, 10));
  assert.match(lines[0] ?? '', /send: 50 /);
});

test.run();
