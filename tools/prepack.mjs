// Before `npm pack`: the addon goes to dist/native/, because Meson's own .gitignore keeps its build folders out of packages.
// stack/native.ts looks there when there is no build folder, which is so in an installed package.
import { copyFileSync, mkdirSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = resolve(dirname(fileURLToPath(import.meta.url)), '..');
const target = join(ROOT, 'dist/native/qstack.node');

mkdirSync(dirname(target), { recursive: true });
copyFileSync(join(ROOT, 'build/release/node/qstack.node'), target);
