// `npm run tidy`: clang-tidy over native/, two files at a time. .clang-tidy has the checks, and why some are left out.
// In: names that choose files, or a part of them. Out: what it finds, on stdout; exit 1 when there is something. A file whose
// bytes, headers and checks are those of its last clean run is not read again (build/tidy).
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { Command, InvalidArgumentError } from 'commander';
import { inParallel } from '../fuzz/lanes.js';
import { fingerprint, ROOT, type Source, sourcesOf } from './files.js';

interface Part {
  readonly number: number;
  readonly of: number;
}

interface Options {
  readonly part?: Part;
  readonly jobs: number;
  readonly again?: true;
  readonly list?: true;
  readonly json?: true;
}

interface Verdict {
  readonly file: string;
  readonly state: 'clean' | 'known clean' | 'findings';
  readonly seconds: number;
  readonly output: string;
}

const CLEAN = join(ROOT, 'build/tidy');

function parsePart(text: string): Part {
  const [number = 0, of = 0] = text.split('/').map(Number);
  if (Number.isInteger(number) && Number.isInteger(of) && number >= 1 && number <= of) return { number, of };
  throw new InvalidArgumentError('such as 2/5: the second of five parts');
}

function positive(text: string): number {
  const value = Number(text);
  if (Number.isInteger(value) && value > 0) return value;
  throw new InvalidArgumentError('a whole number above 0 is expected');
}

function command(): Command {
  return new Command('tidy')
    .description('clang-tidy over the native files')
    .argument('[names...]', 'only files whose path contains one of these')
    .option('--part <k/n>', 'the k-th of n parts of the files', parsePart)
    .option('--jobs <n>', 'files at a time', positive, availableParallelism())
    .option('--again', 'also files that are known to be clean')
    .option('--list', 'only say which files')
    .option('--json', 'verdicts, or with --list names, as JSON on stdout')
    .addHelpText('after', '\nExamples:\n  npm run tidy\n  npm run tidy -- tcp/ wire/\n  npm run tidy -- --part 1/10')
    .exitOverride((error) => process.exit(error.exitCode === 0 ? 0 : 2));
}

function version(): string {
  const { stdout, error } = spawnSync('clang-tidy', ['--version'], { encoding: 'utf8' });
  if (error === undefined) return stdout;
  process.stderr.write(
    'clang-tidy is not installed: `apt-get install clang-tidy` as root, or `npm test` once as root\n',
  );
  process.exit(2);
}

function read({ file, args }: Source): Promise<{ code: number | null; output: string }> {
  const child = spawn('clang-tidy', ['--quiet', '--warnings-as-errors=*', file, ...args], { cwd: ROOT });
  let output = '';
  child.stdout.on('data', (bytes) => (output += bytes));
  child.stderr.on('data', (bytes) => (output += bytes));
  return new Promise((done) => child.on('close', (code) => done({ code, output })));
}

async function judge(source: Source, tool: string, again: boolean): Promise<Verdict> {
  const stamp = join(CLEAN, source.file.replaceAll('/', '_'));
  const mark = fingerprint(source, tool);
  const known = !again && existsSync(stamp) && readFileSync(stamp, 'utf8') === mark;
  if (known) return { file: source.file, state: 'known clean', seconds: 0, output: '' };
  const started = performance.now();
  const { code, output } = await read(source);
  const seconds = Math.round(performance.now() - started) / 1_000;
  if (code !== 0) return { file: source.file, state: 'findings', seconds, output };
  writeFileSync(stamp, mark);
  return { file: source.file, state: 'clean', seconds, output: '' };
}

function chosen(names: readonly string[], part: Part | undefined): Source[] {
  const binding = readdirSync(join(ROOT, 'native/node')).filter((name) => name.endsWith('.cc'));
  const all = sourcesOf(binding.map((name) => `native/node/${name}`));
  const named = all.filter(({ file }) => names.length === 0 || names.some((name) => file.includes(name)));
  return part === undefined ? named : named.filter((_, index) => index % part.of === part.number - 1);
}

async function main(argv: readonly string[]): Promise<void> {
  const parsed = command().parse(argv, { from: 'user' });
  const options = parsed.opts<Options>();
  const sources = chosen(parsed.args, options.part);
  if (sources.length === 0) {
    process.stderr.write('no native file has such a name\n');
    process.exitCode = 2;
    return;
  }
  if (options.list) {
    const names = sources.map(({ file }) => file);
    process.stdout.write(options.json ? `${JSON.stringify(names)}\n` : `${names.join('\n')}\n`);
    return;
  }
  mkdirSync(CLEAN, { recursive: true });
  const tool = version();
  const verdicts = await inParallel(sources, options.jobs, async (source) => {
    const verdict = await judge(source, tool, options.again === true);
    if (verdict.state === 'findings' && !options.json) process.stdout.write(`${verdict.output}\n`);
    return verdict;
  });
  if (options.json) process.stdout.write(`${JSON.stringify(verdicts)}\n`);
  const count = (state: Verdict['state']) => verdicts.filter((verdict) => verdict.state === state).length;
  process.stderr.write(
    `${verdicts.length} files: ${count('clean')} clean, ${count('known clean')} known to be, ${count('findings')} with findings\n`,
  );
  if (count('findings') > 0) process.exitCode = 1;
}

await main(process.argv.slice(2));
