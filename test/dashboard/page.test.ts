// watchdog: 600s
// The page in a real browser: a running iotepserver under mcc's load, at the width of a desktop and of a phone, dark and
// light. Figures move, keys work, the classifier changes with the token and not without it, and nothing is said on the
// console. Screenshots go to build/screenshots, for people to look at.
import { mkdirSync } from 'node:fs';
import type { Browser } from 'playwright-core';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { Program } from '../apps/program.js';
import {
  DESKTOP,
  launch,
  type Opened,
  openPage,
  PHONE,
  SHOTS,
  sticksOut,
  text,
  textOf,
  tile,
  until,
} from './browser.js';
import { Served } from './served.js';

interface Context {
  served: Served;
  browser: Browser;
  mcc: Program;
}

const pages = suite<Context>('page');

pages.before(async (context) => {
  mkdirSync(SHOTS, { recursive: true });
  context.served = await Served.start(['--arrangement', 'separate']);
  context.mcc = context.served.load('--rate 1000 -d 600 --dashboard 127.0.0.1:0');
  await context.mcc.ranFor(3);
  context.browser = await launch();
});
pages.after(async ({ browser, served }) => {
  await browser?.close();
  await served?.close();
});

/** `token`: whether the page has one. */
function open(
  { browser, served }: Context,
  size: typeof DESKTOP,
  scheme: 'dark' | 'light',
  token = true,
  origin = served.origin,
): Promise<Opened> {
  return openPage(browser, { origin, token: token ? served.token : '', size, scheme });
}

for (const [name, size] of [
  ['desktop', DESKTOP],
  ['phone', PHONE],
] as const) {
  for (const scheme of ['light', 'dark'] as const) {
    pages(
      `at the width of a ${name}, ${scheme}: every panel has its figures, nothing sticks out, the console is silent`,
      async (context) => {
        const { page, faults } = await open(context, size, scheme);
        assert.is(await page.locator('html').getAttribute('data-theme'), scheme);
        await until('a wide history', async () => (await text(page, '#state')) === 'live');
        await new Promise((done) => setTimeout(done, 1_500));
        // What a monitor counts.
        const hidden = await page.locator('section.panel[hidden]:not(#counts)').count();
        assert.is(hidden, 0);
        const beyond = await sticksOut(page);
        assert.ok(beyond <= 0, `${beyond} pixels stick out`);
        await page.screenshot({ path: `${SHOTS}${name}-${scheme}.png` });
        await page.screenshot({ path: `${SHOTS}${name}-${scheme}-whole.png`, fullPage: true });
        assert.equal(faults, []);
        assert.is(new URL(page.url()).hash, '');
        await page.context().close();
      },
    );
  }
}

pages('figures move, and are those of the load; keys pause, zoom and change the theme', async (context) => {
  const { page, faults } = await open(context, DESKTOP, 'light');
  assert.is(await tile(page, 'connections').then((text) => text.split(' ')[0]), '200');
  await until('the rate of the load', async () => {
    const rate = Number((await tile(page, 'answered')).replace(/[^\d]/g, ''));
    return rate > 500 && rate < 2_000;
  });
  const frames = () => textOf(page.locator('#rules tbody tr').first().locator('td').nth(3));
  const before = await frames();
  await until('another count of frames', async () => (await frames()) !== before);
  const label = await page.locator('#latency .chart').getAttribute('aria-label');
  assert.match(label ?? '', /high p99 [\d.]+ (µs|ms|s)/);
  await page.selectOption('#stage', 'redis');
  await until('another stage', async () => (await page.locator('#stage').inputValue()) === 'redis');
  await page.locator('#stage').blur();
  const state = () => text(page, '#state');
  await page.keyboard.press('Space');
  assert.is(await state(), 'paused');
  const table = await text(page, '#stages .table');
  await new Promise((done) => setTimeout(done, 2_200));
  assert.is(await text(page, '#stages .table'), table);
  await page.keyboard.press('p');
  await until('live again', async () => (await state()) === 'live');
  assert.not(await page.locator('#whole').isVisible());
  await page.keyboard.press('+');
  assert.ok(await page.locator('#whole').isVisible());
  await page.keyboard.press('0');
  assert.not(await page.locator('#whole').isVisible());
  await page.keyboard.press('d');
  assert.is(await page.locator('html').getAttribute('data-theme'), 'dark');
  await page.keyboard.press('?');
  assert.ok(await page.locator('#keys').isVisible());
  await page.keyboard.press('Escape');
  assert.not(await page.locator('#keys').isVisible());
  await page.keyboard.press('r');
  assert.is(await page.evaluate('document.activeElement?.id'), 'rules-lines');
  await page.locator('#latency').scrollIntoViewIfNeeded();
  const box = await page.locator('#latency .u-over').boundingBox();
  assert.ok(box);
  const { x, y, width } = box as { x: number; y: number; width: number };
  await page.mouse.move(x + width * 0.3, y + 150);
  await page.mouse.down();
  await page.mouse.move(x + width * 0.7, y + 150, { steps: 4 });
  await page.mouse.up();
  await until('a zoom by the mouse', () => page.locator('#whole').isVisible());
  assert.equal(faults, []);
  await page.context().close();
});

pages(
  'the classifier changes with the token, its effect is seen, and a fault is said with its line',
  async (context) => {
    const { page } = await open(context, DESKTOP, 'light');
    const said = () => text(page, '#rules-said');
    await page.fill('#rules-lines', 'nonsense');
    await page.click('#rules-form button[type=submit]');
    await until('the fault', async () => /^line 1: /.test(await said()));
    await page.fill('#rules-lines', 'dst port 80 -> low');
    await page.click('#rules-form button[type=submit]');
    await until('the change', async () => /from now on/.test(await said()));
    const first = () => textOf(page.locator('#rules tbody tr').first());
    await until('the new rule, with frames', async () => /dst port.*80.*configuration.*low[1-9]/s.test(await first()));
    await until('nothing is high any more', async () => (await tile(page, 'high p99')) === '–');
    await page.screenshot({ path: `${SHOTS}rules.png`, fullPage: true });
    await page.fill('#rules-lines', '');
    await page.click('#rules-form button[type=submit]');
    await until('high again', async () => (await tile(page, 'high p99')) !== '–');
    await page.context().close();
  },
);

pages('mcc has the same page: latency up to p99.9, the percentile spectrum, rates', async (context) => {
  const origin = /dashboard (http:\/\/\S+)\/#token=/.exec(context.mcc.err)?.[1] ?? '';
  const { page, faults } = await open(context, DESKTOP, 'light', false, origin);
  const label = async (id: string) => (await page.locator(`#${id} .chart`).getAttribute('aria-label')) ?? '';
  await until('a chart with p99.9', async () => /low p99\.9 [\d.]+/.test(await label('latency')));
  await until('the spectrum', async () => /low p99 [\d.]+/.test(await label('spectrum')));
  assert.not(await page.locator('#rules').isVisible());
  // A generator holds nothing back.
  assert.is(await text(page, '#overload h2'), 'Sent and failed');
  assert.is(await text(page, '#stages h2'), 'Response times');
  await page.screenshot({ path: `${SHOTS}mcc.png`, fullPage: true });
  assert.equal(faults, []);
  await page.context().close();
});

pages(
  'the policy changes with the token, what is in force is shown, and a fault is said with its line',
  async (context) => {
    const { page } = await open(context, DESKTOP, 'dark');
    const said = () => text(page, '#policy-said');
    const lines = () => page.inputValue('#policy-lines');
    await until('the policy', async () => (await lines()) === 'policy = strict\nstarvation_bound = 20ms');
    const apply = async (policy: string) => {
      await page.fill('#policy-lines', policy);
      await page.click('#policy-form button[type=submit]');
    };
    await apply('policy = weighted');
    await until('the fault', async () => /weight has nothing for level "high"/.test(await said()));
    await apply('policy = weighted\nweights = high 4; low 1');
    await until('the line', async () => /^line 2: weights/.test(await said()));
    await apply('weights = low 1, high 4\nmax_age = low 5s\npolicy = weighted');
    await until('the change', async () => /this policy from now on/.test(await said()));
    await until(
      'what is in force',
      async () => (await lines()) === 'policy = weighted\nweights = high 4, low 1\nmax_age = low 5000ms',
    );
    await page.screenshot({ path: `${SHOTS}policy.png`, fullPage: true });
    await apply('');
    await until('the own one', async () => (await lines()) === 'policy = strict\nstarvation_bound = 20ms');
    await page.context().close();
  },
);

pages('without the token nothing changes, the page takes one; and it says when the program ends', async (context) => {
  const { page } = await open(context, PHONE, 'dark', false);
  assert.ok(await page.locator('#token').isVisible());
  await page.fill('#rules-lines', 'dst port 81 -> low');
  await page.click('#rules-form button[type=submit]');
  await until('the refusal', async () => /a token is needed/.test(await text(page, '#rules-said')));
  const snapshot = (await (await context.served.get('/api/snapshots')).json()) as { rules: { lines: string[] } }[];
  assert.equal(snapshot.at(-1)?.rules.lines, []);
  await page.fill('#token', context.served.token);
  await page.click('#rules-form button[type=submit]');
  await until('the change', async () => /from now on/.test(await text(page, '#rules-said')));
  await context.served.server.stop();
  await until('the loss', async () => /no answer/.test(await text(page, '#state')));
  await page.context().close();
});

pages.run();
