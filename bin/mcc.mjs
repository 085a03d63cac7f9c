#!/usr/bin/env node
// mcc: what runs is dist/tools/mcc/main.js; this file only says so when it was not built.
import { existsSync } from 'node:fs';

const main = new URL('../dist/tools/mcc/main.js', import.meta.url);
if (existsSync(main)) await import(main.href);
else {
  process.stderr.write('mcc: not built yet: run `npm run build`\n');
  process.exitCode = 2;
}
