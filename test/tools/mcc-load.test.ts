// Load models of mcc through the command line, against echo_server over memif: what was asked for is sent, every reply matched.
// watchdog: 240s
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { Report, RunReport } from '../../tools/mcc/report.js';
import { segment } from '../stack/classifier-frames.js';
import { type Context, line, run, start, stop } from './echo-rig.js';
import { pcapFile } from './pcap-file.js';

const mcc = suite<Context>('load models of mcc');
mcc.before((context) => start(context, '--http-port', '80'));
mcc.after(stop);

const COMMON = '-c 20 -s 1 -w 0 --json --quiet';

async function measure(context: Context, text: string): Promise<Report> {
  const { code, out, err } = await run(line(context, `${COMMON} ${text}`));
  assert.is(code, 0, err);
  return JSON.parse(out) as Report;
}

const sum = (run_: RunReport, name: 'sent' | 'answered') =>
  run_.levels.reduce((total, level) => total + level[name], 0);

function assertAnswered(report: RunReport, sent: number): void {
  assert.is(sum(report, 'sent'), sent);
  assert.is(sum(report, 'answered'), sent);
  assert.is(report.mismatched, 0);
}

mcc('--rate FROM..TO: a result for each step, here of Poisson arrivals', async (context) => {
  const report = await measure(context, '--arrival poisson --rate 400..1200/500ms --steps 3');
  assert.equal(
    report.phases.map(({ phase }) => phase),
    ['poisson:400', 'poisson:800', 'poisson:1200'],
  );
  for (const [index, mean] of [200, 400, 600].entries()) {
    const step = report.phases[index] as RunReport;
    // Seeded, so always the same number; five standard deviations of a Poisson process.
    assert.ok(Math.abs(sum(step, 'sent') - mean) < 5 * Math.sqrt(mean), `${sum(step, 'sent')} of ${mean}`);
    assertAnswered(step, sum(step, 'sent'));
  }
});

mcc('-t: the generator works for so long on each reply, and the next messages are late', async (context) => {
  const [level] = (await measure(context, '--rate 1k/s -d 200ms -t 8000000')).phases[0]?.levels ?? [];
  assert.is(level?.answered, 200);
  // Work of 8 ms, while a message is due each millisecond.
  assert.ok((level?.max_us ?? 0) > 6_000, `${level?.max_us} µs`);
});

mcc('for a person the steps end in one table: latency against load', async (context) => {
  const { code, out, err } = await run(line(context, '-c 5 -s 1 -w 0 --quiet --rate 100..200/200ms --steps 2'));
  assert.is(code, 0, err);
  assert.match(out, /run +│ offered │ answered │ lost │ high p50 │ high p99 │ high max/);
  assert.match(out, /paced:200 +│ +200\/s/);
});

mcc("--traffic-model: MCC's list of gaps, one round of it, or as long as -d says", async (context) => {
  const model = join(context.folder, 'model.txt');
  writeFileSync(model, '[0, 0, 1000000,\n 40000000, 9000000]');
  assertAnswered(await measure(context, `--traffic-model ${model}`), 5);
  assertAnswered(await measure(context, `--arrival replay --traffic-model ${model} -d 125ms`), 14);
});

mcc('--traffic-model: a capture, with the lengths that the client had sent', async (context) => {
  const capture = join(context.folder, 'traffic.pcap');
  const frames = [0, 30, 700, 12].map((length, index) => {
    const parts = { payload: new Uint8Array(length), destinationPort: 7, sourcePort: 1_000 + (index % 2) };
    const frame = segment(parts);
    new DataView(frame.buffer).setUint32(38, index * 1_000);
    return frame;
  });
  writeFileSync(capture, pcapFile([...frames, frames[2] as Uint8Array]));
  const report = await measure(context, `--traffic-model ${capture}`);
  assertAnswered(report, 3);
  assert.ok(report.phase.startsWith('replay:'));
});

mcc('--message hex, told by order: fixed replies, and such with a length prefix', async (context) => {
  const rest = '--answer all -p 2 --levels a=0.5,b --rate 500/s -d 500ms';
  assertAnswered(await measure(context, `--message hex:00{level}ff_ff --reply fixed:4 ${rest}`), 250);
  const prefixed = '--message hex:0006{counter} --reply lengthPrefix:offset=0,width=2';
  assertAnswered(await measure(context, `${prefixed} ${rest}`), 250);
});

mcc('--message file: the counter is written into it, and the echo told by that', async (context) => {
  const path = join(context.folder, 'message.txt');
  writeFileSync(path, 'id={counter:hex} level={level}\n');
  const report = await measure(
    context,
    `--message file:${path} --levels alarm=0.5,bulk --answer all --rate 500/s -d 500ms`,
  );
  assertAnswered(report, 250);
  assert.ok(report.levels.every(({ answered }) => answered > 50));
});

mcc('--message http: responses of HTTP/1, by order; one of 400 or above is an error', async (context) => {
  const found = await measure(context, '--port 80 --reply http --message http --rate 300/s -d 500ms');
  const answered = found.levels[0]?.answered ?? 0;
  const errors = found.levels[0]?.errors ?? 0;
  assert.is(answered + errors, 150);
  const missing = await measure(context, '--port 80 --reply http --message http:/no/{level} --rate 300/s -d 500ms');
  assert.is(missing.levels[0]?.errors, 150);
  assert.is(missing.mismatched, 0);
});

mcc('--reconnect-after: connections are closed after so many answers, and opened anew', async (context) => {
  const report = await measure(context, '--reconnect-after 2 --rate 400/s -d 1s');
  const [high] = report.levels;
  assert.ok(report.renewals >= 100 && report.renewals <= 200, `${report.renewals} renewals`);
  assert.is((high?.sent ?? 0) + report.failed_sends, 400);
  assert.is(high?.answered, high?.sent);
  assert.is(report.reconnects, 0);
});

mcc('--fail-if: exit 99 and the condition that came true, in the report as well', async (context) => {
  const words =
    '-c 5 -s 1 -w 0 --json --quiet --rate 200/s -d 500ms --fail-if p99(high)<10s --fail-if lost>0 --fail-if rate<1/s';
  const { code, out, err } = await run(line(context, words));
  assert.is(code, 99);
  assert.match(err, /^--fail-if p99\(high\)<10s came true: [\d.]+ us in paced:200\n$/);
  const { thresholds } = JSON.parse(out) as Report;
  assert.equal(
    thresholds.map(({ expression, failed }) => [expression, failed]),
    [
      ['p99(high)<10s', true],
      ['lost>0', false],
      ['rate<1/s', false],
    ],
  );
});

mcc('a misspelt condition is a fault that says what is accepted, before anything is started', async (context) => {
  const { code, err } = await run(line(context, '--fail-if p98>2ms --fail-if p99(hihg)>2ms'));
  assert.is(code, 2);
  assert.match(err, /--fail-if: "p98" in "p98>2ms" is not known; METRIC\[\(LEVEL\)\] .* one of p50, p90, p99, p99.9/);
  assert.match(err, /there is no level "hihg", but high, low/);
});

mcc('connections that never stand: exit 1, and an object that says what was reached', async (context) => {
  const words = `${COMMON} --dest 10.0.0.99 --connect-limit 100ms --rate 10/s -d 1s`;
  const { code, out, err } = await run(line(context, words));
  assert.is(code, 1);
  assert.match(err, /only 0 of 20 connections stood/);
  const report = JSON.parse(out) as Report & { error: string };
  assert.match(report.error, /only 0 of 20 connections stood after the set-up time and --connect-limit; is the server/);
  assert.equal([report.connections, report.connected, report.phases.length], [20, 0, 0]);
  assert.ok(report.setup_s > 0.9);
});

mcc.run();
