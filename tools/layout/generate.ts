// Writes native/abi/layout.hh and stack/abi.ts from the layout description. Run it compiled: `node dist/tools/layout/generate.js`.
// In: nothing. Out: the two files, written only when their content changes; one line on stdout for each.
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { layout } from './layout.js';
import { renderCxx, renderTypeScript } from './render.js';

const root = resolve(dirname(fileURLToPath(import.meta.url)), '../../..');

function write(path: string, text: string): void {
  const file = join(root, path);
  if (existsSync(file) && readFileSync(file, 'utf8') === text) {
    console.log(`${path} is up to date`);
    return;
  }
  writeFileSync(file, text);
  console.log(`${path} written`);
}

write('native/abi/layout.hh', renderCxx(layout));
write('stack/abi.ts', renderTypeScript(layout));
