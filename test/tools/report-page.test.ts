// The report in a real browser, on a desk and on a phone, light and dark: it fits, asks for nothing, complains of nothing, and
// says the values under the pointer. Needs Chromium (deps/packages.json).
// watchdog: 240s
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Browser, chromium, type Page } from 'playwright-core';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Histogram } from '../../tools/histogram/histogram.js';
import { type Report, type ReportRun, reportHtml } from '../../tools/report/report.js';
import type { Slice } from '../../tools/report/timeline.js';

const CHROMIUM = '/usr/bin/chromium';
const START = Date.UTC(2026, 0, 2, 3, 4, 5);
const LEVELS = ['alarm', 'normal', '<b>bulk</b>'];

/** A thousand latencies, the highest level's the shortest. */
function latency(level: number): Histogram {
  return Histogram.of(Array.from({ length: 1_000 }, (_, index) => [(index + 1) * 1_000 * 8 ** level, 1]).flat());
}

function slice(second: number): Slice {
  const counts = { offered: 100, sent: 100, answered: 99 };
  return {
    startMs: START + second * 1_000,
    endMs: START + (second + 1) * 1_000,
    levels: LEVELS.map((_, level) => ({ counts, latency: latency(level) })),
    gauges: { connected: 10 },
  };
}

function run(name: string, second: number): ReportRun {
  const levels = LEVELS.map((level, index) => ({
    name: level,
    latency: latency(index),
    facts: [['sent', '100']] as const,
  }));
  return { name, startMs: START + second * 1_000, facts: [['offered', '100/s']], levels };
}

const REPORT: Report = {
  program: 'mcc',
  startMs: START,
  command: `mcc -c 10 ${'--phases wave:20000/1s/10s,capacity:3s,paced:150%/5s '.repeat(3)}</pre>`,
  runs: [run('wave:20000/1000ms, 10 s', 0), run('paced:150%, 10 s', 12)],
  slices: [
    ...Array.from({ length: 10 }, (_, second) => slice(second)),
    ...Array.from({ length: 10 }, (_, second) => slice(12 + second)),
  ],
  rates: ['offered', 'sent', 'answered'],
  gauges: [{ title: 'Connections', names: ['connected'] }],
  facts: [['seed', '1']],
  counters: [['rx_packets', '12']],
};

interface Context {
  folder: string;
  file: string;
  browser: Browser;
}

const page = suite<Context>('the report in Chromium');

page.before(async (context) => {
  context.folder = mkdtempSync(join(tmpdir(), 'qstack-report-'));
  context.file = join(context.folder, 'report.html');
  writeFileSync(context.file, reportHtml(REPORT));
  if (!existsSync(CHROMIUM)) throw new Error(`${CHROMIUM} is missing: node deps/check.mjs says how to install it`);
  context.browser = await chromium.launch({
    executablePath: CHROMIUM,
    args: ['--no-sandbox', '--disable-background-networking'],
  });
});
page.after(async ({ browser, folder }) => {
  await browser.close();
  rmSync(folder, { recursive: true });
});

interface Opened {
  page: Page;
  /** What the browser complained of or asked for. */
  said: string[];
}

async function open({ browser, file }: Context, width: number, colorScheme: 'light' | 'dark'): Promise<Opened> {
  const opened = await browser.newPage({ viewport: { width, height: 844 }, colorScheme });
  const said: string[] = [];
  opened.on('console', (message) => said.push(message.text()));
  opened.on('pageerror', (error) => said.push(error.message));
  opened.on('request', (request) => said.push(request.url()));
  await opened.goto(`file://${file}`);
  return { page: opened, said: said.filter((text) => text !== `file://${file}`) };
}

page('it fits a desk and a phone, without a request or a complaint', async (context) => {
  for (const width of [1_280, 390]) {
    const { page: opened, said } = await open(context, width, 'light');
    assert.is(await opened.evaluate('document.documentElement.scrollWidth'), width);
    assert.equal(said, []);
    assert.is(await opened.locator('figure.chart').count(), 2 + 2 * LEVELS.length + 1);
    assert.is(await opened.locator('.tile').count(), 2 * LEVELS.length);
    await opened.close();
  }
});

page('what a name or a command holds is text', async (context) => {
  const { page: opened } = await open(context, 1_280, 'light');
  assert.is(await opened.locator('.tile h3').nth(2).textContent(), '<b>bulk</b>');
  assert.match((await opened.locator('header pre').textContent()) ?? '', /<\/pre>$/);
  assert.match((await opened.locator('.tile .big').first().textContent()) ?? '', /^990 µs/);
  await opened.close();
});

page('dark and light differ, and both are readable', async (context) => {
  const shade = async (scheme: 'light' | 'dark') => {
    const { page: opened } = await open(context, 390, scheme);
    const colours =
      'const s = getComputedStyle(document.body); [s.backgroundColor, s.color].join(" ").match(/\\d+/g).map(Number)';
    const [back, text] = (await opened
      .evaluate(colours)
      .then((all) => [(all as number[])[0], (all as number[])[3]])) as number[];
    await opened.close();
    return { back: back as number, text: text as number };
  };
  const [light, dark] = [await shade('light'), await shade('dark')];
  assert.ok(light.back - light.text > 150 && dark.text - dark.back > 150, JSON.stringify({ light, dark }));
});

page('the pointer and the arrow keys read values out of a plot', async (context) => {
  const { page: opened } = await open(context, 1_280, 'light');
  const chart = opened.locator('figure.chart').first();
  const values = () => chart.locator('output').allTextContents();
  assert.equal(await values(), ['', '', '']);
  await chart.locator('svg').hover();
  for (const value of await values()) assert.match(value, /^[\d.]+ %: [\d.]+ (µs|ms|s)$/);
  await chart.locator('svg').focus();
  await opened.keyboard.press('Home');
  assert.equal(await values(), ['0 %: 1 µs', '0 %: 8 µs', '0 %: 64 µs']);
  await opened.keyboard.press('End');
  assert.match((await values())[0] ?? '', /: 1 ms$/);
  await opened.close();
});

page.run();
