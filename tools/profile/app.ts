// Where a program of Node spends its time, in JavaScript: of each thread by V8's own profiler, or of the main thread by clinic flame.
// In: a script, or nothing for iotepserver under load. Out: .cpuprofile files, one for each thread, which every Chromium opens, and
// the largest functions of each; or clinic's flame graph as an HTML file.
// clinic is no longer maintained. With Node 20 `clinic flame` still works, but it sees the main thread alone, and app threads
// are worker threads: iotepserver is then run with `arrangement = inline`, its handlers and the stack's turns in the main thread.
import { spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join, relative } from 'node:path';
import { ROOT } from '../bench/places.js';
import { Child } from '../start/child.js';
import type { Server } from '../start/server.js';
import { addCost, type Profile } from './largest.js';
import { type Load, type Say, underLoad, untilStopped } from './load.js';

/** 694 packages: fetched when it is asked for, never a dependency. */
const CLINIC = 'clinic@13.0.0';

/** V8's format, as far as it is read. */
interface CpuProfile {
  nodes: { id: number; callFrame: { functionName: string; url: string; lineNumber: number } }[];
  /** Which node was running, and how many µs after the sample before. */
  samples: number[];
  timeDeltas: number[];
}

/** Milliseconds by function, native code that it calls included; time in which the thread waited is left out. */
export function readCpuProfile(name: string, text: string): Profile {
  const { nodes, samples, timeDeltas } = JSON.parse(text) as CpuProfile;
  const names = new Map(
    nodes.map(({ id, callFrame: { functionName, url, lineNumber } }) => {
      const place = url === '' ? '' : `  ${url.replace(`file://${ROOT}`, '')}:${lineNumber + 1}`;
      return [id, `${functionName || '(anonymous)'}${place}`];
    }),
  );
  const costs = new Map<string, number>();
  samples.forEach((id, index) => {
    const what = names.get(id) ?? '(unknown)';
    if (what !== '(idle)') addCost(costs, what, (timeDeltas[index] ?? 0) / 1_000);
  });
  return { name, costs };
}

/** CPU.<date>.<time>.<pid>.<thread>.<number>.cpuprofile: thread 0 is the main one. */
function readCpuProfiles(folder: string): Profile[] {
  const files = readdirSync(folder).filter((name) => name.endsWith('.cpuprofile'));
  return files.sort().map((file) => {
    const thread = Number(file.split('.')[4]);
    const path = join(folder, file);
    const name = `${thread === 0 ? 'main thread' : `worker thread ${thread}`} (${relative(process.cwd(), path)})`;
    return readCpuProfile(name, readFileSync(path, 'utf8'));
  });
}

/** clinic's program, fetched by npm unless it has been before. */
function clinicProgram(say: Say): string {
  say(`looking for ${CLINIC}, which npm fetches when it is not there yet (150 MB) …`);
  const args = ['exec', '--yes', `--package=${CLINIC}`, '-c', 'command -v clinic'];
  const { status, stdout, stderr } = spawnSync('npm', args, {
    cwd: ROOT,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const program = stdout.trim().split('\n').at(-1) ?? '';
  if (status !== 0 || program === '') throw new Error(`npm could not fetch ${CLINIC}: ${stderr.trim()}`);
  return program;
}

function clinicCommand(folder: string, say: Say): string[] {
  // It would ask for leave to tell about itself, and waits for the answer.
  const run = ['env', 'NO_INSIGHT=1', process.execPath, clinicProgram(say)];
  return [...run, 'flame', '--open=false', '--dest', folder, '--', process.execPath];
}

/** clinic's only child is the program, which ends in order; clinic then draws its graph, however long that takes. */
function interruptBelow(child: Child): void {
  try {
    const pids = readFileSync(`/proc/${child.pid}/task/${child.pid}/children`, 'utf8').trim().split(' ').map(Number);
    for (const pid of pids) if (pid > 0) process.kill(pid, 'SIGINT');
  } catch {
    // It has just ended by itself.
  }
}

async function endUnderClinic({ child }: Server): Promise<void> {
  interruptBelow(child);
  if ((await child.ended) !== 0) throw new Error(child.failure());
}

export interface AppOptions extends Load {
  readonly clinic?: boolean;
  readonly out: string;
  /** A program in place of iotepserver under load, with its arguments. */
  readonly script: readonly string[];
}

/** A program of the user's, until it ends; it is asked to after the duration, or by a ^C. */
async function runScript(node: readonly string[], { script, durationMs, clinic }: AppOptions, say: Say): Promise<void> {
  const child = new Child({
    name: script[0] ?? '',
    command: [...node, ...script],
    onLine: (line) => process.stderr.write(`${line}\n`),
  });
  const interrupt = () => (clinic ? interruptBelow(child) : child.signal('SIGINT'));
  const over = durationMs > 0 ? setTimeout(interrupt, durationMs) : undefined;
  const code = await untilStopped(
    say,
    (signal) => (signal === 'SIGINT' ? interrupt() : child.signal(signal)),
    () => child.ended,
  );
  clearTimeout(over);
  if (code !== 0) say(`${script[0]} ended with exit code ${code}`);
}

/** Profiles by thread, or clinic's HTML file. */
export async function profileApp(options: AppOptions, say: Say): Promise<Profile[] | string> {
  const { clinic = false, out, script } = options;
  mkdirSync(out, { recursive: true });
  for (const name of readdirSync(out))
    if (/\.cpuprofile$|\.clinic-flame/.test(name)) rmSync(join(out, name), { recursive: true });
  const node = clinic ? clinicCommand(out, say) : [process.execPath, '--cpu-prof', `--cpu-prof-dir=${out}`];
  if (script.length > 0) await runScript(node, options, say);
  else if (clinic) await underLoad(options, { node, lines: ['arrangement = inline'], end: endUnderClinic }, say);
  else await underLoad(options, { node, end: (server) => server.stop() }, say);
  if (!clinic) return someOf(readCpuProfiles(out));
  const html = readdirSync(out).find((name) => name.endsWith('.html'));
  if (html === undefined) throw new Error('clinic has written no HTML file');
  return join(out, html);
}

function someOf(profiles: Profile[]): Profile[] {
  if (profiles.length > 0) return profiles;
  throw new Error('Node has written no profile: the program has to end by itself or at SIGINT, not by a signal');
}
