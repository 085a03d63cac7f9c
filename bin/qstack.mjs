#!/usr/bin/env node
// qstack: what runs is dist/tools/qstack/main.js; this file only says so when it was not built.
import { existsSync } from 'node:fs';

const main = new URL('../dist/tools/qstack/main.js', import.meta.url);
if (existsSync(main)) await import(main.href);
else {
  process.stderr.write('qstack: not built yet: run `npm run build`\n');
  process.exitCode = 2;
}
