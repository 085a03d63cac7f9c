// What the style asks for and a program can see: the tree keeps it, and a breach is found.
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { functionLengths, readSources, styleFaults } from '../../tools/house/style.js';

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));

function faultsOf(path: string, text: string): string[] {
  return styleFaults(new Map([[path, text]]));
}

function functionOf(lines: number): string {
  return `// A file.\nexport function long(): void {\n${'  work();\n'.repeat(lines)}}\n`;
}

test('the tree keeps the style', () => {
  const files = readSources(ROOT);
  assert.ok(files.size > 50);
  assert.equal(styleFaults(files), []);
});

test('the linter has nothing to say, and every file is formatted', () => {
  const biome = join(ROOT, 'node_modules/@biomejs/biome/bin/biome');
  const { status, stdout, stderr } = spawnSync(process.execPath, [biome, 'ci', '.'], { cwd: ROOT, encoding: 'utf8' });
  assert.is(status, 0, `${stdout}${stderr}`);
});

test('file names are kebab-case in TypeScript and snake_case in C++, and say something', () => {
  assert.match(faultsOf('stack/fileName.ts', '// A.')[0] ?? '', /kebab-case/);
  assert.match(faultsOf('native/tcp/fast-path.cc', '// A.')[0] ?? '', /snake_case/);
  assert.match(faultsOf('stack/utils.ts', '// A.')[0] ?? '', /says nothing/);
  assert.equal(faultsOf('test/stack/app-thread.test.ts', '// A.'), []);
});

test('a file opens with a comment, behind a shebang if there is one', () => {
  assert.match(faultsOf('stack/a.ts', 'export const a = 1;')[0] ?? '', /does not open with a comment/);
  assert.equal(faultsOf('bin/a.mjs', '#!/usr/bin/env node\n// A program.'), []);
});

test('a function of more than 70 lines is found, in TypeScript and C++', () => {
  assert.equal(faultsOf('stack/a.ts', functionOf(70)), []);
  assert.equal(faultsOf('stack/a.ts', functionOf(71)), ['stack/a.ts:2: a function of 71 lines; at most 70']);
  const native = `// A.\nuint32_t Stack::turn(Nanos now) {\n${'  work();\n'.repeat(71)}}\n`;
  assert.match(faultsOf('native/stack/a.cc', native)[0] ?? '', /a function of 71 lines/);
});

test('methods and functions with arguments on several lines are measured too', () => {
  const text = 'class A {\n  method(\n    a: number,\n  ): void {\n    x();\n  }\n}\n';
  assert.equal(functionLengths(text), [{ line: 4, length: 1 }]);
});

test('notes of unfinished work and paths of one machine are found', () => {
  assert.match(faultsOf('stack/a.ts', `// ${'TO'}${'DO'}: later`)[0] ?? '', /unfinished/);
  assert.match(faultsOf('stack/a.ts', `// A.\nconst a = '${'/ho'}${'me/someone/x'}';`)[0] ?? '', /one machine/);
});

test('volatile in native code is found', () => {
  assert.match(faultsOf('native/ring/a.hh', '// A.\nvolatile int head;\n')[0] ?? '', /std::atomic/);
});

test.run();
