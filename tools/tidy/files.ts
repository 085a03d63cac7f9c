// Which native files clang-tidy reads, how each is compiled, and what its verdict depends on.
// In: Meson's list of compile commands, node-gyp's settings for the binding. Out: sources with a fingerprint: the file, every
// header of ours that it includes, however deep, the checks and the version of the tool.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

export const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
/** Configured, never built: how each file is compiled on its own; the builds take several at a time. */
const BUILD = join(ROOT, 'build/tidy-commands');
const CONFIG = join(ROOT, '.clang-tidy');

export interface Source {
  /** From the root, such as `native/tcp/input.cc`. */
  readonly file: string;
  /** What clang-tidy is told behind the file. */
  readonly args: readonly string[];
}

function includesOf(file: string): string[] {
  const text = readFileSync(file, 'utf8');
  return [...text.matchAll(/^#include "((?:native|test)\/[^"]+)"/gm)].map(([, name = '']) => join(ROOT, name));
}

/** The file and every header of ours below it, each once. */
function closureOf(file: string): string[] {
  const seen = new Set([file]);
  for (const known of seen) for (const included of includesOf(known)) if (existsSync(included)) seen.add(included);
  return [...seen].sort();
}

export function fingerprint({ file, args }: Source, version: string): string {
  const hash = createHash('sha256')
    .update(`${version}\0${args.join('\0')}\0`)
    .update(readFileSync(CONFIG));
  for (const path of closureOf(join(ROOT, file))) hash.update(`${relative(ROOT, path)}\0`).update(readFileSync(path));
  return hash.digest('hex');
}

/** Meson's list of compile commands, as its build files are now. */
function compileCommands(): { directory: string; file: string }[] {
  const path = join(BUILD, 'compile_commands.json');
  const again = existsSync(path) ? ['--reconfigure'] : [];
  const options = ['-Dbuildtype=release', '-Dtests=false'];
  const { status, stdout, error } = spawnSync('meson', ['setup', ...again, BUILD, ROOT, ...options], {
    encoding: 'utf8',
  });
  if (error !== undefined) throw new Error(`meson cannot be run (${error.message}): \`npm run build\` installs it`);
  if (status !== 0) throw new Error(`meson setup has failed:\n${stdout}`);
  return JSON.parse(readFileSync(path, 'utf8')) as { directory: string; file: string }[];
}

/** The core, as Meson compiles it. */
function coreSources(): Source[] {
  const commands = compileCommands();
  const files = commands.map(({ directory, file }) => relative(ROOT, resolve(directory, file)));
  // gcc's warnings that clang does not know are no faults of ours.
  const args = ['-p', BUILD, '--extra-arg=-Wno-unknown-warning-option'];
  const native = files.filter((file) => file.startsWith('native/'));
  return [...new Set(native)].map((file) => ({ file, args }));
}

/** The binding, which node-gyp compiles; without Node's headers it is left out. */
function bindingSources(files: readonly string[]): Source[] {
  const node = join(dirname(dirname(process.execPath)), 'include/node');
  if (!existsSync(join(node, 'node_api.h'))) return [];
  const folders = [node, join(ROOT, 'node_modules/node-addon-api')].flatMap((folder) => ['-isystem', folder]);
  const args = ['--', '-std=c++20', '-DNAPI_VERSION=8', '-DNODE_ADDON_API_CPP_EXCEPTIONS', `-I${ROOT}`, ...folders];
  return files.map((file) => ({ file, args }));
}

export function sourcesOf(binding: readonly string[]): Source[] {
  return [...coreSources(), ...bindingSources(binding)].sort((a, b) => (a.file < b.file ? -1 : 1));
}
