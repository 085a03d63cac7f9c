// watchdog: 600s
// The live page of a monitor, through its command line: at a server's mirror under load, and of a capture that comes by a pipe. What
// it shows is what the result says at the end; who may read it is asked as at every page.
import { spawnSync } from 'node:child_process';
import {
  createWriteStream,
  existsSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  type WriteStream,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Browser } from 'playwright-core';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { Snapshot } from '../../stack/dashboard/snapshot.js';
import type { Report as LoadReport } from '../../tools/mcc/report.js';
import { readOptions } from '../../tools/monitor/options.js';
import type { Report } from '../../tools/monitor/report.js';
import { Program } from '../apps/program.js';
import { capture, iotConversation, type Segment } from '../tools/monitor-frames.js';
import { DESKTOP, launch, openPage, PHONE, SHOTS, sticksOut, text, tile, until } from './browser.js';
import { assertExposition, assertLabels, documented, familiesOf, valueFor } from './exposition-text.js';
import { Served } from './served.js';

const TOKEN = 'only-for-this-monitor';
const BEARER = { Authorization: `Bearer ${TOKEN}` };
const REQUESTS = 3_000;
const MIRROR_RECORDS = 'qstack_device_total{counter="mirror_records"}';
/** The mirror's ring has 2,048 records, those of five seconds: a monitor that a busy machine keeps from its core misses none of them. */
const SMALL_LOAD = '-c 20 --rate 100';

const monitor = (...flags: string[]) => new Program('tools/monitor/main.js', flags);
const originOf = ({ err }: Program) => /^dashboard (http:\/\/\S+)\/#token=/m.exec(err)?.[1] ?? '';

async function snapshotsOf(origin: string, headers = {}): Promise<Snapshot[]> {
  return (await (await fetch(`${origin}/api/snapshots?after=0`, { headers })).json()) as Snapshot[];
}

/** Messages in the spectra of all snapshots, by level. */
function countedIn(snapshots: readonly Snapshot[]): number[] {
  const levels = snapshots.at(-1)?.levels ?? [];
  const counts = (cells: readonly number[]) => cells.reduce((sum, value, index) => sum + (index % 2) * value, 0);
  const all = snapshots.flatMap(({ spectrum = [] }) => spectrum);
  return levels.map((name) =>
    all.filter(({ level }) => level === name).reduce((sum, { cells }) => sum + counts(cells), 0),
  );
}

const totalOf = (snapshot: Snapshot | undefined, what: string) =>
  snapshot?.counts?.find((count) => count.what === what)?.total;

/** A conversation of three seconds, and then segments without data: what the monitor reads behind them is whole ticks. */
function pipedCapture(): Buffer {
  const quiet = Array.from(
    { length: 1_000 },
    (_, index): Segment => ({
      ...{ us: REQUESTS * 1_000 + 10_000 * (index + 1), from: 'client', seq: REQUESTS * 200, ack: REQUESTS * 146 },
      payload: new Uint8Array(),
    }),
  );
  return capture([...iotConversation(REQUESTS), ...quiet]);
}

const live = suite<{ served: Served; folder: string; watch: Program; browser: Browser }>('the live page of a monitor');

live.before(async (context) => {
  context.folder = mkdtempSync(join(tmpdir(), 'qstack-monitor-page-'));
  mkdirSync(SHOTS, { recursive: true });
  const socket = join(context.folder, 'mirror', 'm.sock');
  context.served = await Served.start(['--mirror', `memif:${socket}`]);
  const page = ['--dashboard', '127.0.0.1:0', '--dashboard-token', TOKEN];
  context.watch = monitor('--mirror', socket, '--iot', '--json', ...page);
  await context.watch.said('watching the mirror');
  context.browser = await launch();
});
live.after(async ({ served, watch, browser, folder }) => {
  await browser?.close();
  await watch?.stop('SIGKILL');
  await served?.close();
  rmSync(folder, { recursive: true, force: true });
});

live(
  'only who has the token reads, pages of other sites may not ask, and nothing can be changed',
  async ({ watch }) => {
    const origin = originOf(watch);
    const status = async (path: string, headers = {}) => (await fetch(`${origin}${path}`, { headers })).status;
    assert.is(await status('/healthz'), 200);
    for (const path of ['/metrics', '/api/snapshots']) {
      assert.is(await status(path), 401, path);
      assert.is(await status(path, { Authorization: `Bearer ${TOKEN}x` }), 401, path);
      assert.is(await status(path, BEARER), 200, path);
    }
    assert.is(await status('/metrics', { ...BEARER, Origin: 'http://evil.example' }), 403);
    const post = { method: 'POST', body: '{"lines":[]}', headers: BEARER };
    const change = await fetch(`${origin}/api/rules`, post);
    assert.is(change.status, 404);
    assert.match(((await change.json()) as { error: string }).error, /monitor has no rules/);
  },
);

for (const [name, size] of [
  ['desktop', DESKTOP],
  ['phone', PHONE],
] as const) {
  live(`at the width of a ${name} it has what a wire tells, and no more`, async ({ served, watch, browser }) => {
    const mcc = served.load('--rate 1000 -d 60');
    await mcc.ranFor(2);
    const look = { origin: originOf(watch), token: TOKEN, size, scheme: 'light' } as const;
    const { page, faults } = await openPage(browser, look);
    const label = async (id: string) => (await page.locator(`#${id} .chart`).getAttribute('aria-label')) ?? '';
    await until('a chart with p99.9', async () => /high p99\.9 [\d.]+/.test(await label('latency')));
    await until('the spectrum', async () => /low p99 [\d.]+/.test(await label('spectrum')));
    await until('the rate of the load', async () => {
      const rate = Number((await tile(page, 'responses')).replace(/[^\d]/g, ''));
      return rate > 500 && rate < 2_000;
    });
    assert.match(await label('rates'), /high requests .* low responses /);
    // Those of a load before are kept for two seconds.
    await until('its connections', async () => (await tile(page, 'connections')).split(' ')[0] === '200');
    const heading = (id: string) => text(page, `#${id} h2`);
    assert.equal(await Promise.all(['rates', 'connections', 'drops', 'overload'].map(heading)), [
      'Requests and responses',
      'Connections followed',
      'Frames lost on the way here',
      'Without a response',
    ]);
    assert.match(await text(page, '#counts .table'), /request retransmissions/);
    for (const id of ['redis', 'queues', 'busiest', 'slowest', 'rules'])
      assert.not(await page.locator(`#${id}`).isVisible(), id);
    assert.ok((await sticksOut(page)) <= 0);
    await page.screenshot({ path: `${SHOTS}monitor-${name}.png`, fullPage: true });
    assert.equal(faults, []);
    await page.context().close();
    await mcc.stop();
  });
}

live('`qstack top` shows it by the control socket, without a token', async ({ served, watch }) => {
  const mcc = served.load(`${SMALL_LOAD} -d 60`);
  await mcc.ranFor(2);
  const top = new Program('tools/qstack/main.js', ['top', '--once', '--pid', String(watch.child.pid)]);
  assert.is(await top.ended, 0, top.err);
  assert.match(top.out, /^monitor the mirror .*m\.sock, port 80, process \d+, up /);
  assert.match(top.out, /^level +requests\/s +responses\/s +p50 +p99 +p99\.9 +max +unanswered$/m);
  assert.match(top.out, /^high +[1-9]\d* +[1-9]\d* +[\d.]+ (µs|ms) /m);
  assert.match(top.out, /^lost: none$/m);
  assert.match(top.out, /^frames +[\d,.]+/m);
  await mcc.stop();
});

/** When nothing is under way any more: the monitor has read all that the server's mirror has told, and counts nothing more. */
async function settledText(served: Served, origin: string): Promise<string> {
  const read = async () => (await fetch(`${origin}/metrics`, { headers: BEARER })).text();
  const told = async () => valueFor(await (await served.get('/metrics', served.bearer)).text(), MIRROR_RECORDS);
  let before = await read();
  for (let tries = 0; tries < 50; tries += 1) {
    await sleep(2_500);
    const now = await read();
    if (now === before && valueFor(now, 'qstack_monitor_frames_total') === (await told())) return now;
    before = now;
  }
  throw new Error(`the metrics do not come to rest at ${await told()} frames: ${before}`);
}

const responsesOf = (metrics: string, { levels }: LoadReport) =>
  levels.map(({ name }) => Number(valueFor(metrics, `qstack_monitor_responses_total{level="${name}"}`)));

live('/metrics, snapshots and the result at the end are one', async ({ served, watch }) => {
  const origin = originOf(watch);
  const metricsBefore = await settledText(served, origin);
  const before = (await snapshotsOf(origin, BEARER)).at(-1)?.number ?? 0;
  const mcc = served.load(`${SMALL_LOAD} -d 2`);
  assert.is(await mcc.ended, 0, mcc.err);
  const load = JSON.parse(mcc.out) as LoadReport;
  const metrics = await settledText(served, origin);
  assertExposition(metrics);
  const { families, labels } = documented('monitor');
  assert.equal(familiesOf(metrics), families);
  assertLabels(metrics, labels);
  const snapshots = (await snapshotsOf(origin, BEARER)).filter(({ number }) => number > before);
  const responsesBefore = responsesOf(metricsBefore, load);
  const gained = responsesOf(metrics, load).map((count, index) => count - (responsesBefore[index] ?? 0));
  assert.equal(countedIn(snapshots), gained);
  // A response that mcc no longer waited for has passed all the same.
  for (const [index, { name, answered, sent }] of load.levels.entries())
    assert.ok(answered > 0 && answered <= Number(gained[index]) && Number(gained[index]) <= sent, `${name}: ${gained}`);
  assert.is(await watch.stop('SIGINT'), 0, watch.err);
  assert.not.match(watch.out, new RegExp(TOKEN));
  const { levels, counts, capture: seen } = JSON.parse(watch.out) as Report;
  for (const { name, requests, responses } of levels) {
    const value = (metric: string) => valueFor(metrics, `qstack_monitor_${metric}{level="${name}"}`);
    assert.equal([value('requests_total'), value('responses_total')], [requests, responses], name);
    assert.is(value('response_seconds_count'), responses, name);
  }
  const last = snapshots.at(-1);
  assert.is(last?.program.name, 'monitor');
  for (const what of ['request_retransmissions', 'response_retransmissions', 'request_late', 'unmatched'] as const)
    assert.is(totalOf(last, what), counts[what], what);
  assert.is(valueFor(metrics, 'qstack_monitor_connections_seen_total'), counts.connections_seen);
  assert.is(valueFor(metrics, 'qstack_monitor_frames_lost_total{reason="missed"}'), seen.missed);
  assert.is(await fetch(`${origin}/healthz`).catch(() => 'gone'), 'gone');
});

live.run();

const piped = suite<{ folder: string; watch: Program; frames: WriteStream }>('the live page of a capture');

piped.before(async (context) => {
  context.folder = mkdtempSync(join(tmpdir(), 'qstack-monitor-pipe-'));
  process.env.XDG_RUNTIME_DIR = context.folder;
  const pipe = join(context.folder, 'frames.pcap');
  assert.is(spawnSync('mkfifo', [pipe]).status, 0);
  context.watch = monitor('--pcap', pipe, '--iot', '--json', '--shards', '2', '--dashboard', '127.0.0.1:0');
  context.frames = createWriteStream(pipe);
  context.frames.write(pipedCapture());
  await context.watch.said('watching');
});
piped.after(async ({ folder, watch, frames }) => {
  frames.destroy();
  await watch.stop('SIGKILL');
  rmSync(folder, { recursive: true, force: true });
});

piped(
  'latencies and counts are those of the capture, and rates those of its time, not of the reading',
  async (context) => {
    const origin = originOf(context.watch);
    let snapshots: Snapshot[] = [];
    await until('all of it', async () => {
      snapshots = await snapshotsOf(origin);
      return countedIn(snapshots).reduce((sum, count) => sum + count, 0) === REQUESTS;
    });
    assert.equal(countedIn(snapshots), [REQUESTS / 2, REQUESTS / 2]);
    const busy = snapshots.filter(({ stages = [] }) => stages.length > 0);
    for (const [level, us] of [
      ['high', 200],
      ['low', 700],
    ] as const) {
      const figures = busy.flatMap(({ stages = [] }) => stages.filter((stage) => stage.level === level));
      for (const { p50_us, p999_us = 0, max_us } of figures)
        for (const value of [p50_us, p999_us, max_us])
          assert.ok(value >= us && value < us * 1.001, `${level} ${value}`);
    }
    // A thousand a second, in three of the seconds that each snapshot is of.
    const requests = busy.reduce(
      (sum, { rates = [], interval_s }) => sum + interval_s * rates.reduce((all, rate) => all + rate.offered_per_s, 0),
      0,
    );
    assert.ok(Math.abs(requests - REQUESTS) <= 12 * busy.length, String(requests));
    const last = snapshots.at(-1);
    assert.equal([totalOf(last, 'request_retransmissions'), totalOf(last, 'response_retransmissions')], [1, 1]);
    assert.is(last?.connections?.open, 1);
  },
);

piped(
  'somebody else’s port is refused with a sentence, and wrong flags are named; the token is never repeated',
  async (context) => {
    const file = join(context.folder, 'iot.pcap');
    writeFileSync(file, capture(iotConversation(10)));
    const taken = monitor('--pcap', file, '--dashboard', new URL(originOf(context.watch)).host);
    assert.is(await taken.ended, 1);
    assert.match(
      taken.err,
      /^monitor: dashboard at .*somebody else listens there; `--dashboard 127\.0\.0\.1:0` takes a/m,
    );
    for (const address of ['example.com:80', '127.0.0.1:70000', '127.0.0.1']) {
      const wrong = monitor('--pcap', file, '--dashboard', address, '--dashboard-token', 'tiny');
      assert.is(await wrong.ended, 2, address);
      assert.match(wrong.err, /^--dashboard: "\S+" is not accepted; a\.b\.c\.d:port/m);
      assert.match(wrong.err, /^--dashboard-token: "…" is not accepted; 12 to 128 letters/m);
      assert.not.match(wrong.err, /tiny/);
    }
  },
);

piped('--dashboard alone is a port of its own, and --help has it', async () => {
  const { options } = readOptions({ pcap: '-', answer: 'all', dashboard: true });
  assert.equal(options?.dashboard, { host: '127.0.0.1', port: 9_702 });
  const help = monitor('--help');
  assert.is(await help.ended, 0);
  assert.match(help.out, /--dashboard \[address\] +the live page/);
});

piped('the page ends with the capture, whose result it has shown', async ({ folder, watch, frames }) => {
  const origin = originOf(watch);
  const control = join(folder, 'qstack', 'control', `monitor-${watch.child.pid}.sock`);
  assert.ok(existsSync(control));
  const stage = (snapshot: Snapshot) => snapshot.stages?.map(({ max_us }) => max_us) ?? [];
  const shown = (await snapshotsOf(origin)).map(stage).find((all) => all.length > 0);
  frames.end();
  assert.is(await watch.ended, 0, watch.err);
  const { levels } = JSON.parse(watch.out) as Report;
  assert.equal(
    levels.map(({ responses, max_us }) => [responses, max_us]),
    [
      [REQUESTS / 2, 200],
      [REQUESTS / 2, 700],
    ],
  );
  assert.ok(levels.every(({ max_us }, index) => Math.abs((max_us ?? 0) - (shown?.[index] ?? 0)) < 1));
  assert.is(await fetch(`${origin}/healthz`).catch(() => 'gone'), 'gone');
  assert.not(existsSync(control));
});

piped.run();
