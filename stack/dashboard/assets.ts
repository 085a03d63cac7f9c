// Assets: the files of the page, read once. In: nothing. Out: bytes and types by URL path.
// Invariant: a path is a key of this table or it is not there; no part of a URL ever becomes a part of a file's name.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

export interface Asset {
  type: string;
  bytes: Buffer;
}

const HERE = dirname(fileURLToPath(import.meta.url));
/** Text that nobody compiles stands beside the sources, in the package as well. */
const SOURCES = resolve(HERE, '../../../stack/dashboard/page');
const COMPILED = join(HERE, 'page');
const UPLOT = dirname(createRequire(import.meta.url).resolve('uplot'));

const SCRIPT = 'text/javascript; charset=utf-8';
const STYLE = 'text/css; charset=utf-8';

export const SCRIPTS = [
  'main',
  'panels',
  'panel',
  'panel-tables',
  'tiles',
  'words',
  'charts',
  'format',
  'history',
  'tables',
  'rules',
  'lines-form',
  'api',
  'theme',
] as const;

const FILES: Readonly<Record<string, [type: string, path: string]>> = {
  '/': ['text/html; charset=utf-8', join(SOURCES, 'index.html')],
  '/style.css': [STYLE, join(SOURCES, 'style.css')],
  '/icon.svg': ['image/svg+xml', join(SOURCES, 'icon.svg')],
  '/uplot.css': [STYLE, join(UPLOT, 'uPlot.min.css')],
  '/uplot.js': [SCRIPT, join(UPLOT, 'uPlot.iife.min.js')],
  ...Object.fromEntries(SCRIPTS.map((name) => [`/${name}.js`, [SCRIPT, join(COMPILED, `${name}.js`)]])),
};

const read = new Map<string, Asset>();

export function assetOf(path: string): Asset | undefined {
  const known = read.get(path);
  if (known !== undefined || !Object.hasOwn(FILES, path)) return known;
  const [type, file] = FILES[path] as [string, string];
  const asset = { type, bytes: readFileSync(file) };
  read.set(path, asset);
  return asset;
}
