// Where a benchmark's programs are, and the C peers compiled: this file lies in dist/tools/bench/.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const ROOT = fileURLToPath(new URL('../../../', import.meta.url));

/** Native ends, built with the core. */
export const NATIVE_END = join(ROOT, 'build/release/native/bench/qstack_bench');

/** Charts of the last run, and compiled peers. */
export const OUTPUT = join(ROOT, 'build/bench');

/** A program of this package, by its path below dist/. */
export function nodeProgram(path: string): string[] {
  return [process.execPath, join(ROOT, 'dist', path)];
}

function isOlder(file: string, source: string): boolean {
  return !existsSync(file) || statSync(file).mtimeMs < statSync(source).mtimeMs;
}

/** The C program tools/bench/peers/<name>.c, compiled when it is newer than what is there. */
export function peerProgram(name: string): string {
  const source = join(ROOT, `tools/bench/peers/${name}.c`);
  const program = join(OUTPUT, name);
  if (!isOlder(program, source)) return program;
  mkdirSync(OUTPUT, { recursive: true });
  const { status, stderr } = spawnSync('cc', ['-O2', '-Wall', '-Wextra', '-o', program, source], { encoding: 'utf8' });
  if (status !== 0) throw new Error(`${source} does not compile: ${stderr}`);
  return program;
}
