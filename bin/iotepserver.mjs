#!/usr/bin/env node
// iotepserver: what runs is dist/apps/iotepserver/main.js; this file only says so when it was not built.
import { existsSync } from 'node:fs';

const main = new URL('../dist/apps/iotepserver/main.js', import.meta.url);
if (existsSync(main)) await import(main.href);
else {
  process.stderr.write('iotepserver: not built yet: run `npm run build`\n');
  process.exitCode = 2;
}
