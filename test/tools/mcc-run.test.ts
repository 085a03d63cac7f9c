// The run against a generator made of plain numbers: order of phases, capacity, and what the report says.
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { capacityOf } from '../../tools/mcc/capacity.js';
import { mccCommand } from '../../tools/mcc/command.js';
import { twoLevels } from '../../tools/mcc/levels.js';
import type { LevelResult, NativeMcc, NativeRun, RunResult, View } from '../../tools/mcc/native.js';
import { type MccOptions, readOptions } from '../../tools/mcc/options.js';
import type { Run } from '../../tools/mcc/phases.js';
import { formatRun, formatUs, runReport } from '../../tools/mcc/report.js';
import { Runner } from '../../tools/mcc/run.js';

const [READY, RUNNING, CLOSED] = [2, 3, 6];

function options(line: string): MccOptions {
  const command = mccCommand();
  command.parse(line.split(' '), { from: 'user' });
  const { options: read, faults } = readOptions(command.opts(), 2);
  if (read === undefined) throw new Error(faults.join('\n'));
  return read;
}

function view(part: Partial<View>, answered = 0): View {
  const none = { offered: 0, sent: 0, errors: 0, failed: 0, unsent: 0, p50Ns: 0, p99Ns: 0, p999Ns: 0, maxNs: 0 };
  const counts = {
    number: 1,
    phase: READY,
    run: 1,
    elapsedNs: 0,
    answeredNs: 0,
    connected: 10,
    retries: 0,
    reconnects: 0,
    renewals: 0,
  };
  const rest = { mismatched: 0, late: 0, unexpected: 0, inFlight: 0, waiting: 0 };
  return {
    ...counts,
    ...rest,
    levels: [
      { ...none, answered },
      { ...none, answered: 0 },
    ],
    ...part,
  };
}

function level(part: Partial<LevelResult>): LevelResult {
  const counts = { offered: 100, sent: 100, answered: 90, errors: 4, failed: 0, unsent: 0 };
  const times = {
    p50Ns: 1_000,
    p90Ns: 2_000,
    p99Ns: 3_456,
    p999Ns: 5_000,
    maxNs: 2_000_000,
    sendDelayNs: 20_000,
    silenceNs: 30_000,
  };
  return { ...counts, ...times, cells: Float64Array.of(1_023, 4, 3_455, 3), ...part };
}

class FakeMcc implements NativeMcc {
  calls: string[] = [];
  runs: NativeRun[] = [];
  private pending: View[] = [];
  private last = view({});
  private number = 1;
  /** All connections come to stand. */
  standing = true;
  /** How much more is answered in a paced run than in the search for the capacity. */
  pacedTimes = 1;

  private push(part: Partial<View>, answered = 0): void {
    this.number += 1;
    this.pending.push(view({ number: this.number, ...part }, answered));
  }
  createMcc(): number {
    return 7;
  }
  mccConnect(): void {
    assert.ok(this.linkUpAfter < 0, 'connections are opened only once the link is up');
    this.calls.push('connect');
    this.push({ phase: 1, connected: 3 });
    if (this.standing) this.push({ phase: READY });
  }
  mccFlood(_id: number, ratePerS: number): void {
    this.calls.push(`flood ${ratePerS}`);
  }
  mccRun(_id: number, run: NativeRun): void {
    this.calls.push(run.kind);
    this.runs.push(run);
    const times = run.kind === 'paced' ? this.pacedTimes : 1;
    this.push({ phase: RUNNING, elapsedNs: 0 }, 0);
    this.push({ phase: RUNNING, elapsedNs: 0.999e9 }, 1_000);
    this.push({ phase: RUNNING, elapsedNs: 1.999e9 }, 5_000 * times);
    this.push({ phase: RUNNING, elapsedNs: 2.999e9 }, 8_000 * times);
    this.push({ phase: READY, elapsedNs: 4e9 }, 12_000 * times);
  }
  mccStopRun(): void {
    this.calls.push('stop');
  }
  mccClose(): void {
    this.calls.push('close');
    this.push({ phase: CLOSED, connected: 0 });
  }
  mccView(): View {
    this.last = this.pending.shift() ?? this.last;
    return this.last;
  }
  mccCells(): Float64Array[] {
    return [Float64Array.of(1_023, 4), new Float64Array()];
  }
  mccHiccups() {
    return { p99Ns: 1_500, maxNs: 9_000 };
  }
  mccResult(): RunResult {
    return { levels: [level({}), level({})], hiccupP99Ns: 1_500, hiccupMaxNs: 9_000 };
  }
  linkUpAfter = 2;
  mccCounters(): Record<string, number> {
    this.linkUpAfter -= 1;
    return { link_up: this.linkUpAfter < 0 ? 1 : 0, retransmits: 3, drop_paws: 0 };
  }
  destroyMcc(): void {
    this.calls.push('destroy');
  }
}

const quiet = { view: () => {}, run: () => {}, note: () => {} };

test('phases run in order on one set of connections, and the generator is freed', async () => {
  const fake = new FakeMcc();
  const line = '-c 10 -w 0 --answer all --phases wave:5/1s/2s,capacity:3s,paced:150%/5s';
  const report = await new Runner(fake, options(line), quiet).measure('mcc', {});
  assert.equal(fake.calls, ['connect', 'wave', 'window', 'paced', 'close', 'destroy']);
  assert.is(report.phases.length, 3);
  assert.is(report.connections, 10);
  assert.is(report.connected, 10);
  assert.is(report.phase, 'wave:5/1000ms');
  assert.equal(report.stack, { link_up: 1, retransmits: 3 });
});

test('a flood begins before the first connection or with its phase, and ends before the connections close', async () => {
  const early = new FakeMcc();
  await new Runner(early, options('-c 10 -w 0 --flood syn --flood-rate 5k/s --rate 1k/s -d 1s'), quiet).measure(
    'mcc',
    {},
  );
  assert.equal(early.calls, ['flood 5000', 'connect', 'paced', 'flood 0', 'close', 'destroy']);
  const late = new FakeMcc();
  const phases = '-c 10 -w 0 --answer all --phases capacity:3s,flood:1M/s,paced:50%/5s';
  await new Runner(late, options(phases), quiet).measure('mcc', {});
  assert.equal(late.calls, ['connect', 'window', 'flood 1000000', 'paced', 'flood 0', 'close', 'destroy']);
});

test('connections that do not come to stand end the test, with their number', async () => {
  const fake = new FakeMcc();
  fake.standing = false;
  const runner = new Runner(fake, options('-c 10 -s 0 --connect-limit 10ms'), quiet);
  await runner.measure('mcc', {}).then(
    () => assert.unreachable(),
    (error: Error) => assert.match(error.message, /only 3 of 10 connections stood/),
  );
  assert.is(fake.calls.at(-1), 'destroy');
});

test('the capacity is what was answered in the middle second of all, and the paced run offers its share', async () => {
  const fake = new FakeMcc();
  const line = '-c 10 -w 0 --answer all --phases capacity:3s,paced:150%/5s';
  const report = await new Runner(fake, options(line), quiet).measure('mcc', {});
  assert.is(report.capacity_per_s, 3_000);
  assert.is(fake.runs[1]?.rate, 4_500);
});

test('an overload that shows more than the capacity is made again, at a share of that', async () => {
  const fake = new FakeMcc();
  fake.pacedTimes = 2;
  const line = '-c 10 -w 0 --answer all --phases capacity:3s,paced:150%/5s';
  const report = await new Runner(fake, options(line), quiet).measure('mcc', {});
  assert.equal(
    fake.runs.map(({ rate }) => rate),
    [1, 4_500, 9_000],
  );
  assert.is(report.capacity_per_s, 6_000);
  assert.is(report.phases.length, 2);
});

test('a share below the capacity is offered once', async () => {
  const fake = new FakeMcc();
  fake.pacedTimes = 2;
  await new Runner(fake, options('-c 10 -w 0 --answer all --phases capacity:3s,paced:50%/5s'), quiet).measure(
    'mcc',
    {},
  );
  assert.is(fake.runs.length, 2);
});

test('a capacity known from elsewhere counts where it is higher', async () => {
  const line = '-c 10 -w 0 --answer all --phases capacity:3s,paced:150%/5s --capacity';
  for (const [known, capacity] of [
    ['7k/s', 7_000],
    ['2k/s', 3_000],
  ] as const) {
    const report = await new Runner(new FakeMcc(), options(`${line} ${known}`), quiet).measure('mcc', {});
    assert.is(report.capacity_per_s, capacity);
  }
});

test('a wave of 20,000 of 100,000 connections each second is an epoch of 5 s', async () => {
  const fake = new FakeMcc();
  await new Runner(fake, options('-c 100000 -w 0 --phases wave:20000/1s/10s'), quiet).measure('mcc', {});
  assert.is(fake.runs[0]?.epochNs, 5e9);
  assert.is(fake.runs[0]?.burst, 20_000);
  assert.is(fake.runs[0]?.durationNs, 10e9);
});

test("the README's epoch survives the way through the interval", async () => {
  const fake = new FakeMcc();
  await new Runner(fake, options('-c 70 -b 3 -e 60 -w 0 -d 1'), quiet).measure('mcc', {});
  assert.is(fake.runs[0]?.epochNs, 60e9);
});

test('sent = answered + errors + lost, where the level is answered', () => {
  const phase = options('-c 1').phases[0] as Run;
  const context = {
    phase,
    durationMs: 2_000,
    answeredAll: false,
    levels: twoLevels(0.5),
    before: { reconnects: 1, renewals: 0 },
  };
  const result = { levels: [level({}), level({ answered: 0, errors: 0 })], hiccupP99Ns: 1_000, hiccupMaxNs: 2_000 };
  const report = runReport(result, view({ reconnects: 3, mismatched: 2 }), context);
  const [high, low] = report.levels;
  assert.is(high?.lost, 6);
  assert.is(high?.p99_us, 3.46);
  assert.is(low?.lost, null);
  assert.is(low?.p99_us, null);
  assert.is(report.offered_per_s, 100);
  assert.is(report.reconnects, 2);
  assert.is(report.mismatched, 2);
  const text = formatRun(report).split('\n');
  assert.match(text[2] ?? '', /^high +100 +90 +6 /);
  assert.ok(
    text.every((line) => line.length <= 80),
    text.join('\n'),
  );
  assert.match(text.at(-1) ?? '', /^send delay max 20 us {3}hiccup p99 /);
});

test('answers that came behind the last send are not credited to the time before it', () => {
  const phase = options('-c 1').phases[0] as Run;
  const context = {
    phase,
    durationMs: 2_000,
    answeredAll: true,
    levels: twoLevels(1),
    before: { reconnects: 0, renewals: 0 },
  };
  const result = { levels: [level({ answered: 100 })], hiccupP99Ns: 0, hiccupMaxNs: 0 };
  const perS = (answeredNs: number) => runReport(result, view({ answeredNs }), context).answered_per_s;
  assert.equal([perS(1.9e9), perS(5e9)], [50, 20]);
});

test('capacity needs two views', () => {
  assert.is(capacityOf([view({ phase: RUNNING, elapsedNs: 1e9 }, 5)]), undefined);
});

test('who listens is told what each second brought, and what came last', async () => {
  const fake = new FakeMcc();
  const seen: { answered: number; latencies: number; seconds: number }[] = [];
  const begun: string[] = [];
  await new Runner(fake, options('-c 10 -w 0 --phases wave:5/1s/2s'), {
    ...quiet,
    begin: ({ name, durationMs }) => begun.push(`${name} ${durationMs}`),
    slice: ({ startMs, endMs, levels: [high] }) =>
      seen.push({
        answered: high?.counts.answered ?? 0,
        latencies: high?.latency.count ?? 0,
        seconds: Math.round((endMs - startMs) / 10) / 100,
      }),
  }).measure('mcc', {});
  assert.equal(begun, ['wave:5/1000ms 2000']);
  assert.equal(
    seen.map(({ answered }) => answered),
    [1_000, 4_000, 3_000, 4_000],
  );
  assert.equal(
    seen.map(({ latencies }) => latencies),
    [4, 0, 0, 3],
  );
  assert.equal(
    seen.map(({ seconds }) => seconds),
    [1, 1, 1, 1],
  );
});

test('a stopped test leaves out the rest, closes and still reports', async () => {
  const fake = new FakeMcc();
  const runner: Runner = new Runner(fake, options('-c 10 -w 0 --phases wave:5/1s/2s,wave:5/1s/2s'), {
    ...quiet,
    run: () => runner.stop(),
  });
  const report = await runner.measure('mcc', {});
  assert.equal(fake.calls, ['connect', 'wave', 'stop', 'close', 'destroy']);
  assert.is(report.phases.length, 1);
});

test('times are written with at most three digits and a unit', () => {
  assert.is(formatUs(12.345), '12.3 us');
  assert.is(formatUs(3_210), '3.21 ms');
  assert.is(formatUs(1_200_000), '1.2 s');
  assert.is(formatUs(null), '-');
});

test.run();
