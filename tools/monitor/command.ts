// monitor's command line: every flag with its default, and the examples of --help. What a value means is read by options.ts.
import { Command } from 'commander';
import { addDashboardFlags, DASHBOARD_MONITOR } from '../dashboard/flags.js';

const EXAMPLES = `
Examples:
  monitor --interface eth0 --port 80 --framing http            latency of a web server, seen on its interface
  monitor --interface eth0 --port 80 --framing http --dashboard    the same as a live page, at ${DASHBOARD_MONITOR}
  tcpdump -w - port 7000 | monitor --pcap - --port 7000 --framing 'lengthPrefix offset=0 width=2'
  monitor --mirror /run/qs/mirror.sock --iot --capture-over 5ms  at a server with that key; keeps frames around slow responses
  monitor -c fff -n3 -- -p1 -f setting.cfg                     as HCMonitor is started
  monitor merge a.json b.json                                  one result of several monitors
Latency is from the first frame of a request to the first frame of its response. ^C prints the summary, a second one quits.`;

const collected = (text: string, before: readonly string[] = []) => [...before, text];

/** Where frames come from. */
function sourceFlags(command: Command): Command {
  return command
    .option('--pcap <file>', 'frames of a capture file, - is standard input')
    .option('--interface <name>', 'frames of an interface (CAP_NET_RAW)')
    .option('--device <device>', 'a DPDK device: memif:PATH, tap:NAME, af_xdp:IF')
    .option('--mirror <socket>', 'what a server with the key mirror tells')
    .option('-p, --port-mask <mask>', 'without a source: the interface with the number of the lowest bit')
    .option('-q, --queues <n>', 'shards, as --shards')
    .option('-T, --period <time>', 'of progress lines when stderr is no terminal (seconds, 0: none)', '10')
    .option('-f, --setting <file>', "HCMonitor's setting.cfg; flags go before it");
}

/** What is a request, and which level it has. */
function messageFlags(command: Command): Command {
  return command
    .option('--port <list>', "servers' ports (80)")
    .option('--framing <what>', "segment, fixed N, 'lengthPrefix offset=0 width=2', http, https (segment)")
    .option('--iot', 'messages of mcc and iotepserver: matched by counter, levels high and low')
    .option('--levels <names>', 'of rules or --iot, highest first (high,low)')
    .option('--rule <line>', 'gives requests a level, as in a configuration; may be repeated', collected)
    .option('--classify <file>', 'levels and rules of a configuration')
    .option('--high-above <bytes>', 'messages longer than this have level high, others low')
    .option('--answer <what>', 'requests that get a response: all | requests (of the first level)', 'all')
    .option('--interval <time>', 'of results (60s)')
    .option('--duration <time>', 'ends by itself after so long')
    .option('--connections <n>', 'that are followed at the same time', '65536')
    .option('--idle <time>', 'after which a connection is forgotten', '60s')
    .option('--shards <n>', 'threads that match (cores but one, 4 at most)')
    .option('--snaplen <bytes>', 'of a frame that are looked at', '320');
}

/** What is left behind. */
function outputFlags(command: Command): Command {
  return addDashboardFlags(command, DASHBOARD_MONITOR)
    .option('--json', 'one JSON object on stdout (docs/schema/monitor.json)')
    .option('--hgrm <path>', 'percentiles for HdrHistogram: a file .hgrm of all, or a folder with one by level')
    .option('--hcmonitor-files <dir>', 'writes cdf.txt, sketch.txt and burst.txt there')
    .option('--capture-over <time>', 'keeps the frames of a connection whose response took longer')
    .option('--capture-dir <dir>', 'where', '.')
    .option('--capture-span <time>', 'so far back', '2s')
    .option('--capture-max <n>', 'files at most', '100')
    .option('--quiet', 'no progress');
}

/** Flags of --help, which is to fit a screen; the others stand in --help-all and docs/monitor.md. */
const COMMON = new Set(
  [
    '--pcap --interface --device --mirror --setting --port --framing --iot --levels --rule --duration',
    '--dashboard --json --hgrm --hcmonitor-files --capture-over --help-all',
  ].flatMap((names) => names.split(' ')),
);

export function monitorCommand(everyFlag = false): Command {
  const command = new Command('monitor').description(
    'passive latency monitor: measures at the wire how long a server takes, by level',
  );
  for (const add of [sourceFlags, messageFlags, outputFlags]) add(command);
  return command
    .option('--help-all', 'every flag')
    .on('option:help-all', () => monitorCommand(true).help())
    .configureHelp({
      visibleOptions: ({ options }) => options.filter(({ long }) => everyFlag || COMMON.has(long ?? '')),
    })
    .addHelpText('after', EXAMPLES)
    .allowExcessArguments(false)
    .exitOverride((error) => process.exit(error.exitCode === 0 ? 0 : 2));
}

export function mergeCommand(): Command {
  return new Command('monitor merge')
    .description('adds up what several monitors printed with --json')
    .argument('<files...>', 'results')
    .option('--json', 'one JSON object on stdout')
    .option('--hgrm <path>', 'percentiles for HdrHistogram')
    .exitOverride((error) => process.exit(error.exitCode === 0 ? 0 : 2));
}
