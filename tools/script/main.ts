// `npm run script`: plays packet scripts on the stack, over a virtual clock.
// In: scripts (*.pkt) or folders of them; none: all of test/script. Out: a line per script, and where one parts from the stack;
// exit 1 when one does. The work is done by build/asan/test/script/play; test/script/reader.hh describes the notation.
import { spawnSync } from 'node:child_process';
import { join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Command } from 'commander';
import { readPlayed } from './played.js';

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
const PLAY = join(ROOT, 'build/asan/test/script/play');

interface Options {
  readonly verbose?: true;
  readonly json?: true;
}

const EXAMPLES = `
Examples:
  npm run script                                                       all scripts
  npm run script -- test/script/rfc9293-3.5-opening/passive.pkt --verbose   one, with its conversation
  npm run script --silent -- test/script/rfc8985-rack --json           a folder, as JSON`;

function command(): Command {
  return new Command('script')
    .description('plays packet scripts (the notation of packetdrill) on the stack, over a virtual clock')
    .argument('[places...]', 'scripts (*.pkt) or folders of them')
    .option('--verbose', 'also the conversation of each script')
    .option('--json', 'one object per script on stdout')
    .addHelpText('after', EXAMPLES)
    .exitOverride((error) => process.exit(error.exitCode === 0 ? 0 : 2));
}

function main(argv: readonly string[]): number {
  const parsed = command().parse(argv, { from: 'user' });
  const options = parsed.opts<Options>();
  const places = parsed.args.length > 0 ? parsed.args.map((place) => resolve(place)) : [join(ROOT, 'test/script')];
  const args = places.map((place) => relative(ROOT, place) || '.');
  const { stdout, status, error } = spawnSync(PLAY, [...args, ...(options.verbose ? ['--verbose'] : [])], {
    cwd: ROOT,
    encoding: 'utf8',
    maxBuffer: 2 ** 28,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  if (error) {
    process.stderr.write(`${relative(ROOT, PLAY)} cannot be run (${error.message}): npm run script builds it\n`);
    return 1;
  }
  const played = readPlayed(stdout);
  if (options.json) {
    process.stdout.write(`${JSON.stringify(played)}\n`);
  } else {
    process.stdout.write(stdout);
    process.stderr.write(`${played.filter(({ ok }) => ok).length} of ${played.length} scripts come true\n`);
  }
  return status ?? 1;
}

process.exitCode = main(process.argv.slice(2));
