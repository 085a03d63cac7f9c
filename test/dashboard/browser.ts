// The page in a real browser, for tests. In: where a program serves it. Out: an open page, what its console said, and its texts.
import { fileURLToPath } from 'node:url';
import { type Browser, chromium, type Locator, type Page } from 'playwright-core';

/** For people to look at. */
export const SHOTS = fileURLToPath(new URL('../../../build/screenshots/', import.meta.url));
export const DESKTOP = { width: 1_280, height: 900 };
export const PHONE = { width: 390, height: 844 };

export function launch(): Promise<Browser> {
  // Only as root: the browser refuses its own sandbox there.
  const args = process.getuid?.() === 0 ? ['--no-sandbox'] : [];
  return chromium.launch({ executablePath: '/usr/bin/chromium', args });
}

export interface Opened {
  page: Page;
  /** What the console said, and requests that went elsewhere. */
  faults: string[];
}

export interface Look {
  origin: string;
  /** '': the page is opened without one. */
  token: string;
  size: typeof DESKTOP;
  scheme: 'dark' | 'light';
}

/** Until the table of times has a line. */
export async function openPage(browser: Browser, { origin, token, size, scheme }: Look): Promise<Opened> {
  const context = await browser.newContext({ viewport: size, colorScheme: scheme, hasTouch: size === PHONE });
  const page = await context.newPage();
  const faults: string[] = [];
  page.on('console', (message) => {
    if (['error', 'warning'].includes(message.type())) faults.push(message.text());
  });
  page.on('pageerror', (error) => faults.push(String(error)));
  page.on('request', (request) => {
    if (!request.url().startsWith(origin)) faults.push(`asks for ${request.url()}`);
  });
  await page.goto(`${origin}/${token === '' ? '' : `#token=${token}`}`);
  await page.waitForSelector('#stages tbody tr');
  return { page, faults };
}

/** Pixels by which the page is wider than its window; 0 or less where nothing sticks out. */
export function sticksOut(page: Page): Promise<number> {
  return page.evaluate<number>('document.documentElement.scrollWidth - document.documentElement.clientWidth');
}

export const textOf = async (place: Locator) => (await place.textContent()) ?? '';
export const text = (page: Page, selector: string) => textOf(page.locator(selector));

/** What stands on the tile with this name. */
export function tile(page: Page, name: string): Promise<string> {
  const named = page.locator('dt', { hasText: new RegExp(`^${name}$`) });
  return textOf(page.locator('.tile', { has: named }).locator('dd'));
}

export async function until(what: string, holds: () => Promise<boolean>): Promise<void> {
  const endMs = performance.now() + 60_000;
  while (!(await holds())) {
    if (performance.now() > endMs) throw new Error(`it never came: ${what}`);
    await new Promise((done) => setTimeout(done, 100));
  }
}
