// Where a benchmark's programs are, and the C peers compiled: this file lies in dist/tools/bench/.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const ROOT = fileURLToPath(new URL('../../../', import.meta.url));

/** Charts of the last run, and compiled peers. */
export const OUTPUT = join(ROOT, 'build/bench');

/** A native end, built with the core. */
export function nativeEnd(command: string, ...args: string[]): string[] {
  return [join(ROOT, 'build/release/native/bench/qstack_bench'), command, ...args];
}

/** A program of this package, by its path below dist/. */
export function nodeProgram(path: string): string[] {
  return [process.execPath, join(ROOT, 'dist', path)];
}

function isOlder(file: string, source: string): boolean {
  return !existsSync(file) || statSync(file).mtimeMs < statSync(source).mtimeMs;
}

/** The C program tools/bench/peers/<name>.c, compiled when it is newer than what is there; flags such as `-lhiredis`. */
export function peerProgram(name: string, ...flags: string[]): string {
  const source = join(ROOT, `tools/bench/peers/${name}.c`);
  const program = join(OUTPUT, name);
  if (!isOlder(program, source)) return program;
  mkdirSync(OUTPUT, { recursive: true });
  const command = ['-O2', '-Wall', '-Wextra', '-o', program, source, ...flags];
  const { status, stderr } = spawnSync('cc', command, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`${source} does not compile: ${stderr}`);
  return program;
}

/** A folder of mode 0700 for sockets, which goes with the work. */
export async function withFolder<T>(work: (folder: string) => Promise<T>): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), 'qstack-bench-'));
  try {
    return await work(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
