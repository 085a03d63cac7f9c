#!/usr/bin/env node
// monitor: what runs is dist/tools/monitor/main.js; this file only says so when it was not built.
import { existsSync } from 'node:fs';

const main = new URL('../dist/tools/monitor/main.js', import.meta.url);
if (existsSync(main)) await import(main.href);
else {
  process.stderr.write('monitor: not built yet: run `npm run build`\n');
  process.exitCode = 2;
}
