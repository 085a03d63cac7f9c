// `qstack iperf3`: throughput against iperf3, or against itself, over our stack.
// In: iperf3's flags, and those of the stack's configuration. Out: iperf3's lines or its JSON on stdout; exit 1 when the test
// failed, 2 for usage.
import { Command, InvalidArgumentError } from 'commander';
import { parseDurationMs, parseSizeBytes } from '../../stack/config/units.js';
import type { Stack } from '../../stack/control.js';
import { start } from '../../stack/start.js';
import { programFlags, runProgram, settingsOf, untilSignal } from '../launch.js';
import { addressOf, type Iperf3Options, type Iperf3Report } from './program.js';
import { BLOCK_MAX, DEFAULT_BLOCK, DEFAULT_PORT, STREAMS_MAX } from './protocol.js';

const POLL_MS = 50;

const EXAMPLES = `
Examples:
  qstack iperf3 -s --device tap:q0 --host-ip 10.0.0.1/24
  qstack iperf3 -c 10.0.0.2 -P 4 -R -J --device tap:q0 --host-ip 10.0.0.1/24
  qstack iperf3 -c 10.0.0.2 -n 1GiB -l 64KiB --device af_packet:eth1 --host-ip 10.0.0.1/24`;

interface Flags {
  client?: string;
  server?: true;
  oneOff?: true;
  time: number;
  bytes: number;
  length: number;
  parallel: number;
  reverse?: true;
  interval: number;
  omit: number;
  json?: true;
}

function within<T extends number>(read: (text: string) => T | undefined, min: number, max: number, what: string) {
  return (text: string): number => {
    const value = read(text);
    if (value !== undefined && value >= min && value <= max) return value;
    throw new InvalidArgumentError(`${what} is expected`);
  };
}

/** Plain numbers are seconds, as in iperf3. */
const seconds = (text: string) => (/^[\d.]+$/.test(text) ? Number(text) : secondsOf(parseDurationMs(text)));
const secondsOf = (ms: number | undefined) => (ms === undefined ? undefined : ms / 1000);

/** `1M` is 2^20 bytes, as in iperf3. */
const size = (text: string) =>
  parseSizeBytes(/[KMG]$/i.test(text) ? `${text.slice(0, -1)}${text.slice(-1).toUpperCase()}iB` : text);

function flags(): Command {
  const command = new Command('iperf3').description('throughput as iperf3 measures it, over our stack (TCP)');
  return programFlags(command, ['port'], { port: '-p, ' })
    .option('-s, --server', 'runs as the server')
    .option('-c, --client <address>', 'runs as the client of this server')
    .option('-1, --one-off', 'the server ends after one test')
    .option('-t, --time <seconds>', 'how long to send', within(seconds, 0.1, 86_400, '0.1 s to 24 h'), 10)
    .option('-n, --bytes <size>', 'how much to send, instead of how long', within(size, 1, 2 ** 50, 'a size'), 0)
    .option('-l, --length <size>', 'bytes of one write', within(size, 1, BLOCK_MAX, '1 byte to 1 MiB'), DEFAULT_BLOCK)
    .option('-P, --parallel <n>', 'streams', within(Number, 1, STREAMS_MAX, `1 to ${STREAMS_MAX}`), 1)
    .option('-R, --reverse', 'the server sends')
    .option('-i, --interval <seconds>', 'between reports; 0: none', within(seconds, 0, 3_600, '0 to 1 h'), 1)
    .option('-O, --omit <seconds>', 'at the beginning, not counted', within(seconds, 0, 600, '0 to 600 s'), 0)
    .option('-J, --json', 'the JSON of iperf3 on stdout')
    .addHelpText('after', EXAMPLES);
}

function optionsOf(given: Flags, port: number): Iperf3Options {
  const { time, bytes, length, parallel, reverse, interval, omit, json } = given;
  return {
    connect: given.client,
    port,
    parameters: {
      seconds: bytes > 0 ? 0 : time,
      bytes,
      streams: Math.floor(parallel),
      block: length,
      reverse: reverse === true,
      omitSeconds: omit,
    },
    intervalMs: interval * 1000,
    json: json === true,
    once: given.oneOff === true,
  };
}

function usage(sentence: string): never {
  process.stderr.write(`${sentence}\n`);
  process.exit(2);
}

/** Prints what the app thread has to say, until it is done or `stop` resolves. */
async function follow(stack: Stack, stop: Promise<void>): Promise<number> {
  let stopped = false;
  void stop.then(() => {
    stopped = true;
  });
  for (;;) {
    const [counts] = await stack.counts();
    const report = counts?.user.iperf3 as Iperf3Report | undefined;
    for (const line of report?.lines ?? []) process.stdout.write(`${line}\n`);
    if (report?.exitCode !== undefined) return report.exitCode;
    if (stopped) return 0;
    await new Promise((done) => setTimeout(done, POLL_MS));
  }
}

async function run(command: Command): Promise<void> {
  const given = command.opts<Flags>();
  if ((given.client === undefined) === (given.server === undefined))
    usage('one of -s and -c <address> is needed; see --help');
  const settings = settingsOf(command, 1, { port: String(DEFAULT_PORT) });
  if (settings.appThreads !== 1) usage('app_thread: a test needs all its connections in one thread; 1 is accepted');
  const options = optionsOf(given, settings.port);
  const stack = await start(addressOf(options), settings);
  const says =
    given.client === undefined
      ? `Server listening on ${settings.port}`
      : `Connecting to host ${given.client}, port ${settings.port}`;
  (options.json ? process.stderr : process.stdout).write(`${says}\n`);
  const code = await follow(stack, untilSignal());
  await stack.stop();
  if (code !== 0) process.exit(code);
}

export function iperf3Command(): Command {
  const command = flags();
  return command.action(() => runProgram('qstack iperf3', () => run(command)));
}
