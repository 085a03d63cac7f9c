// echo_server: the command. Echo on one port, files of one folder over HTTP on another.
import { statSync } from 'node:fs';
import { resolve } from 'node:path';
import { Command } from 'commander';
import { parseCount } from '../../stack/config/units.js';
import type { Stack } from '../../stack/control.js';
import { start } from '../../stack/start.js';
import { programFlags, runProgram, sayListening, settingsOf, untilSignal } from '../launch.js';

const PERIOD_MS = 1_000;

const EXAMPLES = `
Examples:
  echo_server --host-ip 10.0.0.1/16 --port 7 --http-port 80 --root /srv/www
  echo_server -f echo_server.conf --device tap:q0`;

function command(): Command {
  return programFlags(new Command('echo_server').description('echo, and a static file server'))
    .option('--http-port <n>', 'port of the file server; 0: none', '80')
    .option('--root <folder>', 'the folder whose files are served', '.')
    .option('--stats-json', 'what the stack counts, as one JSON object a second on stdout')
    .addHelpText('after', EXAMPLES);
}

function usageFault(httpPort: number | undefined, echoPort: number, root: string): string | undefined {
  if (httpPort === undefined || httpPort > 65_535) return '--http-port: a port from 0 to 65535 is expected';
  if (httpPort === echoPort) return `--http-port: ${httpPort} is the echo port`;
  const found = statSync(root, { throwIfNoEntry: false });
  return found?.isDirectory() === true ? undefined : `--root: ${root} is no folder`;
}

/** Nothing is summed up or left out: who reads this compares it with what it was before. */
function sayCounters(stack: Stack): NodeJS.Timeout {
  const say = () => process.stdout.write(`${JSON.stringify(stack.counters())}\n`);
  say();
  return setInterval(say, PERIOD_MS);
}

async function main(): Promise<void> {
  const program = command();
  program.parse();
  const settings = settingsOf(program, 1, { port: '7' });
  const options = program.opts<{ httpPort: string; root: string; statsJson?: boolean }>();
  const httpPort = parseCount(options.httpPort);
  const root = resolve(options.root);
  const fault = usageFault(httpPort, settings.port, root);
  if (fault !== undefined) {
    process.stderr.write(`${fault}\n`);
    process.exit(2);
  }
  const module = new URL('./server.js', import.meta.url);
  module.search = String(new URLSearchParams({ echoPort: String(settings.port), httpPort: String(httpPort), root }));
  const stack = await start(module, settings);
  const signal = untilSignal();
  sayListening(stack, `echo on port ${settings.port}, files of ${root} on port ${httpPort}`, options.statsJson);
  const statistics = options.statsJson === true ? sayCounters(stack) : undefined;
  await signal;
  clearInterval(statistics);
  const { connections_opened: opened = 0, messages_in: chunks = 0 } = stack.counters().counters;
  await stack.stop();
  process.stderr.write(`${opened} connections were opened, ${chunks} chunks received\n`);
}

await runProgram('echo_server', main);
