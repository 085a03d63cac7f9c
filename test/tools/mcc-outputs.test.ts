// What mcc leaves behind, of one real run against echo_server over memif: the object of --json by its schema, and every file
// read by what its readers would use. All of them tell of the same messages.
// watchdog: 240s
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Histogram } from '../../tools/histogram/histogram.js';
import { readHistogramLog } from '../../tools/histogram/hlog.js';
import { line, type Context as Rig, run, start, stop } from './echo-rig.js';

const SCHEMA = JSON.parse(
  readFileSync(fileURLToPath(new URL('../../../docs/schema/mcc.json', import.meta.url)), 'utf8'),
);

const LOAD =
  '-c 200 -s 1 -w 0 -r 0.2 --answer all --phases wave:100/200ms/2s,pause:500ms,paced:1000/2s --fail-if lost>1000 --log-duration 1';

interface Context extends Rig {
  out: string;
  err: string;
  code: number | null;
}

const outputs = suite<Context>("mcc's outputs");

const path = (context: Context, name: string) => join(context.folder, 'out', name);
const text = (context: Context, name: string) => readFileSync(path(context, name), 'utf8');

outputs.before(async (context) => {
  await start(context);
  const files = ['hgrm', 'hlog', 'client-log', 'html'].flatMap((flag) => [`--${flag}`, path(context, flag)]);
  const ended = await run([...line(context, LOAD), ...files, '--json', '--quiet']);
  Object.assign(context, ended);
  if (ended.code !== 0) throw new Error(ended.err);
});
outputs.after(stop);

outputs('--json keeps to its schema, in which every key is described', ({ out }) => {
  const ajv = new Ajv2020({ allErrors: true, strict: true, allowUnionTypes: true });
  const validate = ajv.compile(SCHEMA);
  validate(JSON.parse(out));
  assert.equal(validate.errors, null);
  validate({ ...JSON.parse(out), surprise: 1 });
  assert.match(JSON.stringify(validate.errors), /surprise/);
  const bare: string[] = [];
  const look = (value: object, where: string): void => {
    for (const [key, inner] of Object.entries(value)) {
      if (typeof inner !== 'object' || inner === null) continue;
      const isKey = where.endsWith('/properties');
      if (isKey && !('description' in inner) && !('$ref' in inner)) bare.push(`${where}/${key}`);
      look(inner, `${where}/${key}`);
    }
  };
  look(SCHEMA, '');
  assert.equal(bare, []);
});

outputs('--hgrm writes a distribution for each phase and level, with its count and maximum', (context) => {
  const report = JSON.parse(context.out);
  assert.equal(readdirSync(path(context, 'hgrm')).sort(), [
    '1-wave-100-200ms-high.hgrm',
    '1-wave-100-200ms-low.hgrm',
    '2-paced-1000-high.hgrm',
    '2-paced-1000-low.hgrm',
  ]);
  const [high] = report.phases[1].levels;
  const written = text(context, 'hgrm/2-paced-1000-high.hgrm');
  assert.match(written, new RegExp(`Total count {4}= +${high.answered}\\]`));
  assert.match(written, new RegExp(`Max {5}= +${(high.max_us / 1_000).toFixed(3).slice(0, -1)}`));
});

outputs('--hlog has an interval a second and level, and all intervals together are the whole', (context) => {
  const report = JSON.parse(context.out);
  const intervals = readHistogramLog(text(context, 'hlog'));
  for (const [index, name] of ['high', 'low'].entries()) {
    const mine = intervals.filter(({ tag }) => tag === name);
    const answered = report.phases.reduce((sum: number, phase: typeof report) => sum + phase.levels[index].answered, 0);
    assert.is(Histogram.merge(mine.map(({ histogram }) => histogram)).count, answered);
    assert.ok(mine.length >= 4 && mine.length <= 10, String(mine.length));
    for (const { startMs, endMs } of mine) assert.ok(endMs > startMs && endMs - startMs < 3_000);
  }
  const wave = intervals.filter(({ tag, startMs }) => tag === 'high' && startMs < (intervals[0]?.startMs ?? 0) + 2_000);
  const merged = Histogram.merge(wave.map(({ histogram }) => histogram));
  const [high] = report.phases[0].levels;
  assert.is(merged.count, high.answered);
  assert.ok(Math.abs((merged.percentileNs(0.99) ?? 0) / 1_000 - high.p99_us) <= high.p99_us / 500, 'the same p99');
});

outputs('--client-log has lines of MCC that add up to what was sent', (context) => {
  const form =
    /^INFO {2}([\d-]{10}) ([\d:]{8}),(\d{3}) \[cpu 0\]client_log - connected: \d+ send: (\d+) request: \d+ received: \d+$/;
  const lines = text(context, 'client-log').trimEnd().split('\n');
  const told = lines.map((line) => {
    assert.match(line, form);
    const [, day, time, ms, perS] = form.exec(line) ?? [];
    return { atMs: Date.parse(`${day}T${time}.${ms}`), perS: Number(perS) };
  });
  // Rates since the line before, which on a busy machine is seconds ago, or was written just now.
  const counts = told.slice(1).map(({ atMs, perS }, index) => {
    const seconds = Math.max(1, atMs - (told[index]?.atMs ?? 0)) / 1_000;
    return { sent: perS * seconds, rounding: seconds };
  });
  const total = (of: 'sent' | 'rounding') => counts.reduce((sum, count) => sum + count[of], 0);
  const { phases } = JSON.parse(context.out) as { phases: { levels: { sent: number }[] }[] };
  const sent = phases.flatMap(({ levels }) => levels).reduce((sum, level) => sum + level.sent, 0);
  const before = sent - total('sent');
  const firstS = before / Math.max(1, told[0]?.perS ?? 0);
  const what = `${sent} sent, ${total('sent')} behind the first line, ${JSON.stringify(told)}`;
  if (told[0]?.perS === 0) assert.ok(Math.abs(before) <= total('rounding'), what);
  else assert.ok(firstS > 0.8 && firstS < 30, what);
});

outputs('--html is one file that asks for nothing, with figures, plots, and the command', (context) => {
  const html = text(context, 'html');
  const report = JSON.parse(context.out);
  assert.not.match(html, /(?:src|href)=|@import|url\(/);
  assert.match(html, /Content-Security-Policy" content="default-src 'none'/);
  assert.is(html.match(/class="tile"/g)?.length, 4);
  assert.is(html.match(/Latency by percentile<\/figcaption>/g)?.length, 2);
  for (const title of ['high: latency', 'low: messages a second', 'Connections', 'Messages under way']) {
    assert.ok(html.includes(`<figcaption>${title}</figcaption>`), title);
  }
  assert.ok(html.includes('--phases wave:100/200ms/2s'));
  assert.ok(html.includes(report.phases[1].levels[1].answered.toLocaleString('en-US')));
});

outputs('what a test that cannot begin says in JSON is in the schema too', async (context) => {
  const { code, out } = await run(line(context, '-c 1 -s 1 -w 0 --connect-limit 1s --port 9 -d 1s --json --quiet'));
  assert.is(code, 1);
  const validate = new Ajv2020({ strict: true, allowUnionTypes: true }).compile(SCHEMA);
  validate(JSON.parse(out));
  assert.equal(validate.errors, null);
  assert.match(JSON.parse(out).error, /only 0 of 1/);
});

outputs('--hgrm with a file is one distribution of the whole test', async (context) => {
  const file = path(context, 'all.hgrm');
  const { code, err, out } = await run([
    ...line(context, `-c 5 -s 1 -w 0 -d 1s --rate 100 --json --quiet`),
    '--hgrm',
    file,
  ]);
  assert.is(code, 0, err);
  const [high, low] = JSON.parse(out).levels;
  assert.match(text(context, 'all.hgrm'), new RegExp(`Total count {4}= +${high.answered + low.answered}\\]`));
});

outputs('a file that cannot be written is told before anything is sent, with exit 2', async (context) => {
  mkdirSync(path(context, 'folder'));
  writeFileSync(path(context, 'file'), '');
  for (const [flag, name] of [
    ['--html', 'folder'],
    ['--hlog', 'file/x'],
    ['--client-log', 'folder'],
    ['--hgrm', 'file'],
  ] as const) {
    const { code, err } = await run([...line(context, '-c 1 -d 1s --quiet'), flag, path(context, name)]);
    assert.is(code, 2, flag);
    assert.match(err, new RegExp(`^${flag}: .*/${name} cannot be (written|made) \\(E`));
  }
});

outputs.run();
