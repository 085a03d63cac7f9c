// One libFuzzer run: a target, for so many seconds.
// In: a target and a time. Out: how much was executed and reached, and the input that broke it, if one did.
// An input that breaks a promise ends the program with a signal or an exit code; libFuzzer writes the input down before.
import { spawn } from 'node:child_process';
import { mkdirSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { type NativeTarget, placesOf, ROOT } from './targets.js';

export interface FuzzResult {
  readonly target: string;
  readonly executions: number;
  readonly seconds: number;
  /** Edges of the control flow that inputs have passed, of those in the program. */
  readonly edges: number;
  readonly edgesTotal: number;
  readonly inputs: number;
  readonly seed: number;
  readonly finding?: { readonly file: string | undefined; readonly output: string };
}

const LIMITS = ['-rss_limit_mb=1024', '-timeout=20', '-len_control=20', '-entropic=0', '-print_final_stats=1'];
const SANITIZERS = {
  ASAN_OPTIONS: 'detect_stack_use_after_return=1',
  UBSAN_OPTIONS: 'halt_on_error=1:print_stacktrace=1',
};

function numberIn(text: string, pattern: RegExp): number {
  return Number([...text.matchAll(pattern)].at(-1)?.[1] ?? 0);
}

function newest(folder: string, sinceMs: number): string | undefined {
  return readdirSync(folder)
    .map((name) => join(folder, name))
    .find((file) => statSync(file).mtimeMs >= sinceMs);
}

/** What the program said about itself. */
export function readOutput(output: string): Pick<FuzzResult, 'executions' | 'edges' | 'edgesTotal' | 'inputs'> {
  return {
    executions: numberIn(output, /^stat::number_of_executed_units:\s+(\d+)/gm) || numberIn(output, /^#(\d+)\s/gm),
    edges: numberIn(output, /\bcov: (\d+)/g),
    edgesTotal: numberIn(output, /\((\d+) inline 8-bit counters\)/g),
    inputs: numberIn(output, /\bcorp: (\d+)/g),
  };
}

/** Runs a program and gives what it wrote; its output may be long, so only the last of it is kept. */
function run(program: string, args: readonly string[]): Promise<{ output: string; code: number | null }> {
  return new Promise((done, failed) => {
    const child = spawn(program, args, {
      cwd: ROOT,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, ...SANITIZERS },
    });
    let head = '';
    let tail = '';
    const take = (bytes: Buffer) => {
      if (head.length < 4_096) head += bytes.toString('utf8');
      tail = `${tail}${bytes.toString('utf8')}`.slice(-32_768);
    };
    child.stdout.on('data', take);
    child.stderr.on('data', take);
    child.on('error', failed);
    child.on('close', (code) => done({ output: head === tail ? tail : `${head}\n${tail}`, code }));
  });
}

/** `seed` 0: libFuzzer chooses one. */
export async function fuzz(target: NativeTarget, seconds: number, seed: number): Promise<FuzzResult> {
  const { program, committed, found, findings } = placesOf(target.name);
  for (const folder of [committed, found, findings]) mkdirSync(folder, { recursive: true });
  const startedMs = Date.now();
  const { output, code } = await run(program, [
    ...LIMITS,
    `-seed=${seed}`,
    `-max_total_time=${Math.ceil(seconds)}`,
    `-max_len=${target.inputBytesMax}`,
    `-artifact_prefix=${findings}/`,
    found,
    committed,
  ]);
  const result = {
    target: target.name,
    ...readOutput(output),
    seconds: (Date.now() - startedMs) / 1_000,
    seed: numberIn(output, /^INFO: Seed: (\d+)/gm),
  };
  return code === 0 ? result : { ...result, finding: { file: newest(findings, startedMs), output } };
}

/** Adds to the committed inputs the smallest set of found ones that passes every edge. */
export async function merge(target: NativeTarget): Promise<void> {
  const { program, committed, found } = placesOf(target.name);
  mkdirSync(committed, { recursive: true });
  const { output, code } = await run(program, ['-set_cover_merge=1', '-use_counters=0', committed, found]);
  if (code !== 0) throw new Error(`the inputs of ${target.name} cannot be merged:\n${output}`);
}
