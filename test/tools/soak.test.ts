// Long runs: their plan, their ledger, their verdict, each for itself; and a small form of the whole, for correctness and without
// a bound on any time: every trouble happens, every promise is kept, and a planted fault is found.
// Some twenty processes are started and ended: watchdog: 240s
import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { makeReplies } from '../../apps/iotepserver/wire.js';
import { parseRule } from '../../stack/classifier.js';
import { readPolicyLines } from '../../stack/config/policy-lines.js';
import { resolvePolicy } from '../../stack/policy.js';
import { leftOf } from '../../tools/soak/census.js';
import { Ledger, Line } from '../../tools/soak/ledger.js';
import { type Reading, slope, trendOf } from '../../tools/soak/memory.js';
import { Outages } from '../../tools/soak/outages.js';
import { planOf, type Trouble } from '../../tools/soak/plan.js';
import { RULE_VARIANTS } from '../../tools/soak/rules.js';
import { type Evidence, findingsOf, GROWTH_MAX } from '../../tools/soak/verdict.js';
import { ServerVoice } from '../../tools/soak/voice.js';

const MAIN = fileURLToPath(new URL('../../tools/soak/main.js', import.meta.url));
const SMALL = ['--connections', '60', '--rate', '600', '--json', '--verbose'];
const LIMIT_MS = 110_000;

const soak = suite('soak');
let folder = '';

soak.before.each(() => {
  folder = mkdtempSync(join(tmpdir(), 'qstack-soak-'));
});
soak.after.each(() => rmSync(folder, { recursive: true, force: true }));

const planFor = (seed: number, minutes: number) => planOf(seed, minutes * 60_000, 2, RULE_VARIANTS.length);
const timesOf = (plan: readonly Trouble[], kind: Trouble['kind']) =>
  plan.filter((trouble) => trouble.kind === kind).map(({ atMs }) => atMs);

soak('one seed is one plan, another seed another', () => {
  assert.equal(planFor(7, 10), planFor(7, 10));
  assert.not.equal(planFor(7, 10), planFor(8, 10));
});

soak('a short run has every kind of trouble twice, each before its calm end', () => {
  for (let seed = 0; seed < 50; seed++) {
    const plan = planFor(seed, 0.1);
    for (const kind of ['redis', 'reload', 'death'] as const) assert.is(timesOf(plan, kind).length, 2, `seed ${seed}`);
    assert.ok(plan.every(({ atMs }, index) => atMs < 5_400 && atMs >= (plan[index - 1]?.atMs ?? 0)));
  }
});

soak('no minute has so many deaths that the process would end', () => {
  for (let seed = 0; seed < 50; seed++) {
    for (const minutes of [0.1, 1, 1.5, 30]) {
      const deaths = timesOf(planFor(seed, minutes), 'death');
      assert.ok(deaths.length > 0);
      for (const first of deaths) {
        const inMinute = deaths.filter((atMs) => atMs >= first && atMs <= first + 60_000).length;
        assert.ok(inMinute < 5, `${inMinute} from ${first} on, seed ${seed}`);
      }
    }
  }
});

soak('every rule and policy that is read again parses, but for the one that must change nothing', () => {
  const isRule = (line: string) => line.startsWith('classify = ');
  const parses = (lines: readonly string[]) => {
    try {
      for (const line of lines.filter(isRule)) parseRule(line.replace('classify = ', ''), ['high', 'low']);
      resolvePolicy(['high', 'low'], undefined, readPolicyLines(lines.filter((line) => !isRule(line))));
      return true;
    } catch {
      return false;
    }
  };
  assert.equal(
    RULE_VARIANTS.map(({ lines, answer }) => parses(lines) === /in place/.test(answer.source)),
    RULE_VARIANTS.map(() => true),
  );
  assert.is(RULE_VARIANTS.filter(({ lines }) => !parses(lines)).length, 1);
});

function reply(counter: number, form: 'done' | 'unavailable' = 'done') {
  const bytes = makeReplies('iot')[form].with(counter).slice();
  return {
    bytes,
    u8: (at: number) => bytes[at] as number,
    equals: (other: Uint8Array) => Buffer.compare(bytes, other) === 0,
  };
}

function ledgerOf(messages: number, isHeartbeat: boolean) {
  const outages = new Outages();
  const ledger = new Ledger(outages);
  const line = new Line();
  for (let n = 0; n < messages; n++) ledger.write(line, new Uint8Array(20), isHeartbeat, n);
  return { outages, ledger, line };
}

soak('a reply to each message, once, on its connection: all is well', () => {
  const { ledger, line } = ledgerOf(3, true);
  for (const counter of [1, 2, 3]) ledger.reply(line, reply(counter), 10);
  ledger.settle(line, 'ended');
  assert.equal([ledger.tally.answered, ledger.tally.lost, ledger.tally.mismatched], [3, 0, 0]);
  assert.equal(ledger.faults, []);
});

soak('a reply that comes twice, to nobody, or on another connection is a mismatch', () => {
  const { ledger, line } = ledgerOf(2, false);
  ledger.reply(line, reply(1), 10);
  ledger.reply(line, reply(1), 10);
  ledger.reply(line, reply(77), 10);
  ledger.reply(new Line(), reply(2), 10);
  assert.is(ledger.tally.mismatched, 3);
  assert.match(
    ledger.faults.join(),
    /message 1, which was not awaited.*message 77.*message 2 came on another connection/,
  );
});

soak('a reply with one other byte is a mismatch, wherever the byte is', () => {
  for (const at of [0, 6, 50, 145]) {
    const { ledger, line } = ledgerOf(1, false);
    const wrong = reply(1);
    wrong.bytes[at] = (wrong.bytes[at] as number) ^ 1;
    ledger.reply(line, wrong, 10);
    assert.is(ledger.tally.mismatched, 1, `byte ${at}`);
  }
});

soak('heartbeats of one connection are answered in their order, requests may overtake', () => {
  const { ledger, line } = ledgerOf(2, true);
  ledger.reply(line, reply(2), 10);
  ledger.reply(line, reply(1), 10);
  assert.is(ledger.tally.mismatched, 1);
  const requests = ledgerOf(2, false);
  requests.ledger.reply(requests.line, reply(2), 10);
  requests.ledger.reply(requests.line, reply(1), 10);
  assert.is(requests.ledger.tally.mismatched, 0);
});

soak('what is not answered is lost where the connection ended well, and forfeited where it did not', () => {
  const { ledger, line } = ledgerOf(3, true);
  ledger.reply(line, reply(1), 10);
  ledger.settle(line, 'ended in order');
  assert.is(ledger.tally.lost, 2);
  assert.match(ledger.faults[0] ?? '', '2 messages were never answered, on a connection that ended in order');
  const other = ledgerOf(3, true);
  other.ledger.forfeit(other.line);
  assert.equal([other.ledger.tally.forfeited, other.ledger.tally.lost], [3, 0]);
  other.ledger.reply(other.line, reply(1), 10);
  assert.is(other.ledger.tally.mismatched, 1);
});

soak('that Redis is away may be said while it is, and a while longer; without an outage only after a time-out', () => {
  const { ledger, line, outages } = ledgerOf(4, false);
  outages.ended(0, 100);
  ledger.reply(line, reply(1, 'unavailable'), 150);
  outages.began(0, 200);
  ledger.reply(line, reply(2, 'unavailable'), 5_100);
  assert.equal([ledger.tally.unavailable, ledger.tally.late], [2, 0]);
  const calm = ledgerOf(2, false);
  calm.ledger.reply(calm.line, reply(1, 'unavailable'), 1_500);
  assert.equal([calm.ledger.tally.late, calm.ledger.faults.length], [1, 0]);
  calm.ledger.reply(calm.line, reply(2, 'unavailable'), 300);
  assert.match(calm.ledger.faults[0] ?? '', 'refused after 299 ms for want of Redis');
});

function readings(bytesAt: (s: number) => number): Reading[] {
  return Array.from({ length: 600 }, (_, atS) => ({ atS, bytes: bytesAt(atS) }));
}

soak('peaks of a heap are no slope, a leak among them is', () => {
  const heap = (s: number) => 200e6 + (s % 37) * 1e5 + (s % 101 === 0 ? 30e6 : 0);
  assert.ok(Math.abs(trendOf(readings(heap), 600).growth) < GROWTH_MAX / 10);
  const leak = slope(readings((s) => heap(s) + s * 2e4));
  assert.ok(leak > 1.9e4 && leak < 2.1e4, `${leak}`);
  const steady = trendOf(
    readings((s) => 200e6 + s * 4e4),
    600,
  );
  assert.ok(steady.growth > GROWTH_MAX, `${steady.growth}`);
});

soak('what memory does while the server warms up does not count, and a short run is not judged', () => {
  const trend = trendOf(
    readings((s) => Math.min(s, 120) * 1e6),
    600,
  );
  assert.equal([trend.bytesPerMinute, trend.isJudged], [0, true]);
  assert.not(
    trendOf(
      readings(() => 1),
      60,
    ).isJudged,
  );
});

soak('what is left is named, what is as before is not', () => {
  assert.equal(leftOf({ packets: 5, blocks: 2, slabs: 0 }, { packets: 5, blocks: 1, slabs: 0 }), { blocks: 1 });
});

soak('the server’s words: deaths with their resets, errors as faults, answers to who waits for them', async () => {
  const voice = new ServerVoice();
  const said = voice.says(/: 2 rules and the policy are in place$/, 1_000);
  voice.hear('{"level":"error","code":"APP_DIED","app":1,"reset":42,"msg":"app thread 1 died"}');
  voice.hear('{"level":"warn","code":"APP_RESTARTED","app":1,"msg":"app thread 1 is on the air again"}');
  voice.hear('{"level":"error","code":"HANDLER_FAILED","msg":"a handler threw"}');
  voice.hear('/x/a.conf: 2 rules and the policy are in place');
  assert.ok(await said);
  assert.equal([voice.deaths, voice.resets, voice.restarts], [[{ app: 1, reset: 42 }], 42, 1]);
  assert.equal(voice.faults, ['the server says HANDLER_FAILED: a handler threw']);
  assert.not(await voice.says(/never/, 1));
});

const WELL: Evidence = {
  devices: {
    tally: { sent: 100, answered: 90, unavailable: 4, late: 0, forfeited: 6, mismatched: 0, lost: 0 },
    ends: { opened: 10, finish: 3, close: 2, cut: 1, abort: 1, reset: 3, refused: 0 },
    open: 0,
    faults: [],
  },
  ...{ leftAtDevices: {}, leftAtServer: {}, serverCounters: { bad_records: 0 } },
  memory: { warmUpS: 60, firstBytes: 1e8, lastBytes: 1e8, bytesPerMinute: 0, growth: 0, isJudged: true },
  ...{ deathsTold: 1, deaths: [{ app: 0, reset: 4 }], restarts: 1, faults: [] },
};

soak('a run in which every promise was kept has no finding, and each broken one has a sentence', () => {
  assert.equal(findingsOf(WELL), []);
  const { devices, memory } = WELL;
  const tally = (more: object) => ({ devices: { ...devices, tally: { ...devices.tally, ...more } } });
  const cases: [Partial<Evidence>, RegExp][] = [
    [tally({ mismatched: 2 }), /2 replies were not what was asked for/],
    [tally({ lost: 2, forfeited: 4 }), /2 messages were lost/],
    [tally({ sent: 101 }), /1 messages are accounted for by nothing/],
    [tally({ late: 2 }), /2 messages found Redis away while all of its servers were there/],
    [tally({ answered: 0, forfeited: 96 }), /no message was answered/],
    [{ deaths: [{ app: 0, reset: 2 }] }, /3 connections were reset, more than the 2 of app threads that died/],
    [{ deathsTold: 2 }, /2 app threads were told to die, 1 died/],
    [{ restarts: 0 }, /1 app threads died, 0 came back/],
    [{ leftAtServer: { 'busy blocks': 3 } }, /when all connections were gone the server had: 3 busy blocks/],
    [{ leftAtDevices: { 'TX packets': 1 } }, /the devices had: 1 TX packets/],
    [{ serverCounters: { bad_records: 1 } }, /1 records of app threads named nothing sensible/],
    [{ memory: { ...memory, growth: GROWTH_MAX * 1.01 } }, /memory grows by/],
    [{ faults: ['something'] }, /something/],
  ];
  for (const [change, sentence] of cases) {
    const found = findingsOf({ ...WELL, ...change });
    assert.is(found.length, 1, found.join());
    assert.match(found[0] ?? '', sentence);
  }
});

interface SoakJson {
  seed: number;
  findings: string[];
  left: object;
  stopped_early: boolean;
  [key: string]: unknown;
}

function run(...flags: string[]): { status: number | null; report: SoakJson; stderr: string } {
  const env = { ...process.env, TMPDIR: folder };
  const options = { encoding: 'utf8', timeout: LIMIT_MS, killSignal: 'SIGKILL', env } as const;
  const { status, stdout, stderr } = spawnSync(process.execPath, [MAIN, ...SMALL, ...flags], options);
  assert.ok(stdout.startsWith('{'), `${status}: ${stderr}`);
  return { status, report: JSON.parse(stdout) as SoakJson, stderr };
}

soak('a small form: Redis restarts, rules change, app threads die, and every promise is kept', () => {
  const { status, report, stderr } = run('--minutes', '0.1');
  console.log(`seed ${report.seed}`);
  assert.is(status, 0, stderr);
  assert.equal(report.findings, []);
  assert.equal(report.left, { server: {}, devices: {} });
  assert.equal([report.redis_restarts, report.reloads, report.deaths], [2, 2, 2]);
  for (const key of ['opened', 'finished', 'closed', 'answered', 'reset_by_server']) {
    assert.ok((report[key] as number) > 0, `${key}: ${report[key]}`);
  }
  assert.equal([report.mismatched, report.lost], [0, 0]);
  assert.equal(readdirSync(folder), []);
});

for (const stacks of [['--stack-threads', '2'], ['--shared']]) {
  soak(
    `the same with ${stacks.join(' ')}: what either stack has is given back, and an app thread dies for both`,
    () => {
      const { status, report, stderr } = run('--minutes', '0.05', ...stacks);
      console.log(`seed ${report.seed}`);
      assert.is(status, 0, stderr);
      assert.equal([report.stack_threads, report.findings, report.mismatched, report.lost], [2, [], 0, 0]);
      assert.equal(report.left, { server: {}, devices: {} });
    },
  );
}

soak('planted faults are found: a reply that is heard twice, a message that never leaves', () => {
  const { status, report } = run('--minutes', '0.02', '--plant', 'reply', '--plant', 'message');
  assert.is(status, 1);
  assert.match(report.findings.join(), /replies were not what was asked for/);
  assert.match(report.findings.join(), /messages were lost/);
});

soak('the first ^C ends the load, and what was promised is checked all the same', async () => {
  const child = spawn(process.execPath, [MAIN, ...SMALL, '--minutes', '60'], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, TMPDIR: folder },
  });
  let [out, err] = ['', ''];
  let isAsked = false;
  child.stdout.on('data', (bytes) => {
    out += bytes;
  });
  child.stderr.on('data', (bytes) => {
    err += bytes;
    if (isAsked || !err.includes('devices are connected')) return;
    isAsked = true;
    child.kill('SIGINT');
  });
  const status = await new Promise((done) => child.once('close', done));
  assert.is(status, 0, err);
  const report = JSON.parse(out) as SoakJson;
  assert.equal([report.stopped_early, report.findings], [true, []]);
  assert.equal(readdirSync(folder), []);
});

soak('a length that is none is refused with what is accepted', () => {
  const { status, stderr } = spawnSync(process.execPath, [MAIN, '--minutes', 'long'], { encoding: 'utf8' });
  assert.is(status, 2);
  assert.match(stderr, 'a number above 0 is expected');
});

soak.run();
