// The native program of the simulation: started, read line by line, and judged.
// In: a seed, how long, limits. Out: what it did, and the promise that was broken, if one was. An assertion or a
// sanitizer ends the program without its own word: then the seed is the last that it announced, the sentence what it
// wrote on stderr.
import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { flagsOf, type Limits } from './limits.js';

export const ROOT = fileURLToPath(new URL('../../../', import.meta.url));

export function programOf(variant: string): string {
  return join(ROOT, 'build', variant, 'native/sim/qstack_sim');
}

export interface Work {
  readonly seed: number;
  readonly seconds?: number | undefined;
  readonly virtualHours?: number | undefined;
  readonly plans?: number | undefined;
  readonly limits: Limits;
  readonly trace?: boolean | undefined;
}

export interface Finding {
  readonly seed: number;
  /** What should hold and does not. */
  readonly sentence: string;
  readonly detail: string;
  /** What the plan held; unknown where the program was ended by a signal. */
  readonly plan?: Plan | undefined;
}

export interface Plan {
  readonly hosts: number;
  readonly bytes: number;
  readonly transfers: readonly number[];
  readonly faults: readonly number[];
}

export interface Result {
  readonly plans: number;
  readonly segments: number;
  readonly virtualSeconds: number;
  readonly cpuSeconds: number;
  /** Of every segment and its time: equal digests, equal runs. */
  readonly digest: string;
  readonly finding?: Finding | undefined;
}

export interface Progress {
  readonly seed: number;
  readonly plans: number;
  readonly segments: number;
}

const SANITIZERS = {
  ASAN_OPTIONS: 'detect_stack_use_after_return=1',
  UBSAN_OPTIONS: 'halt_on_error=1:print_stacktrace=1',
};

function argumentsOf({ seed, seconds, virtualHours, plans, limits, trace }: Work): string[] {
  const args = ['--seed', String(seed), ...flagsOf(limits)];
  if (plans !== undefined) args.push('--plans', String(plans));
  if (seconds !== undefined) args.push('--seconds', String(seconds));
  if (virtualHours !== undefined) args.push('--virtual-hours', String(virtualHours));
  if (trace) args.push('--trace');
  return args;
}

/** The line that says why a process ended itself: an assertion, or the head of a sanitizer's report. */
export function causeIn(stderr: string): string {
  const lines = stderr.split('\n').filter((line) => line.trim() !== '');
  const cause = lines.find((line) => /Assertion .* failed|ERROR: \w+Sanitizer|runtime error:/.test(line));
  return (cause ?? lines.at(-1) ?? 'the program ended without a word')
    .replace(/^==\d+==/, '')
    .replace(/0x[0-9a-f]{6,}/g, '…');
}

type Line = Record<string, never> & {
  seed: number;
  plans: number;
  segments: number;
  broken?: string;
  detail?: string;
  end?: boolean;
  virtual_seconds: number;
  cpu_seconds: number;
  digest: string;
} & Plan;

function endOf(child: ChildProcess): Promise<number | null> {
  return new Promise((done, failed) => {
    child.on('error', failed);
    child.on('close', done);
  });
}

/** Runs the program to its end, or for `limitMs`. Throws where it could not be started or was not understood. */
export async function simulate(
  variant: string,
  work: Work,
  onProgress: (progress: Progress) => void = () => {},
  limitMs?: number,
): Promise<Result> {
  const child = spawn(programOf(variant), argumentsOf(work), {
    cwd: ROOT,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ...SANITIZERS },
    ...(limitMs === undefined ? {} : { timeout: limitMs, killSignal: 'SIGKILL' as const }),
  });
  let stderr = '';
  child.stderr.on('data', (bytes: Buffer) => {
    if (work.trace) process.stderr.write(bytes);
    else stderr = `${stderr}${bytes.toString('utf8')}`.slice(0, 65_536);
  });
  let last: Progress = { seed: work.seed, plans: 0, segments: 0 };
  let broken: Line | undefined;
  let end: Line | undefined;
  createInterface({ input: child.stdout }).on('line', (text) => {
    const line = JSON.parse(text) as Line;
    if (line.end) end = line;
    else if (line.broken !== undefined) broken = line;
    else {
      last = line;
      onProgress(line);
    }
  });
  const code = await endOf(child);
  if (code === 2) throw new Error(stderr.trim());
  if (end === undefined) {
    const sentence = child.signalCode === 'SIGKILL' ? 'a plan ends' : causeIn(stderr);
    const finding = { seed: last.seed, sentence, detail: stderr.slice(0, 4_000) };
    return { ...last, virtualSeconds: 0, cpuSeconds: 0, digest: '', finding };
  }
  const finding = broken && {
    seed: broken.seed,
    sentence: broken.broken as string,
    detail: broken.detail as string,
    plan: broken as Plan,
  };
  return {
    plans: end.plans,
    segments: end.segments,
    virtualSeconds: end.virtual_seconds,
    cpuSeconds: end.cpu_seconds,
    digest: end.digest,
    finding,
  };
}
