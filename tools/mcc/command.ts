// mcc's command line: every flag with its default, and the examples of --help. What a value means is read by options.ts.
// QStack's own flags keep their letters and meaning; the long-only ones are ours.
import { Command, Option } from 'commander';
import { addDashboardFlags, DASHBOARD_MCC } from '../dashboard/flags.js';

const EXAMPLES = `
Examples:
  mcc -c 100000 -b 20000 -e 5 -s 5 -w 1 -l 200 -r 0.05 -d 10s      waves: 20,000 messages a second, in one go
  mcc -c 100000 --rate 50k/s -r 0.05 -d 30s --json                 the same connections, a constant rate
  mcc -c 100000 --answer all --phases 'wave:20000/1s/10s,capacity:3s,paced:150%/5s'
  mcc --flood syn --rate 1M/s -d 30s                               a SYN flood, and one connection that watches the server
  mcc -c 10368000 --ips 230 --plan                                 memory for ten million connections
  mcc -c 5000 --rate 20k/s -d 30s --network-stack kernel --dest 127.0.0.1 --reply echo      a server on the kernel's TCP
  mcc --mode http -c 100 -d 30s --path /index.html                 closed loops: http, echo -l 64, wan -n 10 --lambda 500/s
  mcc -c 10000 --arrival poisson --rate 10k..500k/30s --steps 20 --answer all     latency against load
  mcc -c 1000 --levels alarm=1%,normal=19%,bulk -p 2 --rate 50k/s -d 30s --fail-if 'p99(alarm)>2ms' --fail-if 'lost>0'
  mcc -c 1000 --message 'hex:{counter}0005{level}ffff' --reply echo --reconnect-after 10 --rate 5k/s -d 10s
  mcc --cluster redis://10.0.0.5 --workers 3 -c 300000 --rate 1M/s -d 30s    one test from three machines; there: --worker
Latency counts from the intended send time. ^C ends the run and prints the summary, a second ^C quits. All flags: --help-all`;

const collect = (text: string, before: readonly string[] = []) => [...before, text];

/** Connections, and when messages are sent. */
function loadFlags(command: Command): Command {
  return command
    .option('--mode <name>', 'open (by a schedule) | echo | http | wan (closed loops)', 'open')
    .option('-c, --conn <n>', 'connections', '1')
    .option('-b, --burst <n>', 'messages per wave', '1')
    .option('-e, --epoch <time>', 'time in which each connection sends once (seconds)', '1')
    .option('-s, --setup-time <time>', 'connections open in equal batches, one a second (seconds)', '1')
    .option('--connect-limit <time>', 'how long after the set-up time connections may still be opening (seconds)', '60')
    .option('-w, --wait-time <time>', 'pause between the last open and the first message (seconds)', '1')
    .option(
      '-d, --duration <time>',
      'length of the run, or of each step (seconds; default: 1000000, of a replay one round)',
    )
    .option('-l, --length <bytes>', 'message length (default: 16)')
    .option('-p, --priority-level <n>', '1: fixed per connection, 2: drawn per message', '1')
    .option('-r, --request-ratio <share>', 'share of requests, the high level (default: 1)')
    .option('--levels <list>', 'up to 8 levels with their shares, highest first, instead of -r: high=0.05,low=0.95')
    .option('-t, --think-time <ns>', "the generator's own work per reply", '0')
    .option('--arrival <kind>', 'wave | paced | poisson | replay (default: what the flags below ask for)')
    .option('--rate <rate>', 'over all connections, instead of waves; 10k..500k/30s: steps of 30 s each')
    .option('--steps <n>', 'of --rate FROM..TO (default: 10)')
    .option('--traffic-model <file>', 'replay: gaps in nanoseconds, or a capture whose client is played')
    .option('--flood <kind>', 'syn: SYNs from random addresses of the network, from before the first connection on')
    .option('--flood-rate <rate>', 'of the flood, beside messages; without it --rate is the rate of the flood')
    .option('--phases <list>', 'several runs on the same connections')
    .option('--capacity <rate>', 'known from an earlier run; what is measured counts where it is more');
}

/** Beside --mode. */
function closedLoopFlags(command: Command): Command {
  return command
    .option('-n, --messages <n>', 'closed loop: requests of a connection, which ends then (0: without end; wan: 10)')
    .option('--flows <n>', 'closed loop: connections in all, then the run ends')
    .option('--lambda <rate>', 'closed loop: connections a second, Poisson, at most -c at a time')
    .option('--random-length', 'closed loop: lengths up to -l, at random')
    .option('--path <path>', 'http: what is asked for (/)')
    .option('--host <name>', 'http: Host header (--dest)');
}

/** What is sent and awaited. */
function messageFlags(command: Command): Command {
  return command
    .option('--answer <what>', 'what the server answers: requests | all', 'requests')
    .option(
      '--message <what>',
      'iot | http[:PATH] | hex:BYTES | file:PATH, with {counter} and {level} in it (default: iot)',
    )
    .option(
      '--reply <form>',
      'auto (iot, or http with X-Counter) | http | echo | fixed:N | lengthPrefix:… (default: as the message)',
    )
    .option('--reconnect-after <n>', 'a connection is closed and opened anew when so many messages are answered')
    .option(
      '--fail-if <condition>',
      "exit 99 when 'p99(high)>2ms', 'lost>0.1%', 'rate<50k/s' …; may be repeated",
      collect,
    );
}

/** Where it is sent, and by what. */
function networkFlags(command: Command): Command {
  return command
    .option('--dest <address>', "server's address", '10.0.0.1')
    .option('--port <n>', "server's port", '80')
    .option('--ips <n>', 'local addresses (as many as the connections need)')
    .option('--source <address>', 'first local address')
    .option('--prefix <bits>', 'prefix length of the network', '16')
    .option('--gateway <address>', 'router, when --dest is outside the network')
    .option('--vlan <n>', '802.1Q VLAN of our frames, in and out (0: untagged)', '0')
    .option('--smp <n>', '1 control thread and n - 1 engine threads', '2')
    .option('--network-stack <name>', 'qstack | mtcp (the same) | kernel', 'qstack')
    .option('--socket <path>', "memif socket of the server's stack")
    .option(
      '--device <device>',
      'memif:PATH, tap:NAME, af_packet:IF, af_xdp:IF, pcap:IF, EAL string; kernel: interface',
    )
    .option('--mac <mac>', 'own MAC address')
    .option(
      '--packets <n>',
      'packets that may wait to be sent or acknowledged (as many as the load may have on its way)',
    )
    .option('--core <n>', 'core of the engine thread (any)');
}

/** Of one test from many machines. */
function clusterFlags(command: Command): Command {
  return command
    .option('--cluster <url>', 'one test from many machines, through a Redis: redis://host[:port][/key]')
    .option('--workers <n>', 'cluster: give the test out to so many workers')
    .option('--worker', 'cluster: take part in tests with the device of this machine')
    .option('--name <name>', "cluster: name of this worker (the host's)");
}

/** What is left behind. */
function outputFlags(command: Command): Command {
  command.option('--seed <n>', 'seed of levels and order', '1');
  return addDashboardFlags(command, DASHBOARD_MCC)
    .option(
      '--log-duration <time>',
      'period of --client-log, and of progress where stderr is no terminal (seconds)',
      '1',
    )
    .option('--json', 'one JSON object on stdout (docs/schema/mcc.json)')
    .option('--html <file>', 'a report with plots, one file')
    .option('--hgrm <path>', "percentiles for HdrHistogram's plotter: FILE.hgrm of all, or a folder by phase and level")
    .option('--hlog <file>', 'HdrHistogram log: an interval a second, levels as tags')
    .option('--client-log <file>', "MCC's client_log")
    .option('--quiet', 'no progress')
    .option('--plan', 'print threads and memory, and start nothing');
}

/** Flags of --help, which is to fit a screen; the others stand in --help-all and docs/mcc.md. */
const COMMON = new Set(
  [
    '--mode --conn --setup-time --burst --epoch --duration --rate --arrival --phases --length --request-ratio',
    '--levels --answer --message --reply --reconnect-after --fail-if --dest --port --network-stack --socket --device --seed',
    '--cluster --dashboard --json --html --plan --help-all',
  ].flatMap((names) => names.split(' ')),
);

export function mccCommand(everyFlag = false): Command {
  const command = new Command('mcc').description(
    'load generator, open loop or closed, on the qstack stack or kernel sockets',
  );
  for (const add of [loadFlags, closedLoopFlags, messageFlags, networkFlags, clusterFlags, outputFlags]) add(command);
  return command
    .option('--help-all', 'every flag')
    .on('option:help-all', () => mccCommand(true).help())
    .addOption(new Option('--no-delay <n>').hideHelp())
    .configureHelp({
      visibleOptions: ({ options }) =>
        options.filter(({ hidden, long }) => !hidden && (everyFlag || COMMON.has(long ?? ''))),
    })
    .addHelpText('after', EXAMPLES)
    .allowExcessArguments(false);
}
