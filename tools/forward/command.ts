// `qstack forward`: sockets of the kernel joined to a server on our stack, so that curl, a browser or redis-benchmark reach it
// without root. In: pairs of addresses, and a device, by default the memif socket where servers listen. Out: notes on stderr,
// a summary after ^C; exit 1 when it could not start, 2 for usage. It is also our example of active opens: see forwarder.ts.
import { createConnection } from 'node:net';
import { Command } from 'commander';
import { runProgram, untilSignal } from '../../apps/launch.js';
import { formatDevice } from '../../stack/config/device.js';
import type { Entry } from '../../stack/config/fault.js';
import { addConfigFlags, flagEntries } from '../../stack/config/flags.js';
import { settingsOrExit } from '../../stack/config/load.js';
import type { StackSettings } from '../../stack/config/settings.js';
import { parseDurationMs } from '../../stack/config/units.js';
import { inline } from '../../stack/inline.js';
import { Log } from '../../stack/log.js';
import { serve } from '../../stack/serve.js';
import { Forwarder } from './forwarder.js';
import { Link } from './link.js';
import { defaultSource, formatPair, hostIpOf, isLoopback, type Pair, parsePairs } from './pairs.js';
import { summaryJson, summaryText } from './summary.js';

/** The link comes up by itself a moment after the server's start; before that nothing is worth a word. */
const NOTE_AFTER_MS = 1_000;
const STOP_MS = 500;

const EXAMPLES = `
Examples:
  qstack forward 8080 10.0.0.1:80                       then: curl http://127.0.0.1:8080/
  qstack forward 8080 10.0.0.1:80 7777 10.0.0.1:7       two ports of one server
  qstack forward 8080 10.0.0.1:80 --socket /run/user/1000/qstack/memif/qstack.sock
  qstack forward 127.0.0.1:8080 10.0.0.1:80 --device tap:q1 --source 10.0.0.9/24
A memif socket has one peer: while this runs, no mcc and no other forward reaches the server, and the other way round.`;

interface Flags {
  socket?: string;
  source?: string;
  connectTimeout: string;
  json?: true;
}

function usage(sentence: string): never {
  process.stderr.write(`${sentence}\n`);
  process.exit(2);
}

function entriesOf({ socket, source }: Flags): Entry[] {
  const device = socket === undefined ? [] : [{ key: 'device', text: `memif:${socket}?client`, where: '--socket' }];
  const address = source === undefined ? [] : [{ key: 'host_ip', text: hostIpOf(source), where: '--source' }];
  return [...device, ...address];
}

function settingsOf(command: Command, pairs: readonly Pair[]): StackSettings {
  const file = command.getOptionValue('config') as string | undefined;
  const source = defaultSource(pairs);
  const settings = settingsOrExit({
    defaults: { max_concurrency: 4_096, ...(source === undefined ? {} : { host_ip: hostIpOf(source) }) },
    ...(file === undefined ? {} : { file }),
    flags: [...flagEntries(command), ...entriesOf(command.opts<Flags>())],
  });
  if (settings.device.kind === 'memif') settings.device = { ...settings.device, role: 'client' };
  return settings;
}

function connectTimeoutMs({ connectTimeout }: Flags): number {
  const ms = parseDurationMs(connectTimeout, 1_000);
  if (ms !== undefined && ms >= 100 && ms <= 3_600_000) return ms;
  return usage(`--connect-timeout: "${connectTimeout}" is not accepted; a time from 100 ms to 1 h, such as 10s`);
}

/** Whether a server listens there, whoever has its link: its socket is of another type than ours, so nothing reaches it. */
function isListening(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createConnection(path).once('error', ({ code }: NodeJS.ErrnoException) =>
      resolve(code === 'EPROTOTYPE'),
    );
    socket.once('connect', () => socket.destroy());
  });
}

async function whyDown({ device }: StackSettings): Promise<string> {
  if (device.kind !== 'memif') return `${formatDevice(device)} has no link; connections wait for it`;
  return (await isListening(device.path))
    ? `the server at ${device.path} has another peer, and a memif socket has one: stop that mcc or forward; connections wait`
    : `no server listens at ${device.path} (--socket); connections wait for it`;
}

async function forward(words: readonly string[], command: Command): Promise<void> {
  const flags = command.opts<Flags>();
  const pairs = parsePairs(words);
  if (typeof pairs === 'string') usage(pairs);
  const timeoutMs = connectTimeoutMs(flags);
  const settings = settingsOf(command, pairs);
  const log = new Log({ level: settings.logLevel, human: true });
  const stack = await inline(serve({ levels: ['normal'], setup() {} }), settings, { log });
  let note: NodeJS.Timeout | undefined;
  const sayDown = async () => {
    const sentence = await whyDown(settings);
    if (link.isDown) log.warn('FORWARD_LINK_DOWN', sentence);
  };
  const changed = (up: boolean) => {
    clearTimeout(note);
    if (up) return log.info('FORWARD_LINK_UP', `${formatDevice(settings.device)} is up`);
    note = setTimeout(() => void sayDown(), NOTE_AFTER_MS);
    forwarder.resetAll();
  };
  const link = new Link(() => stack.counters().linkUp, changed);
  const options = { pairs, connectionsMax: settings.connectionsMax, connectTimeoutMs: timeoutMs, link, log };
  const forwarder = new Forwarder(stack.app, options);
  const stopped = untilSignal();
  await forwarder.listen();
  for (const pair of pairs) {
    const open = isLoopback(pair.listen) ? '' : ' (open to everyone who reaches this address)';
    process.stderr.write(`forwarding ${formatPair(pair)}${open}\n`);
  }
  // Whoever reads that the link is up connects at once.
  link.watch();
  if (link.isDown) note = setTimeout(() => void sayDown(), NOTE_AFTER_MS);
  await stopped;
  clearTimeout(note);
  link.close();
  const counts = structuredClone(forwarder.counts);
  forwarder.stop();
  await stack.stop(STOP_MS);
  if (flags.json === true) process.stdout.write(`${JSON.stringify(summaryJson(counts))}\n`);
  else process.stderr.write(`${summaryText(counts)}\n`);
}

export function forwardCommand(): Command {
  const command = new Command('forward')
    .description('joins sockets of the kernel to a server on our stack, for curl, browsers and redis-benchmark')
    .argument('<addresses...>', 'pairs: where to listen, and the server that it leads to')
    .option('--socket <path>', "memif socket of the server's stack")
    .option('--source <address>', 'own address on the link (the 257th of the first server’s /16)')
    .option('--connect-timeout <time>', 'how long a connection waits for the server', '10s')
    .option('--json', 'the summary as one JSON object on stdout');
  return addConfigFlags(command, ['device', 'gateway', 'log_level'], { max_concurrency: '--connections, ' })
    .addHelpText('after', EXAMPLES)
    .action((words: string[]) => runProgram('qstack forward', () => forward(words, command)));
}
